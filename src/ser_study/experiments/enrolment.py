"""How much a few unlabelled clips of a new speaker help, where features are centred by speaker (method §7).

The model learns from training clips less their speaker's mean. Of a test speaker some clips are *enrolled*: their mean,
drawn towards that of the training speakers as far as so few clips deserve (the ratio of variance within speakers to
that between them), is taken from the other clips, which alone are scored. This is transductive: it uses clips of the
test speaker, though not their labels, so its scores never stand beside others.

Margins of a discriminant are linear in the features. So the mean is taken of projections, and a draw costs no fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from ser_study import config as settings
from ser_study import training
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import execute, ledger, runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.experiments.selections import Selection
from ser_study.models import discriminant, registry
from ser_study.parallel import single_threaded
from ser_study.store import Store

VERSION = 1  # rises when the curve gives other numbers
COUNTS = (0, 1, 2, 5, 10, 20)  # enrolled clips of each test speaker
ALL = -1  # every clip is enrolled, and scored too: what papers call speaker normalisation
MODES = ("any_clips", "one_emotion", "neutral_clips")  # which clips are enrolled
NEUTRAL = "neutral"
DRAWS = 20
COLUMNS = ["corpus", "mode", "enrolled", "draw", "uar", "n"]


@dataclass(frozen=True)
class _Fold:
    """Test rows of a fold, and a model that is linear in them."""

    places: np.ndarray  # of the test rows (n,)
    projections: np.ndarray  # of the rows, (n, C): what the model adds up before its offset
    offset: np.ndarray  # (C,)
    common: np.ndarray  # projection of the mean training speaker, (C,)
    strength: float  # clips that this mean counts as


def curves(
    experiments: Sequence[Experiment], selections: Mapping[str, Selection], *, config: Config, store: Store
) -> pd.DataFrame:
    """UAR of every number of enrolled clips and way to choose them, draw by draw; cached, and logged as tests.

    Parameters
    ----------
    experiments : discriminants on new speakers, of selections that are ``able``

    Returns
    -------
    ``COLUMNS``, ``n`` clips scored. What some speaker has too few clips for is left out.

    Raises
    ------
    ValueError
        A selection is not ``able``.
    RuntimeError
        Some could not be computed; the message names them.
    """
    for one in experiments:
        if not able(selections[one.selection]):
            number = _of_several_emotions(selections[one.selection])
            raise ValueError(f"{one.selection} has {number} speakers with two emotions or more; enrolment needs three.")
    jobs = [execute.make(one, selections, None, config, store) for one in experiments]
    runner.run_jobs(jobs, _is_cached, _curve, config, store)
    tables = [_curve(job, config=config, store=store) for job in jobs]
    for job, table in zip(jobs, tables):
        whole = table[table["enrolled"] == ALL].iloc[0]
        name = f"{job.experiment.name}/transductive"
        row = {"corpus": job.experiment.selection, "experiment": name, "metric": "uar"}
        scored = pd.DataFrame([row | {"value": whole["uar"], "n": whole["n"]}])
        ledger.log_test_evaluations({name: ledger.declaration_of(_artefact(job)[1])}, scored, store)
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _artefact(job: execute.Job) -> tuple[str, dict]:
    """Readable name and key of a curve."""
    name = f"enrolment/{job.experiment.selection}_{job.experiment.feature}"
    return name, {"experiment": job.cache_key, "counts": COUNTS, "draws": DRAWS, "version": VERSION}


def _is_cached(job: execute.Job, store: Store) -> bool:
    return store.is_fresh(store.path(*_artefact(job), ".parquet"))


def _curve(job: execute.Job, *, config: Config, store: Store) -> pd.DataFrame:
    """One curve, cached or computed now; runs in any process."""
    return store.cached(*_artefact(job), lambda: _computed(job, config, store))


def able(selection: Selection) -> bool:
    """Three speakers or more say several emotions.

    The mean of a speaker who says one emotion is that emotion's: taking it away leaves nothing to learn.
    """
    return _of_several_emotions(selection) > 2


def _of_several_emotions(selection: Selection) -> int:
    """Speakers who say two emotions or more."""
    return int((selection.clips.groupby("speaker")["emotion"].nunique() > 1).sum())


def _computed(job: execute.Job, config: Config, store: Store) -> pd.DataFrame:
    sets, truth = execute.features_and_classes(job, config, store)
    ids = truth.index.to_numpy()
    values, classes = sets.rows(ids).reshape(len(ids), -1).astype(np.float64), truth.to_numpy(str)
    speakers = job.selection.clips.set_index("clip_id")["speaker"].loc[ids].to_numpy(str)
    folds = folds_of(job.experiment, job.selection, truth, config, store, 0)
    inner = execute.inner_folds(job, truth, config)
    with single_threaded():  # results must not depend on the number of threads
        fitted = []
        for _, rows in folds.groupby(["repeat", "fold"], sort=True):
            test = np.isin(ids, rows.loc[rows["role"] == "test", "clip_id"])
            fit = np.isin(ids, rows.loc[rows["role"] != "test", "clip_id"])
            pairs = inner(ids[fit])
            fitted.append(_fold(values, classes, speakers, fit, test, pairs, config))
    random = settings.rng(config, f"enrolment/{job.experiment.name}")
    rows = list(_scores(fitted, classes, speakers, random))
    return pd.DataFrame(rows, columns=COLUMNS[1:]).assign(corpus=job.experiment.selection)[COLUMNS]


def _fold(values, classes, speakers, fit, test, pairs, config: Config) -> _Fold:
    """Fit on clips less their speaker's mean, with the shrinkage that inner folds choose, and project the test rows."""
    means = _speaker_means(values[fit], speakers[fit])
    centred, truth = values[fit] - means, classes[fit]
    scaler = StandardScaler().fit(centred)
    model = discriminant.build(config.models, _chosen(centred, truth, pairs, config), 0)
    model.fit(scaler.transform(centred), truth)
    coefficients = model.coef_ / scaler.scale_
    each = pd.DataFrame(means @ coefficients.T).groupby(speakers[fit]).first()
    within = (centred @ coefficients.T).var(axis=0).sum()
    return _Fold(
        np.flatnonzero(test),
        values[test] @ coefficients.T,
        model.intercept_ - scaler.mean_ @ coefficients.T,
        each.mean().to_numpy(),
        float(within / each.var().sum()),
    )


