"""Fit a model on the folds of a protocol → predictions.

In each fold the hyperparameters are chosen by inner folds over everything that is not test (train and validation rows
together), by the UAR of all their validation rows; the chosen model is then fitted on all of it and predicts the test
rows once. Its validation predictions are those of the inner folds. Where no inner folds are given, the validation rows
of the fold are the only ones; where there are none either, the fold chooses nothing.

A network is trained on the train rows, stopped by its loss on the validation rows, and predicts validation and test
with the weights of its best epoch; it is not fitted again. Where there are no validation rows, a share of the
training clips is watched and not trained on.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from sklearn.exceptions import ConvergenceWarning

from ser_study.config import Models, Training
from ser_study.evaluation import metrics
from ser_study.models import classical, deep, registry
from ser_study.models.linear_head import probabilities
from ser_study.models.model import margins
from ser_study.parallel import single_threaded
from ser_study.schema import FeatureSet, probability_columns

FoldCache = Callable[[str, Callable[..., pd.DataFrame]], pd.DataFrame]
InnerFolds = Callable[[np.ndarray], list[tuple[np.ndarray, np.ndarray]]]


@dataclass(frozen=True)
class Task:
    """What is fitted on every fold."""

    model: str
    params: Mapping[str, Any] | None = None  # given hyperparameters; None: choose them inside the fold
    keep_validation: bool = True  # also predict the validation rows, by models that have not seen them
    build: Callable[..., Any] | None = None  # (models, params, seed) → a network that is in no registry
    leak: str = ""  # "scale_on_all" or "select_on_test", of classical models: declared mistakes, to see what they cost


def run_folds(
    features: FeatureSet,
    truth: pd.Series,
    folds: pd.DataFrame,
    task: Task,
    *,
    models: Models,
    seed: int,
    inner: InnerFolds | None = None,
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
    inner : for classical models: ``inner(clip_ids)`` gives train and validation masks of inner folds over the clips
        (n,) that are not test; None: the fold's own train and validation rows are the only inner fold
    training : settings of networks; None: their defaults
    fold_cache : for networks: ``fold_cache("0-3", make)`` returns the cached predictions of repeat 0, fold 3, or
        calls ``make(state_file=…)`` and caches them, so that no finished fold is trained again and a long training of
        a registered network goes on where it stood

    Returns
    -------
    Table with ``repeat, fold, role, clip_id, variant, truth, prediction, n_train, params, p_<class>…``;
    one row a validation or test clip of a fold. ``params`` of a network also holds the history of its training.
    """
    frames = []
    classes = tuple(sorted(truth.dropna().unique()))
    is_deep = task.build is not None or registry.get(task.model).family == "deep"
    one_fold = partial(_deep_fold, training=training or Training()) if is_deep else partial(_one_fold, inner=inner)
    with nullcontext() if is_deep else single_threaded():  # results must not depend on the number of threads
        for (repeat, fold), rows in folds.groupby(["repeat", "fold"], sort=True):
            make = partial(one_fold, features, truth, rows, task, models=models, seed=seed, classes=classes)
            make = partial(_numbered, make, repeat=repeat, fold=fold)
            frames.append(fold_cache(f"{repeat}-{fold}", make) if fold_cache and is_deep else make())
    return pd.concat(frames, ignore_index=True)


def _numbered(make: Callable[..., list[pd.DataFrame]], *, repeat: int, fold: int, **options: Any) -> pd.DataFrame:
    """Predictions of one fold with its numbers."""
    return pd.concat([part.assign(repeat=repeat, fold=fold) for part in make(**options)], ignore_index=True)


def _one_fold(features, truth, rows, task, *, models, seed, classes, inner) -> list[pd.DataFrame]:
    train, validation, test = blocks_of(features, truth, rows)
    everything = train if validation is None else joined(train, validation)
    model = registry.get(task.model)
    grid = [task.params] if task.params is not None else model.grid(models)
    options = {"models": models, "seed": seed, "classes": classes}
    if task.leak == "select_on_test":
        params, scale, (decided,) = best_point(model, grid, [(everything, test)], **options)
        return [as_table(decided * scale, classes, test, "test", len(everything.truth), params)]
    pairs = inner_pairs(everything, len(train.truth), inner) if task.params is None or task.keep_validation else []
    if not pairs:
        params, scale, frames = task.params if task.params is not None else model.fixed(models), 1.0, []
    elif len(grid) == 1 and not (task.keep_validation or model.margins):
        params, scale, frames = grid[0], 1.0, []  # nothing to choose and nothing to keep
    else:
        params, scale, decided = best_point(model, grid, pairs, **options)
        frames = [
            as_table(part * scale, classes, block, "validation", len(fitted.truth), params)
            for part, (fitted, block) in zip(decided, pairs)
            if task.keep_validation
        ]
    (decided,) = _decide(model, [params], everything, test.values, **options, leak=task.leak)
    return [*frames, as_table(decided * scale, classes, test, "test", len(everything.truth), params)]


def inner_pairs(everything: Block, n_train: int, inner: InnerFolds | None) -> list[tuple[Block, Block]]:
    """What an inner fold fits on and what it predicts, clean clips only; the first ``n_train`` rows are train rows."""
    if inner is None:
        fit = np.arange(len(everything.truth)) < n_train
        return [] if fit.all() else [(taken(everything, fit), taken(everything, ~fit))]
    clean = everything.rows["variant"].to_numpy() == 0
    masks = inner(everything.rows["clip_id"].to_numpy())
    return [(taken(everything, fit), taken(everything, rest & clean)) for fit, rest in masks]


