"""Models compared on validation rows, with the time each takes to fit and to predict.

Scores here are development scores: each fold is fitted on its train rows and scored on its validation rows;
test rows are never touched. Everything runs on one thread. Times (``TIMES``) differ from run to run and
from machine to machine; the other columns are repeatable, so keep or compare those alone.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from ser_study import training
from ser_study.config import Models
from ser_study.evaluation import metrics
from ser_study.models import classical, registry
from ser_study.models.model import margins
from ser_study.parallel import single_threaded
from ser_study.schema import FeatureSet

SCORES = ("accuracy", "accuracy_sd", "auc", "uar", "macro_precision", "weighted_f1", "kappa", "mcc")
TIMES = ("fit_s", "search_s", "predict_ms")
_MEASURED = tuple(name for name in SCORES if name != "accuracy_sd")


@dataclass
class _Fold:
    """Scores of the best grid point of one fold, and the seconds of all."""

    scores: dict[str, float] = field(default_factory=dict)
    prepare_s: float = 0.0
    fit_s: float = 0.0  # of the best grid point
    search_s: float = 0.0  # of all grid points
    predict_s: float = 0.0
    n_validation: int = 0


def cross_validation(truth: pd.Series, *, n_folds: int, seed: int, groups: pd.Series | None = None) -> pd.DataFrame:
    """Stratified folds of the given clips for development: roles train and validation, no test.

    Parameters
    ----------
    truth : class of each clip, indexed by ``clip_id``
    n_folds : number of folds, 10 in AutoML tools
    seed : of the shuffling
    groups : speaker of each clip, indexed alike; clips of one stay together. None: clips are dealt one by one

    Returns
    -------
    Folds table with ``protocol, repeat, fold, clip_id, variant, role``.
    """
    parts = []
    splitter = (StratifiedKFold if groups is None else StratifiedGroupKFold)(n_folds, shuffle=True, random_state=seed)
    for fold, (_, validation) in enumerate(splitter.split(truth.index, truth.to_numpy(), groups)):
        role = np.full(len(truth), "train", dtype=object)
        role[validation] = "validation"
        parts.append(pd.DataFrame({"fold": fold, "clip_id": truth.index.to_numpy(), "role": role}))
    folds = pd.concat(parts, ignore_index=True).assign(protocol="development", repeat=0, variant=0)
    return folds[["protocol", "repeat", "fold", "clip_id", "variant", "role"]]


def compare_models(
    features: FeatureSet,
    truth: pd.Series,
    folds: pd.DataFrame,
    *,
    models: Models,
    seed: int,
    names: Iterable[str] = tuple(registry.CLASSICAL),
    search: bool = True,
) -> pd.DataFrame:
    """Scores on validation rows and times of models, the best accuracy first.

    Parameters
    ----------
    features : vectors (n, d); only clean rows (variant 0) are used
    truth : class of each clip, indexed by ``clip_id``
    folds : folds table with train and validation rows; other roles are ignored
    models : settings of the models
    seed : for the estimators
    names : models, networks excepted
    search : choose hyperparameters on the validation rows by UAR, as the study does (so the score flatters a
        little, the more the longer the grid); False: the fixed ones, as AutoML tables do

    Returns
    -------
    One row a model that every fold has clips enough for: ``model, title, n_folds, n_candidates``, ``SCORES`` (means
    over folds; ``accuracy_sd`` their standard deviation; AUC of margins where a model has no probabilities) and
    ``TIMES``: ``fit_s`` (s a fold, preparation and one fit), ``search_s`` (s a fold, whole grid), ``predict_ms``
    (ms a clip).

    Raises
    ------
    ValueError
        A model is unknown or a network, or a fold lacks train or validation rows.
    """
    rows = []
    with single_threaded():
        for name in names:
            model = registry.get(name)
            if model.family == "deep":
                raise ValueError(f"Model {name!r} is a network; its seconds an epoch are in the table of networks.")
            grid = model.grid(models) if search else [model.fixed(models)]
            parts = [part for _, part in folds.groupby(["repeat", "fold"], sort=True)]
            if not all(model.feasible(grid, _train_classes(part, truth)) for part in parts):
                continue
            each = [_one_fold(features, truth, part, model, grid, models=models, seed=seed) for part in parts]
            rows.append({"model": name, "title": model.title, "n_candidates": len(grid)} | _summary(each))
    table = pd.DataFrame(rows)[["model", "title", "n_folds", "n_candidates", *SCORES, *TIMES]]
    return table.sort_values("accuracy", ascending=False, kind="stable", ignore_index=True)


def _train_classes(rows: pd.DataFrame, truth: pd.Series) -> np.ndarray:
    """Class of each clean training clip of a fold."""
    return truth.loc[rows.loc[(rows["variant"] == 0) & (rows["role"] == "train"), "clip_id"]].to_numpy()


def _summary(each: list[_Fold]) -> dict[str, float]:
    scores = pd.DataFrame([fold.scores for fold in each])
    means = {name: scores[name].mean() for name in _MEASURED}
    return means | {
        "n_folds": len(each),
        "accuracy_sd": scores["accuracy"].std(ddof=1) if len(each) > 1 else np.nan,
        "fit_s": np.mean([fold.prepare_s + fold.fit_s for fold in each]),
        "search_s": np.mean([fold.prepare_s + fold.search_s for fold in each]),
        "predict_ms": 1000 * sum(fold.predict_s for fold in each) / sum(fold.n_validation for fold in each),
    }


def _one_fold(features, truth, rows, model, grid, *, models, seed) -> _Fold:
    """Fit every grid point on train, time it, keep the one with the best validation UAR (the first of equals)."""
    clean = rows[rows["variant"] == 0]
    train, validation = (clean.loc[clean["role"] == role, "clip_id"] for role in ("train", "validation"))
    if not (len(train) and len(validation)):
        fold = rows["fold"].iloc[0]
        raise ValueError(f"Fold {fold} has {len(train)} train and {len(validation)} validation rows; needs both.")
    classes = sorted(truth.unique())
    train_y, validation_y = truth.loc[train].to_numpy(), truth.loc[validation].to_numpy()
    prepare = classical.preparation(model)
    done = _Fold(n_validation=len(validation))
    train_x, done.prepare_s = timed(prepare.fit_transform, features.rows(train.to_numpy()))
    validation_x, apply_s = timed(prepare.transform, features.rows(validation.to_numpy()))
    for params in model.feasible(grid, train_y):
        estimator = model.build(models, params, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # capped iterations, collinear columns: as meant
            _, fit_s = timed(estimator.fit, train_x, train_y)
            decided, predict_s = timed(margins, estimator, validation_x)
        done.search_s += fit_s
        scores = _scores(decided, validation_y, estimator.classes_, classes)
        if not done.scores or scores["uar"] > done.scores["uar"]:
            done.scores, done.fit_s, done.predict_s = scores, fit_s, apply_s + predict_s
    return done


def _scores(decided: np.ndarray, truth: np.ndarray, known, classes: list[str]) -> dict[str, float]:
    full = training.in_columns(decided, known, classes)
    prediction = np.asarray(classes, dtype=object)[full.argmax(axis=1)]
    scores = metrics.evaluate(truth, prediction, softmax(full, axis=1), classes=classes)
    return {name: scores[name] for name in _MEASURED}


def timed(call: Callable, *args) -> tuple[Any, float]:
    """The value of a call, and the seconds it took."""
    started = time.perf_counter()
    value = call(*args)
    return value, time.perf_counter() - started
