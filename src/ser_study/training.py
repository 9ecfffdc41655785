"""Fit a model on the folds of a protocol → predictions.

In each fold the hyperparameters are chosen on the valid rows by UAR with a model fitted on the train
rows alone; the chosen model is then fitted on train and valid together and predicts the test rows once.
Where a protocol leaves no valid rows, the hyperparameters come from outside and the fold chooses nothing.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ser_study.config import Models
from ser_study.evaluation import metrics
from ser_study.models import classical
from ser_study.schema import FeatureSet, probability_columns


@dataclass(frozen=True)
class Task:
    """What is fitted on every fold."""

    model: str
    params: Mapping[str, Any] | None = None  # given hyperparameters; None: choose them on the valid rows
    keep_valid: bool = True  # also predict the valid rows, by the model that has not seen them


def run_folds(
    features: FeatureSet, truth: pd.Series, folds: pd.DataFrame, task: Task, *, models: Models, seed: int
) -> pd.DataFrame:
    """Predictions of every fold.

    Parameters
    ----------
    features : vectors (n, d); augmented rows (variant > 0) are only ever used for training
    truth : class of each clip, indexed by ``clip_id``
    folds : folds table of one protocol
    task : model and hyperparameters
    models : settings of the models
    seed : for the estimators

    Returns
    -------
    Table with ``repeat, fold, role, clip_id, variant, truth, prediction, n_train, params, p_<class>…``;
    one row a valid or test clip of a fold.
    """
    frames = []
    classes = tuple(sorted(truth.dropna().unique()))
    with threadpool_limits(1):  # results must not depend on the number of threads
        for (repeat, fold), rows in folds.groupby(["repeat", "fold"], sort=True):
            frames += [
                part.assign(repeat=repeat, fold=fold)
                for part in _one_fold(features, truth, rows, task, models=models, seed=seed, classes=classes)
            ]
    return pd.concat(frames, ignore_index=True)


def _one_fold(features, truth, rows, task, *, models, seed, classes) -> list[pd.DataFrame]:
    part = dict(iter(rows.groupby("role")))
    train, valid, test = (_block(features, truth, part.get(role)) for role in ("train", "valid", "test"))
    model = classical.get(task.model)
    params = task.params if task.params is not None else model.fixed(models)
    scale, frames = 1.0, []
    choose = task.params is None and valid is not None
    if valid is not None and (choose or task.keep_valid):
        grid = model.grid(models) if choose else [params]
        params, scale, decided = _best(model, grid, train, valid, models=models, seed=seed, classes=classes)
        if task.keep_valid:
            frames.append(_table(decided * scale, classes, valid, "valid", len(train.truth), params))
    everything = train if valid is None else _joined(train, valid)
    (decided,) = _decide(model, [params], everything, test.values, models=models, seed=seed, classes=classes)
    return [*frames, _table(decided * scale, classes, test, "test", len(everything.truth), params)]


@dataclass(frozen=True)
class _Block:
    """Values and truth of the rows of one role."""

    rows: pd.DataFrame
    values: np.ndarray
    truth: np.ndarray


def _block(features: FeatureSet, truth: pd.Series, rows: pd.DataFrame | None) -> _Block | None:
    if rows is None or not len(rows):
        return None
    groups = [_Block(g, features.rows(g["clip_id"].to_numpy(), variant=v), truth.loc[g["clip_id"]].to_numpy())
              for v, g in rows.groupby("variant")]  # fmt: skip
    joined = groups[0]
    for group in groups[1:]:
        joined = _joined(joined, group)
    return joined


def _joined(one: _Block, other: _Block) -> _Block:
    return _Block(
        pd.concat([one.rows, other.rows]),
        np.concatenate([one.values, other.values]),
        np.concatenate([one.truth, other.truth]),
    )


def _best(model, grid, train, valid, *, models, seed, classes) -> tuple[dict, float, np.ndarray]:
    """Hyperparameters with the best valid UAR (the first of equals), probability scale, valid margins."""
    best = None
    tried = _decide(model, grid, train, valid.values, models=models, seed=seed, classes=classes)
    for params, decided in zip(grid, tried):
        prediction = np.asarray(classes)[decided.argmax(axis=1)]
        score = float(metrics.uar(metrics.confusion(valid.truth, prediction, classes)))
        if best is None or score > best[0]:
            best = (score, params, decided)
    _, params, decided = best
    # probabilities of a logistic model or a forest are kept; margins of an SVM need a scale
    scale = 1.0 if model.name != "linear_svm" else _temperature(decided, valid.truth, classes)
    return params, scale, decided


def _decide(model, grid, train, values, *, models, seed, classes) -> Iterator[np.ndarray]:
    """Margins (n, k) of a freshly fitted model for each point of the grid, columns in the order of ``classes``."""
    prepare = classical.preparation(model)
    inside, outside = prepare.fit_transform(train.values), prepare.transform(values)
    for params in grid:
        estimator = model.build(models, params, seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # iterations are capped on purpose
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            estimator.fit(inside, train.truth)
            decided = classical.margins(estimator, outside)
        full = np.full((len(values), len(classes)), decided.min() - 30.0)  # a class absent from training: never
        full[:, np.searchsorted(classes, estimator.classes_)] = decided
        yield full


def _temperature(decided: np.ndarray, truth: np.ndarray, classes) -> float:
    """Scale of the margins that gives the smallest log loss on the valid rows."""
    column = np.searchsorted(classes, truth)

    def loss(log_scale: float) -> float:
        scaled = decided * np.exp(log_scale)
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), column]))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 5), method="bounded").x))


def _table(decided, classes, block: _Block, role: str, n_train: int, params) -> pd.DataFrame:
    proba = np.exp(decided - logsumexp(decided, axis=1, keepdims=True)).astype(np.float32)
    head = pd.DataFrame(
        {
            "role": role,
            "clip_id": block.rows["clip_id"].to_numpy(),
            "variant": block.rows["variant"].to_numpy(),
            "truth": block.truth,
            "prediction": np.asarray(classes, dtype=object)[decided.argmax(axis=1)],
            "n_train": n_train,
            "params": json.dumps(dict(params)),
        }
    )
    return pd.concat([head, pd.DataFrame(proba, columns=probability_columns(classes))], axis=1)
