"""How sure a score is: intervals over speakers.

Conventions
-----------
Clips of one speaker resemble each other, so the speaker is the unit that is drawn or left
out. What an interval can say depends on the number of speakers K:

- K ≥ 20: percentile bootstrap over speakers; a resample that lacks a class is drawn again.
- 4 ≤ K ≤ 19: delete-one-speaker jackknife around the score, with t on K − 1 degrees of freedom.
- K ≤ 3, or unknown speakers: nothing is known about other people. The interval says how far other
  clips *of these voices* might move the score: a jackknife over up to 200 random groups of clips.

All metrics share the resamples. Scores from counts, log loss and Brier are sums over speakers; AUC
is kept as a table of pairs (speaker of the true clip × speaker of the other clip), so that it can
be resampled exactly as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from ser_study.evaluation import metrics, probabilities

BOOTSTRAP = "speaker bootstrap"
JACKKNIFE = "speaker jackknife"
CLIPS = "clips, these voices only"
MIN_BOOTSTRAP, MIN_JACKKNIFE = 20, 4  # speakers
CLIP_GROUPS = 200


@dataclass(frozen=True)
class Interval:
    """Limits of a score, and the kind of interval they are."""

    low: float
    high: float
    kind: str


@dataclass(frozen=True)
class Resamples:
    """Which unit (speaker, or group of clips) each clip belongs to, and how often each resample holds each unit."""

    unit: np.ndarray  # (n,) codes
    weights: np.ndarray  # (b, units)
    kind: str


@dataclass(frozen=True)
class Totals:
    """What each unit adds to the scores."""

    counts: np.ndarray  # (units, C, C)
    losses: np.ndarray | None  # (units, 2): log loss, Brier
    pairs: np.ndarray | None  # (C, units, units): pairs won by the true clip


def resample(
    truth: np.ndarray, speakers: Sequence, *, n_bootstrap: int = 10_000, rng: np.random.Generator
) -> Resamples:
    """The resamples that the number of speakers allows.

    Parameters
    ----------
    truth : codes, shape (n,)
    speakers : n names; one empty name makes all count as unknown
    n_bootstrap : resamples of the bootstrap

    Notes
    -----
    When over 99 % of the bootstrap's resamples lack a class, the jackknife takes its place.
    """
    unit, names = pd.factorize(np.asarray(speakers, dtype=object))
    if len(unit) != len(truth):
        raise ValueError(f"Truth and speakers differ in length: {len(truth)} and {len(unit)}.")
    n_units = len(names)
    if (unit < 0).any() or n_units < MIN_JACKKNIFE:
        n_units = min(len(truth), CLIP_GROUPS)
        return Resamples(rng.permutation(len(truth)) % n_units, 1.0 - np.eye(n_units), CLIPS)
    if n_units >= MIN_BOOTSTRAP:
        held = np.zeros((n_units, truth.max() + 1))
        np.add.at(held, (unit, truth), 1)
        weights = _bootstrap(held[:, held.any(axis=0)], n_bootstrap, rng)
        if weights is not None:
            return Resamples(unit, weights, BOOTSTRAP)
    return Resamples(unit, 1.0 - np.eye(n_units), JACKKNIFE)


def _bootstrap(held: np.ndarray, n_bootstrap: int, rng: np.random.Generator) -> np.ndarray | None:
    """Times each speaker is drawn, (b, K), every class held; None when that hardly ever happens."""
    n_units = len(held)
    weights = np.zeros((n_bootstrap, n_units))
    lacking = np.arange(n_bootstrap)
    while len(lacking):
        drawn = rng.integers(n_units, size=(len(lacking), n_units)) + np.arange(len(lacking))[:, None] * n_units
        weights[lacking] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
        still = lacking[(weights[lacking] @ held == 0).any(axis=1)]
        if len(lacking) == n_bootstrap and len(still) > 0.99 * n_bootstrap:
            return None
        lacking = still
    return weights


def totals(
    truth: np.ndarray, prediction: np.ndarray, proba: np.ndarray | None, drawn: Resamples, *, n_classes: int
) -> Totals:
    """Sum up each unit's predictions; labels are codes, ``proba`` has shape (n, C) or is None."""
    unit, n_units = drawn.unit, drawn.weights.shape[1]
    cell = (unit * n_classes + truth) * n_classes + prediction
    counts = np.bincount(cell, minlength=n_units * n_classes**2).reshape(n_units, n_classes, n_classes)
    if proba is None:
        return Totals(counts.astype(float), None, None)
    per_clip = (probabilities.clip_log_loss(truth, proba), probabilities.clip_brier(truth, proba))
    losses = np.stack([np.bincount(unit, loss, minlength=n_units) for loss in per_clip], axis=1)
    pairs = np.stack([_pairs_won(proba[:, place], truth == place, unit, n_units) for place in range(n_classes)])
    return Totals(counts.astype(float), losses, pairs)


