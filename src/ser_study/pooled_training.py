"""Fit one discriminant on several corpora at once, none of which is the target → predictions of all of them.

It is what a recogniser for voices of no corpus is fitted on. The speakers of all corpora are split into parts
(``splits.joint_folds``). For each part, the power by which a corpus weighs (its clips to this power) and the shrinkage
are chosen by the other parts, one after another; then all other parts are fitted once more and predict it. Speakers of
a part are in no training of that fold, in whatever corpus. The mean UAR over corpora decides, so that a large one does
not do so alone. Only sums over rows are needed (``models.discriminant``), and these add: every part of every corpus is
read once, and a fit without two parts serves both of them.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser_study.config import Models
from ser_study.evaluation import metrics
from ser_study.models import discriminant
from ser_study.models.discriminant import Discriminant, Moments
from ser_study.models.linear_head import LinearHead
from ser_study.parallel import single_threaded
from ser_study.schema import probability_columns
from ser_study.training import Block, as_table, in_columns, temperature

VERSION = 1  # rises when fitting or choosing gives other numbers
FEW = 0.01  # of the training clips, which are called far from the others
NEVER = -1  # part of a clip that is only trained on
POWERS = (0.5, 0.0, 1.0)  # of a corpus's clips, by which it weighs: from all corpora alike to all clips alike
Parts = frozenset[int]


@dataclass(frozen=True)
class Pool(Block):
    """Clips of several corpora, one row each: the corpus (n,) of each, and the part (n,) that it is tested in."""

    corpus: np.ndarray
    part: np.ndarray

    def of(self, where: np.ndarray) -> Pool:
        """Some of the clips, by their places or a mask (n,)."""
        rows = self.rows.iloc[where].reset_index(drop=True)
        return Pool(rows, self.values[where], self.truth[where], self.corpus[where], self.part[where])


@dataclass(frozen=True)
class Fitted:
    """A discriminant of several corpora, and the predictions of the validation rows that chose it."""

    head: LinearHead
    params: dict[str, Any]
    n_train: int
    validation: pd.DataFrame
    limit: float  # distance from the centre (root mean square of standard scores) that few training clips exceed


def predict(pool: Pool, *, models: Models) -> pd.DataFrame:
    """Predictions of every part.

    Parameters
    ----------
    pool : clips with three parts or more
    models : settings; their shrinkages are tried

    Returns
    -------
    Table of ``training.as_table`` with ``fold`` and ``corpus``. The test rows of a fold are its part; the validation
    rows are all other parts, each predicted without both.

    Raises
    ------
    ValueError
        There are fewer than three parts.
    """
    frames = []
    with single_threaded():  # results must not depend on the number of threads
        fits = _Fits(pool, models)
        for part in fits.parts:
            fitted = fits.fitted(frozenset({part}))
            frames.append(fitted.validation.assign(fold=part))
            frames.append(predictions(pool.of(pool.part == part), fitted, fits.classes).assign(fold=part))
    return pd.concat(frames, ignore_index=True)


def fit(pool: Pool, *, models: Models, without: Iterable[int] = ()) -> Fitted:
    """The discriminant of all clips but those of some parts, chosen and calibrated as in ``predict``; that without one
    part is the one that predicts it there, bit for bit. Raises as ``predict`` does."""
    with single_threaded():
        return _Fits(pool, models).fitted(frozenset(without))


def elsewhere(pool: Pool, *, models: Models) -> pd.DataFrame:
    """Predictions of every corpus by what all others teach, one fold a corpus.

    Everything is chosen on speakers of the others, whose validation rows come with the test rows: they say how sure to
    be. A corpus whose others have fewer than three parts is left out.
    """
    classes, frames = np.unique(pool.truth.astype(str)), []
    for fold, corpus in enumerate(np.unique(pool.corpus)):
        others = pool.of(pool.corpus != corpus)
        if len(set(others.part) - {NEVER}) >= 3:
            fitted = fit(others, models=models)
            tested = predictions(pool.of(pool.corpus == corpus), fitted, classes)
            frames += [part.assign(fold=fold, corpus=corpus) for part in (fitted.validation, tested)]
    unknown = dict.fromkeys(probability_columns(classes), 0.0)  # a class that the others lack
    return pd.concat(frames, ignore_index=True).fillna(unknown) if frames else pd.DataFrame()


def predictions(tested: Pool, fitted: Fitted, classes: np.ndarray) -> pd.DataFrame:
    """Test rows of clips that a discriminant was not fitted on; a class (of C) that it never saw is never predicted."""
    margins = in_columns(fitted.head.margins(tested.values), np.asarray(fitted.head.classes), classes)
    table = as_table(margins, classes, tested, "test", fitted.n_train, fitted.params)
    return table.assign(corpus=tested.corpus)


class _Fits:
    """All fits of a pool, each computed once."""

    def __init__(self, pool: Pool, models: Models):
        self.pool, self.parts = pool, sorted(set(pool.part.tolist()) - {NEVER})
        if len(self.parts) < 3:
            raise ValueError(
                f"The speakers of these corpora make {len(self.parts)} parts; three are needed, to train, to choose "
                "and to test. Add speakers or corpora."
            )
        self.classes, codes = np.unique(pool.truth.astype(str), return_inverse=True)
        self.points = list(itertools.product(POWERS, models.covariance_shrinkage))
        self.centre = pool.values.mean(axis=0)  # for smaller sums of squares; neither it nor the deviation teaches
        deviation = pool.values.std(axis=0)
        self.deviation = np.where(deviation > 0, deviation, 1.0)
        values, self.moments = pool.values - self.centre, {}
        for corpus, part in itertools.product(np.unique(pool.corpus).tolist(), [NEVER, *self.parts]):
            mask = (pool.corpus == corpus) & (pool.part == part)
            if mask.any():
                self.moments[corpus, part] = Moments.of(values[mask], codes[mask], len(self.classes))
        self.heads = functools.cache(self._heads)

    def fitted(self, away: Parts) -> Fitted:
        """The discriminant without some parts, chosen by predicting the others one after another."""
        where, tried = self._validated(away)
        rows = self.pool.of(where)
        best = int(np.argmax([self._mean_uar(margins, rows) for margins in tried]))
        scale = temperature(tried[best], rows.truth, self.classes)
        n_train, known, heads = self.heads(away)
        one, names = heads[best], tuple(self.classes[known].tolist())
        coefficients = one.coefficients * self.deviation
        head = LinearHead(names, self.centre, self.deviation, coefficients, one.intercepts, scale)
        params = dict(zip(("power", "shrinkage"), self.points[best]))
        table = as_table(tried[best] * scale, self.classes, rows, "validation", n_train, params)
        return Fitted(head, params, n_train, table.assign(corpus=rows.corpus), self._limit(away))

    def _limit(self, away: Parts) -> float:
        """The distance that ``FEW`` of the training clips exceed."""
        values = self.pool.values[~np.isin(self.pool.part, sorted(away))]
        scores = (values - self.centre) / self.deviation
        return float(np.quantile(np.sqrt(np.mean(np.square(scores), axis=1)), 1 - FEW))

    def _validated(self, away: Parts) -> tuple[np.ndarray, list[np.ndarray]]:
        """Places of the clips of all parts but some, and the margins of each point, by fits without these and the
        clip's own part."""
        where, margins = [], []
        for part in sorted(set(self.parts) - away):
            places = np.flatnonzero(self.pool.part == part)
            _, known, heads = self.heads(away | {part})
            values = self.pool.values[places] - self.centre
            where.append(places)
            margins.append([in_columns(one(values), self.classes[known], self.classes) for one in heads])
        return np.concatenate(where), [np.concatenate(parts) for parts in zip(*margins)]

    def _mean_uar(self, margins: np.ndarray, rows: Pool) -> float:
        """UAR, mean over corpora."""
        guess = self.classes[margins.argmax(axis=1)]
        scores = [
            metrics.uar(metrics.confusion(rows.truth[own], guess[own], self.classes))
            for own in (rows.corpus == corpus for corpus in np.unique(rows.corpus))
        ]
        return float(np.mean(scores))

    def _heads(self, away: Parts) -> tuple[int, np.ndarray, list[Discriminant]]:
        """Number of training rows without some parts, which classes (C,) they hold, the discriminant of each point."""
        corpora, heads = self._training(away), []
        n_train = sum(int(one.weight.sum()) for one in corpora)
        known = sum(one.weight for one in corpora) > 0
        for power, points in itertools.groupby(self.points, key=lambda point: point[0]):
            total = corpora[0].plus(corpora[0], corpora[0].weight.sum() ** (power - 1) - 1)
            for one in corpora[1:]:
                total = total.plus(one, one.weight.sum() ** (power - 1))
            some = Moments(total.weight[known], total.sums[known], total.products, total.width)
            shrinkages = [shrinkage for _, shrinkage in points]
            heads += discriminant.solved(some, shrinkages, priors="equal", standardise=True)
        return n_train, known, heads

    def _training(self, away: Parts) -> list[Moments]:
        """Moments of each corpus without some parts; a corpus of which nothing is left is left out."""
        kept: dict[str, Moments] = {}
        for (corpus, part), one in self.moments.items():
            if part not in away:
                kept[corpus] = kept[corpus] + one if corpus in kept else one
        return list(kept.values())
