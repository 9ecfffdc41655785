"""Fit a model on the folds of a protocol → predictions.

In each fold the hyperparameters are chosen on the validation rows by UAR with a model fitted on the train
rows alone; the chosen model is then fitted on train and validation together and predicts the test rows once.
Where a protocol leaves no validation rows, the hyperparameters come from outside and the fold chooses nothing.

A network is trained on the train rows, stopped by its loss on the validation rows, and predicts validation and test
with the weights of its best epoch; it is not fitted again. Where there are no validation rows, a share of the
training clips is watched and not trained on.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits

from ser_study.config import Models, Training
from ser_study.evaluation import metrics
from ser_study.models import classical, deep, registry
from ser_study.schema import FeatureSet, probability_columns

FoldCache = Callable[[str, Callable[[], pd.DataFrame]], pd.DataFrame]


@dataclass(frozen=True)
class Task:
    """What is fitted on every fold."""

    model: str
    params: Mapping[str, Any] | None = None  # given hyperparameters; None: choose them on the validation rows
    keep_validation: bool = True  # also predict the validation rows, by the model that has not seen them
    build: Callable[..., Any] | None = None  # (models, params, seed) → a network that is in no registry


def run_folds(
    features: FeatureSet,
    truth: pd.Series,
    folds: pd.DataFrame,
    task: Task,
    *,
    models: Models,
    seed: int,
    training: Training | None = None,
    fold_cache: FoldCache | None = None,
) -> pd.DataFrame:
    """Predictions of every fold.

    Parameters
    ----------
    features : vectors (n, d), for networks also sequences or images; augmented rows (variant > 0) are only
        ever used for training
    truth : class of each clip, indexed by ``clip_id``
    folds : folds table of one protocol
    task : model and hyperparameters
    models : settings of the models
    seed : for the estimators
    training : settings of networks; None: their defaults
    fold_cache : for networks: ``fold_cache("0-3", make)`` returns the cached predictions of repeat 0, fold 3, or
        calls ``make()`` and caches them, so that no finished fold is trained again

    Returns
    -------
    Table with ``repeat, fold, role, clip_id, variant, truth, prediction, n_train, params, p_<class>…``;
    one row a validation or test clip of a fold. ``params`` of a network also holds the history of its training.
    """
    frames = []
    classes = tuple(sorted(truth.dropna().unique()))
    is_deep = task.build is not None or registry.get(task.model).family == "deep"
    one_fold = partial(_deep_fold, training=training or Training()) if is_deep else _one_fold
    with nullcontext() if is_deep else threadpool_limits(1):  # results must not depend on the number of threads
        for (repeat, fold), rows in folds.groupby(["repeat", "fold"], sort=True):
            make = partial(one_fold, features, truth, rows, task, models=models, seed=seed, classes=classes)
            make = partial(_numbered, make, repeat=repeat, fold=fold)
            frames.append(fold_cache(f"{repeat}-{fold}", make) if fold_cache and is_deep else make())
    return pd.concat(frames, ignore_index=True)


def _numbered(make: Callable[[], list[pd.DataFrame]], *, repeat: int, fold: int) -> pd.DataFrame:
    """Predictions of one fold with its numbers."""
    return pd.concat([part.assign(repeat=repeat, fold=fold) for part in make()], ignore_index=True)


def _one_fold(features, truth, rows, task, *, models, seed, classes) -> list[pd.DataFrame]:
    train, validation, test = _blocks(features, truth, rows)
    model = registry.get(task.model)
    params = task.params if task.params is not None else model.fixed(models)
    scale, frames = 1.0, []
    choose = task.params is None and validation is not None
    if validation is not None and (choose or task.keep_validation):
        grid = model.grid(models) if choose else [params]
        params, scale, decided = _best(model, grid, train, validation, models=models, seed=seed, classes=classes)
        if task.keep_validation:
            frames.append(_table(decided * scale, classes, validation, "validation", len(train.truth), params))
    everything = train if validation is None else _joined(train, validation)
    (decided,) = _decide(model, [params], everything, test.values, models=models, seed=seed, classes=classes)
    return [*frames, _table(decided * scale, classes, test, "test", len(everything.truth), params)]


def _deep_fold(features, truth, rows, task, *, models, seed, classes, training: Training) -> list[pd.DataFrame]:
    """One network for validation and test; its probabilities are not rescaled."""
    train, validation, test = _blocks(features, truth, rows)
    watched = validation
    if validation is None and training.validation_share:
        train, watched = _set_aside(train, training.validation_share, seed)
    build = task.build or registry.get(task.model).build
    estimator = build(models, task.params or {}, seed).set_params(training=training)
    pair = None if watched is None else (watched.values, watched.truth)
    estimator.fit(train.values, train.truth, validation=pair)
    summary, frames = estimator.summary(), []
    for block, role in ((validation, "validation"), (test, "test")):
        if block is not None and (role == "test" or task.keep_validation):
            decided = in_columns(classical.margins(estimator, block.values), estimator.classes_, classes)
            frames.append(_table(decided, classes, block, role, len(train.truth), summary))
    estimator.release()
    return frames


@dataclass(frozen=True)
class _Block:
    """Values and truth of the rows of one role."""

    rows: pd.DataFrame
    values: np.ndarray
    truth: np.ndarray


def _blocks(features: FeatureSet, truth: pd.Series, rows: pd.DataFrame) -> list[_Block | None]:
    """Train, validation and test rows of one fold."""
    part = dict(iter(rows.groupby("role")))
    return [_block(features, truth, part.get(role)) for role in ("train", "validation", "test")]


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


def _set_aside(train: _Block, share: float, seed: int) -> tuple[_Block, _Block]:
    """Training rows without some clips, and those clips as recorded; their augmented copies are unused."""
    clips, variant = train.rows["clip_id"].to_numpy(), train.rows["variant"].to_numpy()
    out = deep.held_out(train.truth, clips, share, seed)
    clean = out & (variant == 0)
    return _taken(train, ~out), _taken(train, clean if clean.any() else out)


def _taken(block: _Block, mask: np.ndarray) -> _Block:
    return _Block(block.rows[mask], block.values[mask], block.truth[mask])


def _best(model, grid, train, validation, *, models, seed, classes) -> tuple[dict, float, np.ndarray]:
    """Hyperparameters with the best validation UAR (the first of equals), probability scale, validation margins."""
    best, grid = None, model.feasible(grid, train.truth)
    if not grid:
        rarest = np.unique(train.truth, return_counts=True)[1].min()
        raise ValueError(
            f"{len(train.truth)} training clips, {rarest} of the rarest class, are too few for {model.title}; leave "
            "the model out with --set benchmark.models=…, or add clips."
        )
    tried = _decide(model, grid, train, validation.values, models=models, seed=seed, classes=classes)
    for params, decided in zip(grid, tried):
        prediction = np.asarray(classes)[decided.argmax(axis=1)]
        score = float(metrics.uar(metrics.confusion(validation.truth, prediction, classes)))
        if best is None or score > best[0]:
            best = (score, params, decided)
    _, params, decided = best
    # probabilities of a logistic model or a forest are kept; margins of an SVM need a scale
    scale = _temperature(decided, validation.truth, classes) if model.margins else 1.0
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
        yield in_columns(decided, estimator.classes_, classes)


def in_columns(decided: np.ndarray, known: np.ndarray, classes) -> np.ndarray:
    """Margins in the columns of all classes; a class absent from training is never predicted.

    Parameters
    ----------
    decided : (n, k)
    known : the k classes that the model has seen, sorted
    classes : all of them, sorted

    Returns
    -------
    array, shape (n, len(classes))
    """
    full = np.full((len(decided), len(classes)), decided.min() - 30.0)
    full[:, np.searchsorted(classes, known)] = decided
    return full


def _temperature(decided: np.ndarray, truth: np.ndarray, classes) -> float:
    """Scale of the margins that gives the smallest log loss on the validation rows."""
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