def _chosen(centred, truth, pairs, config: Config) -> dict:
    """The point of the grid with the best UAR on the validation rows of the inner folds."""
    rows = training.Block(pd.DataFrame(index=range(len(truth))), centred, truth)
    blocks = [(training.taken(rows, fit), training.taken(rows, validation)) for fit, validation in pairs]
    options = {"models": config.models, "seed": 0, "classes": tuple(np.unique(truth))}
    model = registry.get("lda")
    return training.best_point(model, model.grid(config.models), blocks, **options)[0]


def _speaker_means(values: np.ndarray, speakers: np.ndarray) -> np.ndarray:
    """Mean of each row's speaker, (n, d)."""
    names, code = np.unique(speakers, return_inverse=True)
    sums = np.zeros((len(names), values.shape[1]))
    np.add.at(sums, code, values)
    return (sums / np.bincount(code)[:, None])[code]


def _scores(fitted: list[_Fold], classes, speakers, random: np.random.Generator) -> Iterator[tuple]:
    """(mode, enrolled, draw, UAR, n) of every case that all speakers have the clips for."""
    known = np.unique(classes)
    people = [np.flatnonzero(speakers == name) for name in np.unique(speakers)]
    for mode in MODES:
        for count in (*COUNTS, ALL) if mode == MODES[0] else COUNTS[1:]:
            for draw in range(DRAWS if count > 0 else 1):
                enrolled = [_enrolled(places, classes, mode, count, random) for places in people]
                if any(some is None for some in enrolled):
                    break
                scored, guess = _answers(fitted, np.concatenate(enrolled), speakers, known, keep=count == ALL)
                uar = float(metrics.uar(metrics.confusion(classes[scored], guess, known)))
                yield mode, count, draw, uar, len(scored)


def _enrolled(places, classes, mode: str, count: int, random: np.random.Generator) -> np.ndarray | None:
    """Clips of one speaker that are enrolled; None where there are too few."""
    if count == ALL:
        return places
    own = classes[places]
    if mode == MODES[0]:
        pool = places if len(places) > count else places[:0]
    elif mode == "neutral_clips":
        pool = places[own == NEUTRAL]
    else:
        able = [name for name, n in zip(*np.unique(own, return_counts=True)) if count <= n < len(own)]
        pool = places[own == random.choice(able)] if able else places[:0]
    if not len(pool) or len(pool) < count:
        return None
    return random.choice(pool, size=count, replace=False)


def _answers(fitted: list[_Fold], enrolled, speakers, known, *, keep: bool) -> tuple[np.ndarray, np.ndarray]:
    """Places of the scored clips and their predicted classes; enrolled clips are scored only where ``keep``."""
    is_enrolled = np.zeros(len(speakers), bool)
    is_enrolled[enrolled] = True
    scored, guesses = [], []
    for fold in fitted:
        owner, chosen = speakers[fold.places], is_enrolled[fold.places]
        for name in np.unique(owner):
            own = owner == name
            count = (own & chosen).sum()
            mean = fold.projections[own & chosen].mean(axis=0) if count else 0.0
            centre = (count * mean + fold.strength * fold.common) / (count + fold.strength)
            rows = own if keep else own & ~chosen
            scored.append(fold.places[rows])
            guesses.append(known[(fold.projections[rows] - centre + fold.offset).argmax(axis=1)])
    return np.concatenate(scored), np.concatenate(guesses)
