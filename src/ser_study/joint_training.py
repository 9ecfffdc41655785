"""Fit a discriminant on a corpus and on others beside it → predictions of the corpus.

A fold's training part is the corpus's own training clips plus the other corpora's clips of the classes that both have
(``data/class_map.csv``); an other corpus weighs as much as ``weight`` times the own clips. Which corpora, which weight
and which shrinkage is chosen by inner folds of the own clips (none at all is one of the choices), then everything that
is not test is fitted once more. A speaker who is validated or tested is in no training part, in whatever corpus. Only
sums over rows are needed (``models.discriminant``), and these add: each corpus is read once.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Mapping, Sequence
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
from ser_study.training import Block, InnerFolds, as_table, in_columns, taken, temperature

VERSION = 4  # rises when fitting or choosing gives other numbers
KEPT = 6  # sums of products that are kept, one for each inner fold; they are large
Mixture = tuple[tuple[str, ...], float]  # names of other corpora, and their weight


@dataclass(frozen=True)
class Rows(Block):
    """Clips of one corpus, one row each, and the speaker (n,) of each, empty where unknown."""

    speaker: np.ndarray


class _Corpus:
    """Moments of a corpus, and of what is left of it without some speakers."""

    def __init__(self, rows: Rows, classes: Sequence[str]):
        self.codes = np.searchsorted(classes, rows.truth)
        self.values, self.speaker, self.n_classes = rows.values, rows.speaker, len(classes)
        self.speakers = set(rows.speaker) - {""}
        self.whole = self.of(np.ones(len(rows.truth), bool))
        self.computed = functools.lru_cache(KEPT)(self._without)

    def of(self, mask: np.ndarray) -> Moments:
        """Moments of some rows."""
        return Moments.of(self.values[mask], self.codes[mask], self.n_classes)

    def without(self, speakers: set[str]) -> Moments:
        """Moments of the rows of other speakers; the last answers are kept, for they are asked for many times."""
        away = frozenset(speakers & self.speakers)
        return self.computed(away) if away else self.whole

    def _without(self, away: frozenset[str]) -> Moments:
        return self.whole - self.of(np.isin(self.speaker, sorted(away)))


def run_folds(
    own: Rows,
    others: Mapping[str, Rows],
    folds: pd.DataFrame,
    *,
    models: Models,
    inner: InnerFolds,
) -> pd.DataFrame:
    """Predictions of every fold.

    Parameters
    ----------
    own : the clips of the corpus that is tested
    others : name → clips of another corpus; classes that ``own`` lacks are left out
    folds : folds of the own clips, by speaker
    models : settings; shrinkages and ``joint_weights`` are tried
    inner : inner folds of the own clips that are not test, as for ``training.run_folds``

    Returns
    -------
    Table as that of ``training.run_folds``; ``params`` names the other corpora that were chosen.
    """
    frames = []
    with single_threaded():  # results must not depend on the number of threads
        joint, own, _ = _made(own, others, models)
        for (repeat, fold), rows in folds.groupby(["repeat", "fold"], sort=True):
            parts = _fold(joint, own, *masks_of(own, rows), inner)
            frames += [part.assign(repeat=repeat, fold=fold) for part in parts]
    return pd.concat(frames, ignore_index=True)


def head_of(
    own: Rows, others: Mapping[str, Rows], fit: np.ndarray, test: np.ndarray, *, models: Models, inner: InnerFolds
) -> tuple[LinearHead, dict[str, Any], int]:
    """What predicts the test rows of one fold in ``run_folds``; its hyperparameters and number of training rows.

    ``fit`` and ``test`` are masks of own rows, see ``masks_of``; speakers of test rows are in no training part.
    """
    with single_threaded():
        joint, own, centre = _made(own, others, models)
        parts, outer = _parts(joint, own, fit, test, inner)
        params, scale, _ = _best(joint, parts)
        mixture = (params["others"], params["weight"])
        n_train, known, (one,) = _solved(joint, outer, mixture, [params["shrinkage"]])
    names = tuple(np.asarray(joint.classes)[known])
    head = LinearHead(names, centre, np.ones_like(centre), one.coefficients, one.intercepts, scale)
    return head, params, n_train


def masks_of(own: Rows, rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Which own rows (n,) are not test in one fold of a folds table, and which are."""
    roles = rows[rows["variant"] == 0].set_index("clip_id")["role"].reindex(own.rows["clip_id"])
    return (roles.notna() & (roles != "test")).to_numpy(), (roles == "test").to_numpy()


