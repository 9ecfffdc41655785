"""Inner folds: the training part of an outer fold, dealt into train and validation once more.

``inner_folds`` deals by a unit that the caller names, ``inner_masks`` by the rule of the outer protocol: what is chosen
for new speakers is chosen on speakers that the fitted models have not seen.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ser_study.schema import FOLD_COLUMNS
from ser_study.splits import protocols
from ser_study.splits.units import UNITS, deal, groups, inner_unit, known

Masks = tuple[np.ndarray, np.ndarray]


def inner_folds(
    clips: pd.DataFrame,
    truth: pd.Series,
    train_ids: Sequence[str],
    *,
    by: str = "speaker",
    n: int,
    rng: np.random.Generator,
    variants: Sequence[int] = (0,),
) -> pd.DataFrame:
    """Folds inside a training part; every clip is validation once.

    Parameters
    ----------
    clips : clips table that holds at least ``train_ids``
    truth : class of each clip, indexed by ``clip_id``; clips without one are left out
    train_ids : clips of the training part; no other clip occurs in the result
    by : what stays on one side: "clip" (a clip with its copies and augmented variants; random inner folds,
        stratified by class), or a unit: "speaker", "sentence", "take"
    n : number of folds; fewer where there are fewer groups
    rng : random stream that deals the groups
    variants : rows of each training clip (0 = clean); validation rows are always the clean ones

    Returns
    -------
    Folds table of protocol ``inner_<by>`` with roles train and validation, folds from 1.

    Raises
    ------
    ValueError
        ``by`` is unknown, a training clip is absent, its unit is unknown, or all clips are one group.
    """
    if by != "clip" and by not in UNITS:
        raise ValueError(f"Unknown unit {by!r} for inner folds; known: clip, {', '.join(UNITS)}.")
    pool = _pool(clips, truth, train_ids)
    units = ("duplicate",) if by == "clip" else tuple(dict.fromkeys(("duplicate", by)))
    if by != "clip" and not known(pool[UNITS[by]]).all():
        missing = int((~known(pool[UNITS[by]])).sum())
        raise ValueError(f"Inner folds by {by}: {missing} of {len(pool)} clips have no {by}; use by='clip'.")
    group = groups(pool, units)
    if group.max() == 0:
        raise ValueError(f"Inner folds by {by}: all {len(pool)} clips share one {by}; use another unit.")
    part = _dealt(pool, truth.loc[pool["clip_id"]].to_numpy(), group, by, min(n, int(group.max()) + 1), rng)
    folds = _table(pool["clip_id"].to_numpy(object), part, by, variants)
    _check_apart(folds, pd.Series(group, index=pool["clip_id"].to_numpy()), by)
    return folds


def inner_masks(
    clips: pd.DataFrame, classes: np.ndarray, protocol: str, *, n: int, rng: np.random.Generator
) -> list[Masks]:
    """Inner folds of a training part by the rule of its protocol.

    Speakers and sentences stay on one side where the protocol separates them and there are two or more; of both, each
    inner fold validates on some speakers' clips of some sentences and trains on neither. Where the unit of the protocol
    has one value left (one actress, one statement), takes or, failing these, clips are dealt.

    Parameters
    ----------
    clips : clips table of the training part, (m,) rows
    classes : class of each clip, (m,)
    protocol : a key of ``splits.PROTOCOLS``
    n : number of inner folds; fewer where there are fewer groups
    rng : random stream that deals the groups

    Returns
    -------
    Train mask and validation mask, bool (m,) each, of every inner fold whose training clips have two classes or more.
    """
    parts = [_parts(clips, classes, units, n, rng) for units in _inner_units(clips, protocol)]
    n_folds = min(int(part.max()) + 1 for part in parts)
    masks = []
    for fold in range(n_folds):
        train = np.logical_and.reduce([part % n_folds != fold for part in parts])
        validation = np.logical_and.reduce([part % n_folds == fold for part in parts])
        if validation.any() and len(np.unique(classes[train])) > 1:
            masks.append((train, validation))
    return masks


def _inner_units(clips: pd.DataFrame, protocol: str) -> list[tuple[str, ...]]:
    """Units by which the parts are dealt: one list of units, or two that are crossed."""
    separates = protocols.get(protocol).separates
    if "corpus" in separates and clips["corpus"].nunique() > 1:
        return [("duplicate", "corpus")]
    separated = ("speaker",) if "corpus" in separates else ("speaker", "sentence")
    units = [unit for unit in separated if unit in separates]
    able = [unit for unit in units if known(clips[UNITS[unit]]).all() and clips[UNITS[unit]].nunique() > 1]
    if able:
        return [("duplicate", "take", unit) for unit in able]
    if units:
        return [tuple(dict.fromkeys(("duplicate", inner_unit(clips))))]
    return [tuple(unit for unit in separates if unit in ("duplicate", "take"))]


def _parts(clips: pd.DataFrame, classes, units: tuple[str, ...], n: int, rng: np.random.Generator) -> np.ndarray:
    """Part of each clip, int from 0, shape (m,)."""
    group = groups(clips, units)
    return _dealt(clips, classes, group, units[-1], min(n, int(group.max()) + 1), rng)


def _pool(clips: pd.DataFrame, truth: pd.Series, train_ids: Sequence[str]) -> pd.DataFrame:
    wanted = pd.Index(train_ids)
    absent = wanted.difference(clips["clip_id"])
    if len(absent):
        raise ValueError(f"{len(absent)} of {len(wanted)} training clips are not in the table, first {absent[0]!r}.")
    wanted = wanted.intersection(truth.dropna().index)
    if not len(wanted):
        raise ValueError("No training clip has a class; check the label scheme.")
    pool = clips[clips["clip_id"].isin(wanted)]
    return pool.sort_values("clip_id", kind="stable").reset_index(drop=True)


def _dealt(pool, classes, group: np.ndarray, by: str, n: int, rng: np.random.Generator) -> np.ndarray:
    """Part of each clip; parts are alike in class (by clip) or in corpus and gender (by speaker)."""
    _, first, size = np.unique(group, return_index=True, return_counts=True)
    if by == "speaker":
        strata = (pool["corpus"] + "/" + pool["gender"].fillna("unknown")).to_numpy()
    elif by == "sentence":
        strata = pool["corpus"].to_numpy()
    else:
        strata = classes
    return deal(strata[first], n_parts=n, rng=rng, sizes=size)[group]


def _table(ids: np.ndarray, part: np.ndarray, by: str, variants: Sequence[int]) -> pd.DataFrame:
    frames = []
    for fold in range(part.max() + 1):
        head = {"protocol": f"inner_{by}", "repeat": 0, "fold": fold + 1}
        for variant in variants:
            frames.append(pd.DataFrame({**head, "clip_id": ids[part != fold], "variant": variant, "role": "train"}))
        frames.append(pd.DataFrame({**head, "clip_id": ids[part == fold], "variant": 0, "role": "validation"}))
    return pd.concat(frames, ignore_index=True)[list(FOLD_COLUMNS)]


def _check_apart(folds: pd.DataFrame, group: pd.Series, by: str) -> None:
    """Raise ``ValueError`` where a group has rows in both roles of one fold, or a role is empty."""
    for fold, rows in folds.groupby("fold"):
        inside = {role: set(group.loc[part["clip_id"]]) for role, part in rows.groupby("role")}
        shared = inside.get("train", set()) & inside.get("validation", set())
        if shared or len(inside) != 2:
            what = f"{len(shared)} groups in both roles" if shared else "only one role"
            raise ValueError(f"Inner fold {fold} by {by} has {what}; this is a bug, please report it.")
