"""Scores of probabilities: AUC, log loss, Brier score and calibration.

Conventions
-----------
``truth`` holds codes, shape (n,): the column of the true class in ``proba``, float64 of shape (n, C)
whose rows sum to 1. ``metrics.check`` gives both from labels and refuses what does not fit.

Metrics
-------
One-vs-rest AUC of each class, and its mean over classes; log loss in nats; Brier score summed over
classes (0 to 2) and its decomposition; ECE of the likeliest class, and the ECE that a perfectly
calibrated model of equal n would show.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

ALIKE = 9  # decimals to which confidences of one bin are compared: the order of sums must not part equal ones


def clip_log_loss(truth: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """−ln p of the true class of each clip, in nats; p is kept above 2.2e-16, so the worst is 36."""
    chosen = proba[np.arange(len(truth)), truth]
    return -np.log(np.clip(chosen, np.finfo(np.float64).eps, 1.0))


def clip_brier(truth: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """Squared distance between each clip's probabilities and its true class, 0 to 2."""
    return (proba**2).sum(axis=1) - 2 * proba[np.arange(len(truth)), truth] + 1


def auc_per_class(truth: np.ndarray, proba: np.ndarray) -> np.ndarray:
    """Chance that a clip of the class gets more of its probability than another clip, shape (C,).

    NaN for a class that is absent from the truth, or its only one.
    """
    areas = np.full(proba.shape[1], np.nan)
    for place in np.unique(truth):
        positive = truth == place
        n_true, n_other = positive.sum(), (~positive).sum()
        above = rankdata(proba[:, place])[positive].sum() - n_true * (n_true + 1) / 2
        areas[place] = above / (n_true * n_other) if n_other else np.nan
    return areas


def auc(truth: np.ndarray, proba: np.ndarray) -> float:
    """Mean of ``auc_per_class`` over the classes that occur in truth; NaN when there is one only."""
    return float(np.mean(auc_per_class(truth, proba)[np.unique(truth)]))


@dataclass(frozen=True)
class BrierParts:
    """Brier = reliability − resolution + uncertainty + within.

    Reliability is the cost of wrong probabilities, resolution the gain of separating clips,
    uncertainty what the class shares alone would score, within the spread inside a bin.
    """

    reliability: float
    resolution: float
    uncertainty: float
    within: float


def _equal_mass(ordered: np.ndarray, n_bins: int) -> np.ndarray:
    """First place of each bin of sorted values; equal values stay together, so bins may be fewer."""
    cuts = np.linspace(0, len(ordered), n_bins + 1)[:-1].round().astype(int)
    return np.unique(np.searchsorted(ordered, ordered[np.minimum(cuts, len(ordered) - 1)]))


def brier_parts(truth: np.ndarray, proba: np.ndarray, *, bins: int = 10) -> BrierParts:
    """Murphy's (1973) decomposition, class by class in equal-mass bins, summed over classes.

    ``within`` is 0 when every bin holds one probability only.
    """
    n = len(truth)
    reliability = resolution = uncertainty = 0.0
    for place in range(proba.shape[1]):
        order = np.argsort(proba[:, place], kind="stable")
        predicted, happened = proba[order, place], (truth[order] == place).astype(float)
        starts = _equal_mass(predicted, bins)
        sizes = np.diff(np.append(starts, n))
        mean_predicted = np.add.reduceat(predicted, starts) / sizes
        mean_happened = np.add.reduceat(happened, starts) / sizes
        share = happened.mean()
        reliability += (sizes * (mean_predicted - mean_happened) ** 2).sum() / n
        resolution += (sizes * (mean_happened - share) ** 2).sum() / n
        uncertainty += share * (1 - share)
    within = clip_brier(truth, proba).mean() - (reliability - resolution + uncertainty)
    return BrierParts(float(reliability), float(resolution), float(uncertainty), float(within))


def _gap(right: np.ndarray, confidence: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """Mean |share right − mean confidence| over bins weighted by size; ``right`` has shape (…, n)."""
    gaps = np.add.reduceat(right - confidence, starts, axis=-1)
    return np.abs(gaps).sum(axis=-1) / len(confidence)


def confidence_bins(proba: np.ndarray, *, bins: int = 10) -> np.ndarray:
    """Equal-mass bin of each clip by the probability of its likeliest class, int from 0, shape (n,).

    Clips of equal confidence share a bin, so the order of clips never matters, and bins may be fewer.
    """
    confidence = proba.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    bin_of = np.empty(len(order), dtype=int)
    starts = _equal_mass(confidence[order].round(ALIKE), bins)
    bin_of[order] = np.searchsorted(starts, np.arange(len(order)), side="right") - 1
    return bin_of


def ece(truth: np.ndarray, proba: np.ndarray, *, bins: int = 10) -> float:
    """Expected calibration error of the likeliest class, in equal-mass bins (Guo et al. 2017)."""
    confidence = proba.max(axis=1)
    order = np.argsort(confidence, kind="stable")
    right = (proba.argmax(axis=1) == truth)[order].astype(float)
    return float(_gap(right, confidence[order], _equal_mass(confidence[order].round(ALIKE), bins)))


def tempered(proba: np.ndarray, scale: float) -> np.ndarray:
    """Probabilities (n, C) whose logarithms are multiplied by a scale, the inverse of a temperature (Guo et al. 2017).

    A scale below 1 makes them less sure; which class is likeliest never changes.
    """
    scaled = scale * log_probabilities(proba)
    raised = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def log_probabilities(proba: np.ndarray) -> np.ndarray:
    """Logarithms of probabilities, kept above 2.2e-16 as in the log loss."""
    return np.log(np.clip(proba, np.finfo(np.float64).eps, 1.0))


def ece_if_calibrated(proba: np.ndarray, *, bins: int = 10, draws: int = 200, rng: np.random.Generator) -> float:
    """Mean ECE when each clip is right exactly as often as its confidence says: what chance alone shows."""
    confidence = np.sort(np.minimum(proba.max(axis=1), 1.0))
    right = rng.random((draws, len(confidence))) < confidence
    return float(_gap(right, confidence, _equal_mass(confidence.round(ALIKE), bins)).mean())


def calibration(
    truth: np.ndarray, proba: np.ndarray, *, bins: int = 10, rng: np.random.Generator | None = None
) -> dict[str, float]:
    """The parts of the Brier score, ECE and, given an ``rng``, what chance alone would show as ECE."""
    parts = brier_parts(truth, proba, bins=bins)
    scores = {
        "brier_reliability": parts.reliability,
        "brier_resolution": parts.resolution,
        "brier_uncertainty": parts.uncertainty,
        "ece": ece(truth, proba, bins=bins),
    }
    return scores if rng is None else scores | {"ece_if_calibrated": ece_if_calibrated(proba, bins=bins, rng=rng)}
