"""Whether two systems differ: paired tests, and the interval of a paired difference.

Conventions
-----------
``a`` and ``b`` are two systems that predicted the same clips; a difference is b − a, so positive
means that b is better. The primary test flips signs over speakers. McNemar's test ignores that
clips of one speaker resemble each other (22–30 % false positives at a nominal 5 % here) and serves
fixed published lists only; Nadeau and Bengio's serves repeated random splits only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from ser_study.evaluation import intervals, metrics
from ser_study.evaluation.intervals import Interval

EXACT_SPEAKERS = 20  # 2¹⁹ sign patterns are counted; beyond, patterns are drawn


@dataclass(frozen=True)
class PairedTest:
    """A statistic and its two-sided p."""

    statistic: float
    p: float


@dataclass(frozen=True)
class Ranking:
    """Friedman's test over blocks, mean ranks (1 = best) and Nemenyi's critical difference between them."""

    ranks: np.ndarray  # (models,)
    statistic: float
    p: float
    critical_difference: float


def sign_flip(
    differences: Sequence[float], *, n_permutations: int = 10_000, rng: np.random.Generator | None = None
) -> PairedTest:
    """Two-sided paired sign-flip test of a mean difference of 0 (Fisher 1935).

    Parameters
    ----------
    differences : one value a speaker, shape (K,)
    n_permutations, rng : random sign patterns beyond K = 20; up to there every pattern is counted

    Returns
    -------
    PairedTest, its statistic the mean difference.

    Raises
    ------
    ValueError
        There are no differences, one is not finite, or K > 20 without ``rng``.
    """
    values = np.asarray(differences, dtype=float)
    if not values.size or not np.isfinite(values).all():
        raise ValueError(f"The sign-flip test needs finite differences, one a speaker; found {values}.")
    observed = abs(values.sum()) - 1e-9 * np.abs(values).sum()  # rounding must not turn a tie into a loss
    if len(values) <= EXACT_SPEAKERS:
        sums = values[:1]  # flipping all signs changes nothing two-sided: the first keeps its own
        for value in values[1:]:
            sums = np.concatenate([sums + value, sums - value])
        return PairedTest(float(values.mean()), float(np.mean(np.abs(sums) >= observed)))
    if rng is None:
        raise ValueError(f"{len(values)} speakers have too many sign patterns to count; pass rng to draw some.")
    signs = rng.integers(2, size=(n_permutations, len(values))) * 2.0 - 1
    as_large = np.count_nonzero(np.abs(signs @ values) >= observed)
    return PairedTest(float(values.mean()), (as_large + 1) / (n_permutations + 1))


def smallest_p(n_speakers: int, *, n_permutations: int = 10_000) -> float:
    """Smallest p the sign-flip test can give; above .05 for five speakers or fewer."""
    if n_speakers <= EXACT_SPEAKERS:
        return min(1.0, 2.0 ** (1 - n_speakers))
    return 1 / (n_permutations + 1)


def paired_difference(
    truth: Sequence,
    prediction_a: Sequence,
    prediction_b: Sequence,
    speakers: Sequence,
    *,
    classes: Sequence,
    metric: str = "uar",
    level: float = 0.95,
    n_bootstrap: int = 10_000,
    rng: np.random.Generator,
) -> tuple[float, Interval]:
    """Difference of a count metric, b − a on the same clips, and its interval; both share every resample."""
    codes, first, _ = metrics.check(truth, prediction_a, classes=classes)
    _, second, _ = metrics.check(truth, prediction_b, classes=classes)
    drawn = intervals.resample(codes, speakers, n_bootstrap=n_bootstrap, rng=rng)
    parts = [intervals.totals(codes, guess, None, drawn, n_classes=len(classes)) for guess in (first, second)]
    return difference_interval(parts[:1], parts[1:], drawn, metric=metric, level=level)


def difference_interval(
    a: Sequence[intervals.Totals],
    b: Sequence[intervals.Totals],
    drawn: intervals.Resamples,
    *,
    metric: str = "uar",
    level: float = 0.95,
) -> tuple[float, Interval]:
    """Difference of the mean score of b's draws or seeds and of a's, and its interval."""

    def gap(weights: np.ndarray) -> np.ndarray:
        after, before = (intervals.mean_scores(draws, weights, metric)[metric] for draws in (b, a))
        return after - before

    value = float(gap(np.ones((1, drawn.weights.shape[1])))[0])
    low, high = metrics.RANGES.get(metric, (0.0, 1.0))
    span = intervals.limits(value, gap(drawn.weights), drawn.kind, level=level, bounds=(low - high, high - low))
    return value, span


def holm(p_values: Sequence[float]) -> np.ndarray:
    """Holm's (1979) adjusted p of one family, in the given order; NaN stays NaN and is not counted."""
    p = np.asarray(p_values, dtype=float)
    adjusted = np.full(p.shape, np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    adjusted[order] = np.minimum(1.0, np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)))
    return adjusted


