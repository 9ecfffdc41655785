"""Scores of a classifier from its confusion counts, and ``evaluate`` for all scores at once.

Conventions
-----------
``truth`` and ``prediction`` are sequences of labels of equal length n ≥ 1; ``classes`` gives every
label a place and its order is the order of rows, columns and probabilities. ``proba`` is an array
of shape (n, C) whose rows sum to 1. ``counts`` is a confusion matrix of shape (…, C, C), rows
truth, columns prediction: leading axes are a stack, so that 10,000 resamples cost one call.

A class without a clip in ``truth`` takes no part in an average over classes (UAR, macro F1, macro
precision, AUC); clips wrongly given to it still count as misses of their own class. A class never
predicted has precision 0.

Metrics
-------
Here, from counts: accuracy, UAR (mean class recall, the headline), macro F1, weighted F1, macro
precision, weighted precision, Cohen's κ, Matthews' correlation. Balanced accuracy and macro recall are
other names of UAR, weighted recall is one of accuracy. In ``probabilities``: AUC, log loss, Brier score, ECE.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from ser_study.evaluation import probabilities


def encode(labels: Sequence, classes: Sequence, *, what: str) -> np.ndarray:
    """Place of each label among the classes, shape (n,); ``what`` names the labels in errors.

    Raises
    ------
    ValueError
        There are no labels, or some are not among the classes.
    """
    known = pd.Index(list(classes))
    if not known.is_unique:
        raise ValueError(f"Classes occur twice: {', '.join(map(str, known[known.duplicated()]))}; name each once.")
    values = np.asarray(labels)
    if values.ndim != 1 or not len(values):
        raise ValueError(f"{what} must be a non-empty list of labels; found shape {values.shape}.")
    codes = known.get_indexer(values)
    if (codes < 0).any():
        unknown = sorted({str(label) for label in values[codes < 0]})
        raise ValueError(
            f"{what} holds {(codes < 0).sum()} labels outside the classes ({', '.join(unknown[:5])}); "
            f"classes are {', '.join(map(str, known))}."
        )
    return codes


def check_proba(proba: np.ndarray, *, n: int, n_classes: int) -> np.ndarray:
    """Probabilities as float64 of shape (n, C), or a ``ValueError`` that says what is wrong."""
    proba = np.asarray(proba, dtype=np.float64)
    if proba.shape != (n, n_classes):
        raise ValueError(f"Probabilities have shape {proba.shape}; {n} clips and {n_classes} classes need another.")
    total = proba.sum(axis=1)
    if not (np.isfinite(proba).all() and proba.min() >= 0 and np.abs(total - 1).max() < 1e-3):
        raise ValueError(
            f"Probabilities run from {proba.min()} to {proba.max()} and rows sum to {total.min()} … {total.max()}; "
            "they must lie in 0 … 1 and sum to 1."
        )
    return proba


def check(
    truth: Sequence, prediction: Sequence, proba: np.ndarray | None = None, *, classes: Sequence
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Truth and prediction as codes, and probabilities as float64; ``ValueError`` where they do not fit."""
    rows = encode(truth, classes, what="Truth")
    columns = encode(prediction, classes, what="Prediction")
    if len(rows) != len(columns):
        raise ValueError(f"Truth and prediction differ in length: {len(rows)} and {len(columns)}.")
    return rows, columns, None if proba is None else check_proba(proba, n=len(rows), n_classes=len(classes))


def confusion(truth: Sequence, prediction: Sequence, classes: Sequence) -> np.ndarray:
    """Confusion counts, int64 of shape (C, C): rows truth, columns prediction."""
    rows, columns, _ = check(truth, prediction, classes=classes)
    size = len(classes)
    return np.bincount(rows * size + columns, minlength=size * size).reshape(size, size)


def _ratio(above: np.ndarray, below: np.ndarray, empty: float) -> np.ndarray:
    """``above / below``, and ``empty`` where that divides by 0."""
    above, below = np.broadcast_arrays(np.asarray(above, float), np.asarray(below, float))
    return np.divide(above, below, out=np.full(below.shape, empty), where=below != 0)


def _hits(counts: np.ndarray) -> np.ndarray:
    return np.diagonal(counts, axis1=-2, axis2=-1)


