"""Gaps between groups of speakers or clips: is a system, or are listeners, as good for one as for the other?

Conventions
-----------
A gap is the UAR of group b minus that of group a. Both are taken over the same classes and sentences: those that occur
in both groups. Models and listeners are scored alike, from hits and answers: a model answers a clip once, listeners
several times. Groups of speakers are tested by permuting which speakers belong to which; groups of clips that every
speaker has, by flipping signs of the speakers' own gaps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser_study.evaluation import intervals
from ser_study.evaluation.intervals import Interval, Resamples
from ser_study.evaluation.significance import PairedTest


@dataclass(frozen=True)
class Answers:
    """Answers to n clips: class of each clip as a code, how many answers it got, and how many of them were right."""

    truth: np.ndarray  # (n,) codes
    hits: np.ndarray  # (n,)
    answers: np.ndarray  # (n,)


@dataclass(frozen=True)
class Gap:
    """UAR of group a and of group b, b − a, and its interval; NaN where a group has no answer."""

    value_a: float
    value_b: float
    difference: float
    interval: Interval


def comparable(in_a: np.ndarray, in_b: np.ndarray, *units: Sequence) -> tuple[np.ndarray, np.ndarray]:
    """The clips of two groups whose class and sentence, say, occur in both.

    Parameters
    ----------
    in_a, in_b : bool, shape (n,)
    units : n values each; a unit that some clip lacks is passed over

    Returns
    -------
    Masks (n,) of what is left of each group. Leaving out a sentence may leave out a class, and the other way round, so
    this is repeated until nothing changes.
    """
    in_a, in_b, before = in_a.copy(), in_b.copy(), -1
    known = [codes for codes in (pd.factorize(np.asarray(unit, object))[0] for unit in units) if (codes >= 0).all()]
    while before != (before := int(in_a.sum() + in_b.sum())):
        for codes in known:
            shared = np.intersect1d(codes[in_a], codes[in_b])
            in_a &= np.isin(codes, shared)
            in_b &= np.isin(codes, shared)
    return in_a, in_b


def tally(given: Answers, chosen: np.ndarray, unit: np.ndarray, n_units: int) -> np.ndarray:
    """Hits and answers of some clips by unit and class, shape (2, units, C)."""
    n_classes = int(given.truth.max()) + 1
    cell = unit[chosen] * n_classes + given.truth[chosen]
    both = [np.bincount(cell, part[chosen], minlength=n_units * n_classes) for part in (given.hits, given.answers)]
    return np.stack(both).reshape(2, n_units, n_classes)


def uar(sums: np.ndarray) -> np.ndarray:
    """Mean over classes of hits / answers, shape (…); ``sums`` has shape (2, …, C), classes without answers are left
    out."""
    hits, answers = sums
    recall = np.divide(hits, answers, out=np.zeros(hits.shape), where=answers > 0)
    n_classes = (answers > 0).sum(axis=-1)
    return np.divide(recall.sum(axis=-1), n_classes, out=np.full(n_classes.shape, np.nan), where=n_classes > 0)


def gap(given: Answers, in_a: np.ndarray, in_b: np.ndarray, drawn: Resamples, *, level: float = 0.95) -> Gap:
    """Gap between two groups of clips, masks (n,), with its interval over the resamples of all n clips."""
    n_units = drawn.weights.shape[1]
    parts = [tally(given, chosen, drawn.unit, n_units) for chosen in (in_a, in_b)]
    value_a, value_b = (float(uar(part.sum(axis=1))) for part in parts)
    resampled = np.subtract(*(uar(drawn.weights @ part) for part in reversed(parts)))
    difference = value_b - value_a
    span = intervals.limits_where_defined(difference, resampled, drawn.kind, level=level, bounds=(-1.0, 1.0))
    return Gap(value_a, value_b, difference, span)


def permutation_test(
    given: Answers,
    in_a: np.ndarray,
    in_b: np.ndarray,
    speakers: Sequence,
    *,
    n_permutations: int = 10_000,
    rng: np.random.Generator,
) -> PairedTest:
    """Two-sided test of a gap between groups of speakers: which speakers are in which group is permuted.

    Raises
    ------
    ValueError
        A speaker is in both groups, or unknown.
    """
    chosen = in_a | in_b
    unit, names = pd.factorize(np.asarray(speakers, object)[chosen])
    member = np.zeros((2, len(names)), bool)
    for row, group in enumerate((in_a, in_b)):
        member[row, unit[group[chosen]]] = True
    if (unit < 0).any() or member.all(axis=0).any():
        raise ValueError("Groups of speakers are permuted only where every speaker is known and in one of the two.")
    picked = Answers(given.truth[chosen], given.hits[chosen], given.answers[chosen])
    sums = tally(picked, np.ones(len(unit), bool), unit, len(names))
    drawn = np.stack([member[1], *(rng.permutation(member[1]) for _ in range(n_permutations))]).astype(float)
    gaps = uar(drawn @ sums) - uar((1 - drawn) @ sums)
    observed = abs(gaps[0]) - 1e-12  # rounding must not turn a tie into a loss
    as_large = np.count_nonzero(np.abs(gaps[1:]) >= observed)
    return PairedTest(float(gaps[0]), (as_large + 1) / (n_permutations + 1))


def speaker_gaps(given: Answers, in_a: np.ndarray, in_b: np.ndarray, speakers: Sequence) -> np.ndarray:
    """Gap of every speaker who is in both groups, over the classes that the speaker has in both."""
    unit, names = pd.factorize(np.asarray(speakers, object))
    a, b = (tally(given, chosen & (unit >= 0), unit, len(names)) for chosen in (in_a, in_b))
    shared = (a[1] > 0) & (b[1] > 0)
    gaps = uar(b * shared) - uar(a * shared)
    return gaps[np.isfinite(gaps)]