def _made(own: Rows, others: Mapping[str, Rows], models: Models) -> tuple[_Joint, Rows, np.ndarray]:
    """What fits share, and the own rows; all rows are centred, for smaller sums of squares, at the last."""
    classes, centre = tuple(np.unique(own.truth)), own.values.mean(axis=0)
    own = _kept(own, classes, centre)
    shared = {name: _Corpus(_kept(rows, classes, centre), classes) for name, rows in others.items()}
    return _Joint(_Corpus(own, classes), shared, classes, models), own, centre


def _kept(rows: Rows, classes: Sequence[str], centre: np.ndarray) -> Rows:
    """The rows of some classes, centred."""
    known = np.isin(rows.truth, classes)
    return Rows(rows.rows[known], rows.values[known] - centre, rows.truth[known], rows.speaker[known])


@dataclass(frozen=True)
class _Joint:
    """Everything that fits share."""

    own: _Corpus
    others: Mapping[str, _Corpus]
    classes: tuple[str, ...]
    models: Models

    def weights(self) -> list[Mixture]:
        """No other corpus, and all of them at each weight."""
        return [((), 0.0), *((tuple(self.others), weight) for weight in self.models.joint_weights if self.others)]

    def fewer(self, weight: float) -> list[Mixture]:
        """All other corpora at a weight, and all but one; none where the weight is 0."""
        names = tuple(self.others)
        sizes = sorted({len(names), max(1, len(names) - 1)}, reverse=True) if weight else [0]
        return [(group, weight) for size in sizes for group in itertools.combinations(names, size)]

    def moments(self, own: Moments, away: set[str], names: Sequence[str], weight: float) -> Moments:
        """Own moments and those of other corpora, each of ``weight`` times the own rows; without some speakers."""
        n_own = own.weight.sum() or float(len(self.own.codes))  # with no own row, any weight is the same
        together = self.together(away, names)
        return own if together is None else own.plus(together, weight * n_own)

    def together(self, away: set[str], names: Sequence[str]) -> Moments | None:
        """The moments of other corpora, each of weight 1; the last answers are kept."""
        return self._together(tuple((name, frozenset(away & self.others[name].speakers)) for name in names))

    @functools.cached_property
    def _together(self) -> Callable[[tuple], Moments | None]:
        return functools.lru_cache(KEPT)(self._computed_together)

    def _computed_together(self, key: tuple) -> Moments | None:
        rows = [other for name, away in key if (other := self.others[name].without(away)).weight.sum() > 0]
        return _summed(rows) if rows else None


def _summed(parts: Sequence[Moments]) -> Moments:
    """Moments of several corpora, each of weight 1."""
    first = parts[0]
    total = Moments(*(part / first.weight.sum() for part in (first.weight, first.sums, first.products)), first.width)
    for part in parts[1:]:
        total = total.plus(part, 1 / part.weight.sum())
    return total


@dataclass(frozen=True)
class _Part:
    """One fit: the own rows' moments, the speakers who may be in no corpus, and the rows that are predicted."""

    own: Moments
    away: set[str]
    block: Block


def _parts(joint, own: Rows, fit: np.ndarray, test: np.ndarray, inner: InnerFolds) -> tuple[list[_Part], _Part]:
    """The fits of the inner folds, and the one that predicts the test rows."""
    places, pool = np.flatnonzero(fit), joint.own.of(fit)
    tested = set(own.speaker[test]) - {""}
    parts = []
    for _, mask in _inner_masks(own, places, inner):
        out = np.zeros_like(fit)
        out[places[mask]] = True
        away = tested | (set(own.speaker[out]) - {""})
        parts.append(_Part(pool - joint.own.of(out), away, taken(own, out)))
    return parts, _Part(pool, tested, taken(own, test))


def _fold(joint: _Joint, own: Rows, fit: np.ndarray, test: np.ndarray, inner: InnerFolds) -> list[pd.DataFrame]:
    """Predictions of the validation rows of the inner folds, then of the test rows."""
    parts, outer = _parts(joint, own, fit, test, inner)
    params, scale, decided = _best(joint, parts)
    n_train, (margins,) = _decided(joint, outer, (params["others"], params["weight"]), [params["shrinkage"]])
    frames = [
        as_table(margin * scale, joint.classes, part.block, "validation", n, params)
        for part, (n, margin) in zip(parts, decided)
    ]
    return [*frames, as_table(margins * scale, joint.classes, outer.block, "test", n_train, params)]


def _inner_masks(own: Rows, places: np.ndarray, inner: InnerFolds) -> list[tuple[np.ndarray, np.ndarray]]:
    """Inner folds of the own rows; a single speaker is validated as a whole, by what the other corpora teach."""
    if len(set(own.speaker[places])) > 1:
        return inner(own.rows["clip_id"].to_numpy()[places])
    return [(np.zeros(len(places), bool), np.ones(len(places), bool))]