def mcnemar(truth: Sequence, prediction_a: Sequence, prediction_b: Sequence) -> PairedTest:
    """Exact McNemar test on clips that only one system gets right; ignores clustering by speaker.

    The statistic is the number of clips that only b gets right.
    """
    truth, a, b = (np.asarray(labels) for labels in (truth, prediction_a, prediction_b))
    if not (len(truth) == len(a) == len(b)):
        raise ValueError(f"Truth and predictions differ in length: {len(truth)}, {len(a)} and {len(b)}.")
    only_a, only_b = int(((a == truth) & (b != truth)).sum()), int(((a != truth) & (b == truth)).sum())
    p = stats.binomtest(only_b, only_a + only_b).pvalue if only_a + only_b else 1.0
    return PairedTest(float(only_b), float(p))


def nadeau_bengio(differences: Sequence[float], *, n_train: float, n_test: float) -> PairedTest:
    """Corrected t test over repeated random splits (Nadeau and Bengio 2003).

    ``differences`` holds one score difference a split. The splits share training clips, so the
    variance counts 1/J + n_test/n_train instead of 1/J.
    """
    values = np.asarray(differences, dtype=float)
    if len(values) < 2 or n_train <= 0 or n_test <= 0:
        raise ValueError(
            f"The corrected t test needs two splits or more; found {len(values)} of {n_train} and {n_test} clips."
        )
    error = np.sqrt((1 / len(values) + n_test / n_train) * values.var(ddof=1))
    if error == 0:
        return (
            PairedTest(0.0, 1.0) if values.mean() == 0 else PairedTest(float(np.copysign(np.inf, values.mean())), 0.0)
        )
    t = values.mean() / error
    return PairedTest(float(t), float(2 * stats.t.sf(abs(t), len(values) - 1)))


def friedman_nemenyi(scores: np.ndarray, *, alpha: float = 0.05) -> Ranking:
    """Compare models over blocks: Friedman's test and Nemenyi's critical difference (Demšar 2006).

    Parameters
    ----------
    scores : shape (blocks, models), higher is better; blocks are the speakers of one corpus

    Returns
    -------
    Ranking. Two models differ at ``alpha`` when their mean ranks are further apart than the critical difference.

    Raises
    ------
    ValueError
        Fewer than two blocks or three models, or a score is not finite.
    """
    scores = np.asarray(scores, dtype=float)
    if scores.ndim != 2 or scores.shape[0] < 2 or scores.shape[1] < 3 or not np.isfinite(scores).all():
        raise ValueError(
            f"Friedman's test needs finite scores of two blocks and three models or more; found {scores.shape}."
        )
    n_blocks, n_models = scores.shape
    ranks = stats.rankdata(-scores, axis=1)
    if (ranks == ranks[:, :1]).all():
        statistic, p = 0.0, 1.0  # every block ties all its models
    else:
        statistic, p = stats.friedmanchisquare(*scores.T)
    quantile = stats.studentized_range.ppf(1 - alpha, n_models, np.inf) / np.sqrt(2)
    critical = quantile * np.sqrt(n_models * (n_models + 1) / (6 * n_blocks))
    return Ranking(ranks.mean(axis=0), float(statistic), float(p), float(critical))


def wilson(hits: int, n: int, *, level: float = 0.95) -> Interval:
    """Wilson's (1927) interval of a share: what sampling another list of n clips could give."""
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"Wilson's interval needs 0 ≤ hits ≤ n and n ≥ 1; found {hits} of {n}.")
    span = stats.binomtest(int(hits), int(n)).proportion_ci(level, method="wilson")
    return Interval(float(span.low), float(span.high), "sampling, this list")
