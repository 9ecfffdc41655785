"""Fit the linear system of an experiment on everything that is not test: the head that a recogniser keeps.

Hyperparameters are chosen by inner folds as in the experiment itself, so that the head fitted for one of its folds
gives that fold's test predictions, bit for bit.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ser_study import joint_training, training
from ser_study.config import Config
from ser_study.experiments import execute, joint, runner
from ser_study.experiments.execute import Job
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of, with_variants
from ser_study.experiments.selections import Selection, classes_of
from ser_study.models import classical, discriminant, registry
from ser_study.models.linear_head import LinearHead
from ser_study.parallel import single_threaded
from ser_study.store import Store

VERSION = 1  # rises when the same experiment would get another head; part of every key that rests on one
ARRAYS = ("centre", "deviation", "coefficients", "intercepts")  # of a ``LinearHead``
MODEL = "lda"  # a linear system is small, and quickly fitted anew
PROTOCOLS = ("speaker_independent", "leave_one_speaker_out")  # whose validation rows teach how sure to be


@dataclass(frozen=True)
class Fit:
    """A fitted head and how it came about."""

    head: LinearHead
    params: Mapping[str, Any]
    n_train: int


def check(one: Experiment) -> None:
    """Raise ``ValueError`` where the system of an experiment cannot be kept as a head."""
    plain = Experiment(one.selection, one.protocol, one.feature, one.model, one.scheme, others=one.others)
    if one != plain or one.model != MODEL or one.protocol not in PROTOCOLS:
        raise ValueError(
            f"{one.name} cannot be kept: a recogniser holds a tuned {MODEL} of {' or '.join(PROTOCOLS)}, on recordings "
            "and labels as they are, alone or beside other corpora."
        )


def fit(
    one: Experiment,
    selections: Mapping[str, Selection],
    *,
    config: Config,
    store: Store,
    fold: tuple[int, int] | None = None,
) -> Fit:
    """The head of an experiment, from the store or fitted now.

    Parameters
    ----------
    one : see ``check``; here its training clips may have augmented copies
    selections : name → clips, all of the study: hyperparameters of a corpus of two speakers come from the others
    fold : (repeat, fold) whose test clips are left out; None: fitted on all clips

    Raises
    ------
    ValueError
        The experiment cannot be kept, it has no fold of that number, or the training clips lack a class.
    """
    check(dataclasses.replace(one, variants=()))
    job = runner.job_of(one, selections, config=config, store=store)

    def make() -> pd.DataFrame:
        return _as_table((_beside_others if job.others else _alone)(job, config, store, fold))

    cache_key = {**job.cache_key, "fold": fold, "head": VERSION}
    fitted = _from_table(store.cached(execute.artefact_name("heads", job), cache_key, make))
    lacking = set(classes_of(job.selection, one.scheme)) - set(fitted.head.classes)
    if lacking:
        raise ValueError(f"No training clip of {', '.join(sorted(lacking))} is left in fold {fold} of {one.name}.")
    return fitted


def _as_table(fitted: Fit) -> pd.DataFrame:
    """One row, its arrays as lists of doubles, which a file gives back bit for bit."""
    head = fitted.head
    arrays = {name: [np.asarray(getattr(head, name), float).ravel().tolist()] for name in ARRAYS}
    facts = {"classes": [list(head.classes)], "scale": [head.scale]}
    return pd.DataFrame({**facts, **arrays, "params": [json.dumps(dict(fitted.params))], "n_train": [fitted.n_train]})


def _from_table(table: pd.DataFrame) -> Fit:
    row = table.iloc[0]
    arrays = {name: np.asarray(row[name], float) for name in ARRAYS}
    arrays["coefficients"] = arrays["coefficients"].reshape(len(row["classes"]), -1)
    head = LinearHead(tuple(map(str, row["classes"])), scale=float(row["scale"]), **arrays)
    return Fit(head, json.loads(row["params"]), int(row["n_train"]))


def _rows(job: Job, truth: pd.Series, config: Config, store: Store, fold: tuple | None) -> pd.DataFrame:
    """Rows of a folds table: those of one fold, or all clips as training rows."""
    if fold is None:
        rows = pd.DataFrame({"clip_id": truth.index, "variant": 0, "role": "train"})
        return with_variants(rows, job.experiment.variants)
    folds = folds_of(job.experiment, job.selection, truth, config, store, 0)
    rows = of_fold(folds, *fold)
    if rows.empty:
        known = sorted(set(zip(folds["repeat"].tolist(), folds["fold"].tolist())))
        raise ValueError(f"{job.experiment.name} has no fold {fold}; it has {known[0]} to {known[-1]}.")
    return rows


def of_fold(table: pd.DataFrame, repeat: int, fold: int) -> pd.DataFrame:
    """Rows of one fold, of a folds or predictions table."""
    return table[(table["repeat"] == repeat) & (table["fold"] == fold)]


def _alone(job: Job, config: Config, store: Store, fold: tuple | None) -> Fit:
    values, truth = execute.features_and_classes(job, config, store)
    rows = _rows(job, truth, config, store, fold)
    train, validation, _ = training.blocks_of(values, truth, rows)
    everything = train if validation is None else training.joined(train, validation)
    options = {"models": config.models, "classes": tuple(sorted(truth.unique()))}
    options["seed"] = 0  # a discriminant draws nothing
    model, params, scale = registry.get(MODEL), job.params, 1.0
    inner = execute.inner_folds(job, truth, config)
    with single_threaded():  # as in the experiment
        if pairs := training.inner_pairs(everything, len(train.truth), inner):
            grid = [params] if params is not None else model.grid(config.models)
            params, scale, _ = training.best_point(model, grid, pairs, **options)
        params = model.fixed(config.models) if params is None else params
        prepare = classical.preparation(model)
        classes, fitted = discriminant.fit(params, prepare.fit_transform(everything.values), everything.truth)
    scaler = prepare[-1]
    head = LinearHead(
        tuple(classes.tolist()), scaler.mean_, scaler.scale_, fitted.coefficients, fitted.intercepts, scale
    )
    return Fit(head, params, len(everything.truth))


def _beside_others(job: Job, config: Config, store: Store, fold: tuple | None) -> Fit:
    truth = classes_of(job.selection, job.experiment.scheme)
    rows = _rows(job, truth, config, store, fold)
    named = execute.feature_names(job.experiment), job.experiment.scheme
    own, others = joint.rows_of(*named, job.selection, job.others, config=config, store=store)
    options = {"models": config.models, "inner": execute.inner_folds(job, truth, config)}
    head, params, n_train = joint_training.head_of(own, others, *joint_training.masks_of(own, rows), **options)
    return Fit(head, params, n_train)