def _deep_fold(
    features, truth, rows, task, *, models, seed, classes, training: Training, state_file: Path | None = None
) -> list[pd.DataFrame]:
    """One network for validation and test; its probabilities are not rescaled."""
    train, validation, test = blocks_of(features, truth, rows)
    watched = validation
    if validation is None and training.validation_share:
        train, watched = _set_aside(train, training.validation_share, seed)
    build = task.build or registry.get(task.model).build
    estimator = build(models, task.params or {}, seed).set_params(training=training)
    pair = None if watched is None else (watched.values, watched.truth)
    kept = {} if task.build else {"state_file": state_file}
    estimator.fit(train.values, train.truth, validation=pair, **kept)
    summary, frames = estimator.summary(), []
    for block, role in ((validation, "validation"), (test, "test")):
        if block is not None and (role == "test" or task.keep_validation):
            decided = in_columns(margins(estimator, block.values), estimator.classes_, classes)
            frames.append(as_table(decided, classes, block, role, len(train.truth), summary))
    estimator.release()
    return frames


@dataclass(frozen=True)
class Block:
    """Rows of a folds table (``clip_id`` and ``variant`` are read), their values (n, …) and classes (n,)."""

    rows: pd.DataFrame
    values: np.ndarray
    truth: np.ndarray


def blocks_of(features: FeatureSet, truth: pd.Series, rows: pd.DataFrame) -> list[Block | None]:
    """Train, validation and test rows of one fold."""
    own, role = rows[["clip_id", "variant"]], rows["role"].to_numpy()
    return [block_of(features, truth, own[role == name]) for name in ("train", "validation", "test")]


def block_of(features: FeatureSet, truth: pd.Series, rows: pd.DataFrame) -> Block | None:
    """Rows of a folds table with their values and classes; None where there are none."""
    variants, blocks = rows["variant"].to_numpy(), []
    for variant in np.unique(variants):
        group = rows[variants == variant]
        values = features.rows(group["clip_id"].to_numpy(), variant=variant)
        blocks.append(Block(group, values, truth.loc[group["clip_id"]].to_numpy()))
    return reduce(joined, blocks) if blocks else None


def joined(one: Block, other: Block) -> Block:
    """The rows of two blocks as one."""
    return Block(
        pd.concat([one.rows, other.rows]),
        np.concatenate([one.values, other.values]),
        np.concatenate([one.truth, other.truth]),
    )


def _set_aside(train: Block, share: float, seed: int) -> tuple[Block, Block]:
    """Training rows without some clips, and those clips as recorded; their augmented copies are unused."""
    clips, variant = train.rows["clip_id"].to_numpy(), train.rows["variant"].to_numpy()
    out = deep.held_out(train.truth, clips, share, seed)
    clean = out & (variant == 0)
    return taken(train, ~out), taken(train, clean if clean.any() else out)


def taken(block: Block, mask: np.ndarray) -> Block:
    """Some rows of a block."""
    return Block(block.rows[mask], block.values[mask], block.truth[mask])


def best_point(model, grid, pairs, *, models, seed, classes) -> tuple[dict, float, list[np.ndarray]]:
    """Hyperparameters with the best UAR over all validation rows (the first of equals), the scale of their
    probabilities, and their margins in each inner fold."""
    for fit, _ in pairs:
        grid = _feasible(model, grid, fit.truth)
    truth = np.concatenate([block.truth for _, block in pairs])
    options = {"models": models, "seed": seed, "classes": classes}
    tried = [_decide(model, grid, fit, block.values, **options) for fit, block in pairs]
    scores = []
    for by_fold in zip(*tried):
        prediction = np.asarray(classes)[np.concatenate(by_fold).argmax(axis=1)]
        scores.append(float(metrics.uar(metrics.confusion(truth, prediction, classes))))
    best = int(np.argmax(scores))
    decided = [by_point[best] for by_point in tried]
    # probabilities of a logistic model or a forest are kept; margins of an SVM need a scale
    scale = temperature(np.concatenate(decided), truth, classes) if model.margins else 1.0
    return grid[best], scale, decided


def _feasible(model, grid, truth: np.ndarray) -> list[dict]:
    """The points of a grid that these training rows can feed."""
    feasible = model.feasible(grid, truth)
    if not feasible:
        rarest = np.unique(truth, return_counts=True)[1].min()
        raise ValueError(
            f"{len(truth)} training clips, {rarest} of the rarest class, are too few for {model.title}; leave "
            "the model out with --set benchmark.models=…, or add clips."
        )
    return feasible


def _decide(model, grid, train, values, *, models, seed, classes, leak="") -> list[np.ndarray]:
    """Margins (n, k) of a freshly fitted model for each point of the grid, columns in the order of ``classes``."""
    inside, outside = classical.prepared(model, train.values, values, leak=leak)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # iterations are capped on purpose
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        decisions = model.decisions(models, grid, seed, inside, train.truth, outside)
        return [in_columns(decided, known, classes) for known, decided in decisions]


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


def temperature(decided: np.ndarray, truth: np.ndarray, classes: Sequence[str]) -> float:
    """Scale of the margins that gives the smallest log loss on the validation rows."""
    column = np.searchsorted(classes, truth)

    def loss(log_scale: float) -> float:
        scaled = decided * np.exp(log_scale)
        return float(np.mean(logsumexp(scaled, axis=1) - scaled[np.arange(len(truth)), column]))

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 5), method="bounded").x))


def as_table(
    decided: np.ndarray, classes: Sequence[str], block: Block, role: str, n_train: int, params: Mapping[str, Any]
) -> pd.DataFrame:
    """Predictions of the rows of a block, by margins (n, C) whose softmax is the probability of each class."""
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
    return pd.concat([head, pd.DataFrame(probabilities(decided), columns=probability_columns(classes))], axis=1)