def macro(per_class: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of values of shape (…, C) over the classes that occur in truth."""
    present = counts.sum(axis=-1) > 0
    return _ratio(np.where(present, per_class, 0.0).sum(axis=-1), present.sum(axis=-1), np.nan)


def weighted(per_class: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Mean of values of shape (…, C), each class weighted by its number of true clips."""
    true = counts.sum(axis=-1)
    return _ratio(np.where(true > 0, per_class * true, 0.0).sum(axis=-1), true.sum(axis=-1), np.nan)


def row_normalised(counts: np.ndarray) -> np.ndarray:
    """Confusion counts as shares of each true class; NaN in the row of an absent class."""
    return _ratio(counts, counts.sum(axis=-1, keepdims=True), np.nan)


def recall_per_class(counts: np.ndarray) -> np.ndarray:
    """Share of each true class that is predicted right, shape (…, C); NaN for an absent class."""
    return _ratio(_hits(counts), counts.sum(axis=-1), np.nan)


def precision_per_class(counts: np.ndarray) -> np.ndarray:
    """Share of each predicted class that was right, shape (…, C); 0 for a class never predicted."""
    return _ratio(_hits(counts), counts.sum(axis=-2), 0.0)


def f1_per_class(counts: np.ndarray) -> np.ndarray:
    """2 · hits / (true + predicted) of each class, shape (…, C); 0 where a class is neither."""
    return _ratio(2 * _hits(counts), counts.sum(axis=-1) + counts.sum(axis=-2), 0.0)


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Share of all clips that were right."""
    return _ratio(_hits(counts).sum(axis=-1), counts.sum(axis=(-2, -1)), np.nan)


def uar(counts: np.ndarray) -> np.ndarray:
    """Unweighted average recall: the mean of the recalls of the classes that occur in truth."""
    return macro(recall_per_class(counts), counts)


def macro_f1(counts: np.ndarray) -> np.ndarray:
    """Mean F1 over the classes that occur in truth."""
    return macro(f1_per_class(counts), counts)


def weighted_f1(counts: np.ndarray) -> np.ndarray:
    """Mean F1, each class weighted by its number of true clips."""
    return weighted(f1_per_class(counts), counts)


def macro_precision(counts: np.ndarray) -> np.ndarray:
    """Mean precision over the classes that occur in truth; 0 for a class never predicted."""
    return macro(precision_per_class(counts), counts)


def weighted_precision(counts: np.ndarray) -> np.ndarray:
    """Mean precision, each class weighted by its number of true clips; 0 for a class never predicted."""
    return weighted(precision_per_class(counts), counts)


def kappa(counts: np.ndarray) -> np.ndarray:
    """Cohen's κ (1960): agreement beyond chance; NaN where chance alone gives 1."""
    total = counts.sum(axis=(-2, -1))
    by_chance = _ratio((counts.sum(axis=-1) * counts.sum(axis=-2)).sum(axis=-1), total * total, np.nan)
    return _ratio(accuracy(counts) - by_chance, 1 - by_chance, np.nan)


def mcc(counts: np.ndarray) -> np.ndarray:
    """Matthews' correlation for several classes (Gorodkin 2004); 0 where truth or prediction is constant."""
    total, true, predicted = counts.sum(axis=(-2, -1)), counts.sum(axis=-1), counts.sum(axis=-2)
    covariance = _hits(counts).sum(axis=-1) * total - (true * predicted).sum(axis=-1)
    spread = (total**2 - (true**2).sum(axis=-1)) * np.asarray(total**2 - (predicted**2).sum(axis=-1), float)
    return _ratio(covariance, np.sqrt(spread), 0.0)


COUNT_METRICS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "accuracy": accuracy,
    "uar": uar,
    "macro_f1": macro_f1,
    "weighted_f1": weighted_f1,
    "macro_precision": macro_precision,
    "weighted_precision": weighted_precision,
    "kappa": kappa,
    "mcc": mcc,
}
PROBA_METRICS = ("auc", "log_loss", "brier")  # of probabilities; they can be resampled too
RANGES: Mapping[str, tuple[float, float]] = {  # all others lie in 0 … 1
    "kappa": (-1.0, 1.0),
    "mcc": (-1.0, 1.0),
    "log_loss": (0.0, np.inf),
    "brier": (0.0, 2.0),
}


def score_of(rows: pd.DataFrame, metric: str) -> float:
    """A metric of ``COUNT_METRICS`` of rows with ``truth`` and ``prediction``; classes are those that occur."""
    classes = sorted({*rows["truth"].unique(), *rows["prediction"].unique()})
    return float(COUNT_METRICS[metric](confusion(rows["truth"], rows["prediction"], classes)))


def uar_of(rows: pd.DataFrame) -> float:
    """UAR of rows with ``truth`` and ``prediction``; classes are those that occur."""
    return score_of(rows, "uar")


def accuracy_of(rows: pd.DataFrame) -> float:
    """Accuracy of rows with ``truth`` and ``prediction``."""
    return float((rows["truth"] == rows["prediction"]).mean())


def evaluate(
    truth: Sequence,
    prediction: Sequence,
    proba: np.ndarray | None = None,
    *,
    classes: Sequence,
    bins: int = 10,
    rng: np.random.Generator | None = None,
) -> dict[str, float]:
    """Every metric by name, ``recall_<class>`` included; probabilities add theirs.

    Parameters
    ----------
    truth, prediction : n labels each
    proba : shape (n, C), columns in the order of ``classes``
    bins : equal-mass bins of ECE and of the Brier decomposition
    rng : draws ``ece_if_calibrated``, which is left out without it

    Raises
    ------
    ValueError
        Lengths differ, a label is unknown, or the probabilities do not fit.
    """
    counts = confusion(truth, prediction, classes)
    scores = {name: float(metric(counts)) for name, metric in COUNT_METRICS.items()}
    if proba is not None:
        codes, _, proba = check(truth, prediction, proba, classes=classes)
        scores |= {
            "auc": probabilities.auc(codes, proba),
            "log_loss": float(probabilities.clip_log_loss(codes, proba).mean()),
            "brier": float(probabilities.clip_brier(codes, proba).mean()),
        } | probabilities.calibration(codes, proba, bins=bins, rng=rng)
    recalls = recall_per_class(counts)
    return scores | {f"recall_{name}": float(value) for name, value in zip(classes, recalls, strict=True)}