def _pairs_won(score: np.ndarray, positive: np.ndarray, unit: np.ndarray, n_units: int) -> np.ndarray:
    """Pairs (true clip of unit i, other clip of unit j) in which the true clip scores higher; a tie counts half."""
    order = np.argsort(score, kind="stable")
    score, positive, unit = score[order], positive[order], unit[order]
    others = np.zeros((len(score) + 1, n_units), dtype=np.int32)
    others[1:][~positive, unit[~positive]] = 1
    np.cumsum(others, axis=0, out=others)  # row r: others among the r lowest, by unit
    mine = score[positive]
    beaten = others[np.searchsorted(score, mine, side="left")] + others[np.searchsorted(score, mine, side="right")]
    member = (unit[positive][:, None] == np.arange(n_units)).astype(np.float64)
    return member.T @ beaten / 2


def resampled_counts(parts: Totals, weights: np.ndarray) -> np.ndarray:
    """Confusion counts of every resample, shape (b, C, C)."""
    n_units, n_classes, _ = parts.counts.shape
    return (weights @ parts.counts.reshape(n_units, -1)).reshape(-1, n_classes, n_classes)


def resampled_scores(parts: Totals, weights: np.ndarray, only: str = "") -> dict[str, np.ndarray]:
    """Every metric of every resample, each of shape (b,), or ``only`` one."""
    stack = resampled_counts(parts, weights)
    if only in metrics.COUNT_METRICS:
        return {only: metrics.COUNT_METRICS[only](stack)}
    scores = {name: metric(stack) for name, metric in metrics.COUNT_METRICS.items()}
    if parts.losses is None:
        return scores
    losses = weights @ parts.losses / stack.sum(axis=(1, 2))[:, None]
    true = stack.sum(axis=2)  # (b, C)
    all_pairs = true * (true.sum(axis=1, keepdims=True) - true)
    areas = np.full(all_pairs.shape, np.nan)
    for place, won in enumerate(parts.pairs):
        beaten = ((weights @ won) * weights).sum(axis=1)
        np.divide(beaten, all_pairs[:, place], out=areas[:, place], where=all_pairs[:, place] > 0)
    return scores | {"auc": metrics.macro(areas, stack), "log_loss": losses[:, 0], "brier": losses[:, 1]}


