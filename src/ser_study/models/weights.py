"""Votes whose weights are chosen on validation rows.

Conventions
-----------
As in ``ensembles``. Weights are chosen in each fold on its validation rows and serve its test rows. Validation rows are
predicted with weights chosen on the validation rows of *other* people, of the same fold where it has some and else of
the other folds: whoever compares votes on validation rows never scores weights on the rows they were fitted on.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold

from ser_study.models.ensembles import aligned, folds, need_validation, shares, voted

STEPS = 4  # weights are multiples of 1/4
PARTS = 5  # groups of people in a fold's validation rows, each predicted with the weights of the others


def weights_on_validation(tables: Sequence[pd.DataFrame], *, steps: int = STEPS) -> pd.DataFrame:
    """Weights of a vote, chosen in each fold by the UAR of its validation rows.

    Weights are multiples of 1/``steps`` and sum to 1. Of equal UAR, the weights nearest to equal ones win.

    Returns
    -------
    One row a fold: its keys, ``w_0``, ``w_1``, … in the order of the tables, ``uar_validation``.

    Raises
    ------
    ValueError
        As ``soft_vote``; a fold has no validation rows.
    """
    first, proba, classes = aligned(tables)
    truth, tried, rows = _codes(first, classes), weight_grid(len(tables), steps), []
    for fold, places in folds(first):
        validation = places[first["role"].to_numpy()[places] == "validation"]
        need_validation(fold, validation, first, least_classes=1)
        weights, score = _best(truth[validation], proba[:, validation], tried)
        rows.append({**fold, **{f"w_{i}": w for i, w in enumerate(weights)}, "uar_validation": score})
    return pd.DataFrame(rows)


def weighted_vote(
    tables: Sequence[pd.DataFrame], *, groups: pd.Series | None = None, steps: int = STEPS, name: str = "weighted vote"
) -> pd.DataFrame:
    """Vote with the weights that do best on validation rows, which never score the weights that they chose.

    Parameters
    ----------
    tables : predictions of two members or more, with validation rows
    groups : ``clip_id`` → speaker; weights for the validation rows of a speaker come from other speakers
    steps : weights are multiples of 1/``steps``
    name : written to ``model`` and ``experiment``

    Returns
    -------
    Predictions in the order of the first table; without validation rows of folds that no other fold can serve.

    Raises
    ------
    ValueError
        As ``soft_vote``; a fold has no validation rows.
    """
    first, proba, classes = aligned(tables)
    truth, role, tried = _codes(first, classes), first["role"].to_numpy(), weight_grid(len(tables), steps)
    clip = first["clip_id"]
    unit = (clip if groups is None else clip.map(groups).fillna(clip)).to_numpy()
    share, every = shares(weights_on_validation(tables, steps=steps), first, len(tables)), folds(first)
    for fold, places in every:
        validation = places[role[places] == "validation"]
        if len(np.unique(unit[validation])) > 1:
            parts = [(validation[fit], validation[rest]) for fit, rest in _parts(unit[validation])]
        else:
            others = np.concatenate([rows for other, rows in every if _is_beside(other, fold)] or [places[:0]])
            others = others[(role[others] == "validation") & ~np.isin(unit[others], unit[validation])]
            parts = [(others, validation)]
        for fit, rest in parts:
            share[rest] = _best(truth[fit], proba[:, fit], tried)[0] if len(fit) else np.nan
    return voted(first, proba, classes, share, tables, name)


def _parts(unit: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Places to choose weights on and places to use them on, by groups of people."""
    return GroupKFold(min(PARTS, len(np.unique(unit)))).split(unit, groups=unit)


def _is_beside(other: dict, fold: dict) -> bool:
    """Whether two folds differ in nothing but their number."""
    return other != fold and all(other[key] == fold[key] for key in fold if key != "fold")


def _codes(first: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    return pd.Index(classes).get_indexer(first["truth"].to_numpy())


def _best(truth: np.ndarray, proba: np.ndarray, tried: np.ndarray) -> tuple[np.ndarray, float]:
    """The weights of the highest UAR, the first of equal ones, and that UAR."""
    scores = [_uar(truth, np.tensordot(weights, proba, axes=1).argmax(axis=1)) for weights in tried]
    best = int(np.argmax(scores))
    return tried[best], scores[best]


def _uar(truth: np.ndarray, prediction: np.ndarray) -> float:
    return float(np.mean([np.mean(prediction[truth == code] == code) for code in np.unique(truth)]))


def weight_grid(n_members: int, steps: int) -> np.ndarray:
    """All weights in multiples of 1/steps that sum to 1, those nearest to equal ones first."""
    counts = itertools.product(range(steps + 1), repeat=n_members)
    grid = np.array([count for count in counts if sum(count) == steps]) / steps
    return grid[np.argsort(((grid - 1 / n_members) ** 2).sum(axis=1).round(9), kind="stable")]