def _best(joint: _Joint, parts: Sequence[_Part]) -> tuple[dict[str, Any], float, list[tuple[int, np.ndarray]]]:
    """The best weight of all corpora, the best of them at that weight, and the best shrinkage with these, in turn.

    Returns
    -------
    Hyperparameters, the scale of their probabilities, and (training rows, margins) of each part.
    """
    trial = _Tried(joint, parts)
    _, weight = trial.best(joint.weights())
    names, weight = trial.best(joint.fewer(weight))
    shrinkages = joint.models.covariance_shrinkage
    fits = trial.fits((names, weight), shrinkages)
    best = _highest([margins for _, margins in fits], parts, joint.classes)
    decided = [(n_train, margins[best]) for n_train, margins in fits]
    truth = np.concatenate([part.block.truth for part in parts])
    scale = temperature(np.concatenate([margins for _, margins in decided]), truth, joint.classes)
    return {"others": list(names), "weight": weight, "shrinkage": shrinkages[best]}, scale, decided


class _Tried:
    """Mixtures tried at the middle shrinkage, each once, in single precision."""

    def __init__(self, joint: _Joint, parts: Sequence[_Part]):
        self.joint, self.parts = joint, parts
        shrinkages = joint.models.covariance_shrinkage
        self.middle = shrinkages[len(shrinkages) // 2]
        self.precision = discriminant.precision_to_compare(shrinkages, joint.own.values.shape[1])
        self.tried: dict[Mixture, list[np.ndarray]] = {}  # margins in each part

    def best(self, mixtures: Sequence[Mixture]) -> Mixture:
        """The mixture with the best UAR."""
        for mixture in mixtures:
            if mixture not in self.tried:
                fits = [_decided(self.joint, part, mixture, [self.middle], self.precision) for part in self.parts]
                self.tried[mixture] = [margins for _, (margins,) in fits]
        tried = [self.tried[mixture] for mixture in mixtures]
        return mixtures[_highest(list(zip(*tried)), self.parts, self.joint.classes)]

    def fits(self, mixture: Mixture, shrinkages: Sequence[float]) -> list[tuple[int, list[np.ndarray]]]:
        """Training rows and margins of each shrinkage, in each part, of a mixture that was tried."""
        rest = [shrinkage for shrinkage in shrinkages if shrinkage != self.middle]
        together = []
        for part, known in zip(self.parts, self.tried[mixture]):
            n_train, margins = _decided(self.joint, part, mixture, rest, self.precision)
            by_shrinkage = dict(zip(rest, margins)) | {self.middle: known}
            together.append((n_train, [by_shrinkage[shrinkage] for shrinkage in shrinkages]))
        return together


def _highest(by_part: Sequence[Sequence[np.ndarray]], parts: Sequence[_Part], classes: Sequence[str]) -> int:
    """Which of the choices, of margins (n, C) in each part, has the best UAR over all rows; the first of equals."""
    truth = np.concatenate([part.block.truth for part in parts])
    guesses = [np.asarray(classes)[np.concatenate(margins).argmax(axis=1)] for margins in zip(*by_part)]
    return int(np.argmax([metrics.uar(metrics.confusion(truth, guess, classes)) for guess in guesses]))


def _decided(
    joint: _Joint, part: _Part, mixture: Mixture, shrinkages: Sequence[float], precision: type = np.float64
) -> tuple[int, list[np.ndarray]]:
    """Training rows of a fit, and the margins (n, C) of each shrinkage; a class without rows is never predicted."""
    n_train, known, fitted = _solved(joint, part, mixture, shrinkages, precision)
    seen = np.asarray(joint.classes)[known]
    return n_train, [in_columns(one(part.block.values), seen, joint.classes) for one in fitted]


def _solved(
    joint: _Joint, part: _Part, mixture: Mixture, shrinkages: Sequence[float], precision: type = np.float64
) -> tuple[int, np.ndarray, list[Discriminant]]:
    """Training rows of a fit, which classes (C,) have some, and the discriminant of these for each shrinkage."""
    names, weight = mixture
    moments = joint.moments(part.own, part.away, names, weight)
    n_train = int(part.own.weight.sum() + sum(joint.others[name].without(part.away).weight.sum() for name in names))
    known = moments.weight > 0
    if known.sum() < 2:  # nothing is learned, so all classes are alike
        alike = Discriminant(np.zeros((len(known), part.block.values.shape[1])), np.zeros(len(known)))
        return n_train, np.ones_like(known), [alike] * len(shrinkages)
    some = Moments(moments.weight[known], moments.sums[known], moments.products, moments.width)
    fitted = discriminant.solved(some, shrinkages, priors="equal", standardise=True, precision=precision)
    return n_train, known, list(fitted)