def limits(
    value: float,
    resampled: np.ndarray,
    kind: str,
    *,
    level: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Interval around ``value``: percentiles of a bootstrap, or t times the jackknife's standard error.

    ``bounds`` are the ends of the metric's range, which no interval passes.
    """
    if kind == BOOTSTRAP:
        low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    else:
        n_units = len(resampled)
        if n_units < 2:
            return Interval(np.nan, np.nan, kind)
        error = np.sqrt((n_units - 1) * np.mean((resampled - resampled.mean()) ** 2))
        reach = stats.t.ppf((1 + level) / 2, n_units - 1) * error
        low, high = value - reach, value + reach
    return Interval(float(max(low, bounds[0])), float(min(high, bounds[1])), kind)


def interval(metric: str, truth: Sequence, prediction: Sequence, speakers: Sequence, proba=None, **options) -> Interval:
    """Interval of one metric; arguments and options as in ``intervals``, which gives all for the same price."""
    every = intervals(truth, prediction, speakers, proba, **options)
    if metric not in every:
        raise ValueError(f"No interval for {metric!r} here; there are {', '.join(every)} (the last three need proba).")
    return every[metric]


def intervals(
    truth: Sequence,
    prediction: Sequence,
    speakers: Sequence,
    proba: np.ndarray | None = None,
    *,
    classes: Sequence,
    level: float = 0.95,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator,
) -> dict[str, Interval]:
    """Interval of every metric that can be resampled; all share the resamples.

    Parameters
    ----------
    truth, prediction, speakers : n labels each
    proba : shape (n, C), columns in the order of ``classes``
    level : share of such intervals that should cover
    """
    codes, guesses, proba = metrics.check(truth, prediction, proba, classes=classes)
    drawn = resample(codes, speakers, n_bootstrap=n_bootstrap, rng=rng)
    return score_intervals([totals(codes, guesses, proba, drawn, n_classes=len(classes))], drawn, level=level)[1]


def score_intervals(
    draws: Sequence[Totals], drawn: Resamples, *, level: float = 0.95
) -> tuple[dict[str, float], dict[str, Interval]]:
    """Scores and their intervals; those of several draws or seeds of the same clips are averaged, score by score."""
    whole = mean_scores(draws, np.ones((1, drawn.weights.shape[1])))
    values = {name: float(score[0]) for name, score in whole.items()}
    resampled = mean_scores(draws, drawn.weights)
    spans = {
        name: limits(values[name], scores, drawn.kind, level=level, bounds=metrics.RANGES.get(name, (0.0, 1.0)))
        for name, scores in resampled.items()
    }
    return values, spans


def mean_scores(draws: Sequence[Totals], weights: np.ndarray, only: str = "") -> Mapping[str, np.ndarray]:
    """Mean over draws of every metric of every resample, or of ``only`` one."""
    each = [resampled_scores(parts, weights, only) for parts in draws]
    return {name: np.mean([scores[name] for scores in each], axis=0) for name in each[0]}


def share(hits: np.ndarray, among: np.ndarray, drawn: Resamples, *, level: float = 0.95) -> tuple[float, Interval]:
    """Share of hits among some of the clips, and its interval, see ``limits_where_defined``.

    Parameters
    ----------
    hits, among : bool, shape (n,)
    drawn : resamples of the n clips

    Returns
    -------
    The share and its interval; NaN where there is no such clip, limits also where only one speaker has any.
    """
    n_units = drawn.weights.shape[1]
    above, below = (
        drawn.weights @ np.bincount(drawn.unit, part.astype(float), minlength=n_units) for part in (hits & among, among)
    )
    if not among.any():
        return np.nan, Interval(np.nan, np.nan, drawn.kind)
    shares = np.divide(above, below, out=np.full(below.shape, np.nan), where=below > 0)
    value = float(hits[among].mean())
    return value, limits_where_defined(value, shares, drawn.kind, level=level, bounds=(0.0, 1.0))


def limits_where_defined(
    value: float, resampled: np.ndarray, kind: str, *, level: float = 0.95, bounds: tuple[float, float]
) -> Interval:
    """``limits`` where some resamples have no value (NaN): a bootstrap goes on without them, a jackknife has no limits,
    since it needs the value without every single unit."""
    if kind == BOOTSTRAP:
        resampled = resampled[np.isfinite(resampled)]
    if not len(resampled) or not np.isfinite(resampled).all():
        return Interval(np.nan, np.nan, kind)
    return limits(value, resampled, kind, level=level, bounds=bounds)
