"""Folds for rebuilding the student projects: the published list, fresh splits made the same way,
cross-validation inside the training part, and the leak-free counterparts.

Conventions
-----------
The clips come before duplicates are dropped, as for ``fixed``: a listed test clip stays and its copies leave
training. Only the leak-free protocols drop them, as the rest of the study does. Everywhere but in ``inner``
and where no sentence can be spared, part of the training clips is ``validation`` (for 003 its dev actors), by which
hyperparameters are chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedShuffleSplit

from ser_study.config import Config, rng
from ser_study.splits.fixed import LISTS, fixed
from ser_study.splits.makers import Task, cross_corpus, sentence_parts, speaker_parts
from ser_study.splits.protocols import as_table
from ser_study.splits.units import UNITS, check_disjoint, codes, deal, groups, known, pool_is_large
from ser_study.store import file_hash

N_PARTS = 5  # one is validation
STREAMS = {"validation": "seed valid", "inner": "seed inner"}  # random streams; other texts would deal other folds
BY_CLIP, BY_SPEAKER = ("duplicate",), ("duplicate", "take", "speaker")
APART: Mapping[str, tuple[str, ...]] = {  # kind → what its test shares with nothing else
    "baseline_list": BY_CLIP,
    "baseline_fresh": BY_CLIP,
    "baseline_inner": BY_CLIP,
    "baseline_sentences": ("duplicate", "take", "sentence"),
    "baseline_speakers": BY_SPEAKER,
    "baseline_corpora": tuple(UNITS),
}
KINDS = tuple(APART)


@dataclass(frozen=True)
class Recipe:
    """How a project split its clips."""

    published: str  # key of ``fixed.LISTS``: which corpora, songs and emotions
    test_share: float
    stratified: bool = False
    by_actor: int = 0  # actors in test, and as many in validation
    remade: int = 0  # seed of a split that is made here because the list is not at hand


RECIPES: Mapping[str, Recipe] = {
    "000": Recipe("000", 0.2),
    "001": Recipe("001", 0.25, stratified=True),
    "002a": Recipe("002", 0.2),
    "002b": Recipe("002", 0.2, stratified=True, remade=11),
    "003": Recipe("003", 0.125, by_actor=3),
    "004": Recipe("004", 0.2),
}


def rebuilt(
    kind: str, name: str, clips: pd.DataFrame, classes: pd.Series, *, config: Config, folder: Path, draw: int = 0
) -> pd.DataFrame:
    """Folds of a rebuilt project.

    Parameters
    ----------
    kind : ``baseline_list`` (the published test clips), ``baseline_fresh`` (a new split of the same recipe),
        ``baseline_inner`` (cross-validation inside the published training part; 003: train against dev actors),
        ``baseline_speakers`` (nobody on both sides; every speaker is tested once), ``baseline_sentences`` (no
        sentence on both sides, the same voices; clips whose sentence is unknown are left out) or
        ``baseline_corpora`` (every corpus tested once, trained on the others)
    name : a key of ``RECIPES``
    clips : clips table with duplicates and the column ``silent``
    classes : class of each clip, indexed like ``clips``; clips without one are left out
    folder : the project's ``data/folds``
    draw : which of the fresh splits

    Returns
    -------
    Folds table.

    Raises
    ------
    ValueError
        An unknown kind or project, one corpus where several are needed, listed clips that are missing, or a shared
        unit (see ``check_disjoint``).
    """
    if kind not in KINDS or name not in RECIPES:
        raise ValueError(f"No split {kind!r} of {name!r}; known: {', '.join(KINDS)} of {', '.join(RECIPES)}.")
    recipe = RECIPES[name]
    here = classes.notna().to_numpy()
    clips, classes = clips[here], classes[here]
    order = np.argsort(clips["clip_id"].to_numpy(str), kind="stable")
    task = Task(clips.iloc[order].reset_index(drop=True), classes.iloc[order].reset_index(drop=True), config, draw)
    folds = as_table(task.clips["clip_id"], _roles(kind, task, recipe, folder), protocol=kind)
    apart = BY_SPEAKER if recipe.by_actor and APART[kind] == BY_CLIP else APART[kind]
    inside = BY_SPEAKER if kind == "baseline_corpora" else apart
    check_disjoint(folds, task.clips, name=f"{kind} {name}", separates=apart, separates_validation=inside)
    return folds


def list_hash(name: str, folder: Path) -> str:
    """SHA-256 of the published list of a project; empty where the file is missing."""
    return file_hash(folder / "baselines" / LISTS[RECIPES[name].published].file)


def _roles(kind: str, task: Task, recipe: Recipe, folder: Path) -> list[np.ndarray]:
    """Role of every clip in every fold of a kind."""
    if kind == "baseline_speakers":
        return _rotation(task, recipe, folder) if recipe.by_actor else _joint(task, speaker_parts, _spares_speaker)
    if kind == "baseline_sentences":
        return _on(task, known(task.clips["statement"]), lambda part: _joint(part, sentence_parts, _spares_sentence))
    if kind == "baseline_corpora":
        return _by_corpus(task)
    if kind == "baseline_fresh":
        return [_fresh(task, recipe, task.config.seed * 100 + task.repeat)]
    role = _published(task, recipe, folder)
    return _inner(task, role, task.config.baselines.inner_folds, recipe) if kind == "baseline_inner" else [role]


def _published(task: Task, recipe: Recipe, folder: Path) -> np.ndarray:
    """Roles by the list, or by the published recipe where the list is not at hand."""
    if recipe.remade:
        return _with_validation(task, _shuffled(task, recipe, recipe.remade, n_splits=2))
    listed = fixed(task.clips, recipe.published, folder=folder).set_index("clip_id")["role"]
    role = task.clips["clip_id"].map(listed).fillna("").to_numpy(str)
    return role if recipe.by_actor else _with_validation(task, role)


def _fresh(task: Task, recipe: Recipe, seed: int) -> np.ndarray:
    if recipe.by_actor:
        actors = np.random.default_rng(seed).permutation(np.unique(task.clips["speaker"].to_numpy(str)))
        return _by_actor(task, actors[: recipe.by_actor], actors[recipe.by_actor : 2 * recipe.by_actor])
    return _with_validation(task, _shuffled(task, recipe, seed, n_splits=1))


def _shuffled(task: Task, recipe: Recipe, seed: int, *, n_splits: int) -> np.ndarray:
    """A random test part of the recipe's size; copies of test clips are in neither part."""
    n = len(task.clips)
    test = np.zeros(n, dtype=bool)
    if recipe.stratified:
        maker = StratifiedShuffleSplit(n_splits=n_splits, test_size=recipe.test_share, random_state=seed)
        test[list(maker.split(np.zeros(n), task.classes))[-1][1]] = True
    else:
        test[np.random.default_rng(seed).permutation(n)[: int(np.ceil(recipe.test_share * n))]] = True
    copies = codes(task.clips["sha256"])
    is_copy = np.isin(copies, copies[test]) & (copies >= 0)
    return np.select([test, ~is_copy], ["test", "train"], default="")


def _with_validation(task: Task, role: np.ndarray) -> np.ndarray:
    """A fifth of the training clips becomes validation, by class, copies together; the same in every draw."""
    rows = np.flatnonzero(role == "train")
    role = role.astype("<U10")
    role[rows[_dealt(task, rows, N_PARTS, STREAMS["validation"]) == 0]] = "validation"
    return role


def _dealt(task: Task, rows: np.ndarray, n_parts: int, purpose: str) -> np.ndarray:
    group = groups(task.clips.iloc[rows], BY_CLIP)
    _, first = np.unique(group, return_index=True)
    strata = task.classes.to_numpy()[rows][first]
    return deal(strata, n_parts=n_parts, rng=rng(task.config, purpose))[group]


def _inner(task: Task, role: np.ndarray, n_folds: int, recipe: Recipe) -> list[np.ndarray]:
    """Cross-validation inside the published training part; no test clip takes part."""
    if recipe.by_actor:
        return [np.where(role == "test", "", np.where(role == "validation", "test", role))]
    rows = np.flatnonzero((role == "train") | (role == "validation"))
    part = _dealt(task, rows, n_folds, STREAMS["inner"])
    folds = []
    for fold in range(n_folds):
        one = np.zeros(len(role), dtype="<U10")
        one[rows] = np.select([part == fold, part == (fold + 1) % n_folds], ["test", "validation"], default="train")
        folds.append(one)
    return folds


def _joint(task: Task, parts_of: Callable, spares: Callable) -> list[np.ndarray]:
    """Folds of several corpora at once: in fold i the i-th part (of speakers, of sentences) of every corpus is tested.

    A corpus with fewer parts is all training in the later folds. Validation is the next part of each
    corpus that can spare one.
    """
    corpus = task.clips["corpus"].to_numpy(str)
    clean = _clean(task.clips)
    part, size, spare = np.zeros(len(corpus), dtype=int), np.zeros(len(corpus), dtype=int), np.zeros(len(corpus), bool)
    for name in np.unique(corpus):
        rows = np.flatnonzero(corpus == name)
        part[rows] = parts_of(task.part(rows))
        size[rows] = part[rows].max() + 1
        spare[rows] = spares(task.clips.iloc[rows], part[rows])
    folds = []
    for fold in range(size.max()):
        test, validation = part == fold, spare & (part == (fold + 1) % size)
        folds.append(np.where(clean, np.select([test, validation], ["test", "validation"], default="train"), ""))
    return folds


def _spares_speaker(clips: pd.DataFrame, part: np.ndarray) -> bool:
    return pool_is_large(clips[part > 0])


def _spares_sentence(clips: pd.DataFrame, part: np.ndarray) -> bool:
    return part.max() > 1  # with two sentences the other one is all there is to train on


def _by_corpus(task: Task) -> list[np.ndarray]:
    """Every corpus tested once by a model of the others."""
    names = task.clips["corpus"].unique()
    if len(names) < 2:
        raise ValueError(f"Only {names[0]} is here; another corpus is needed to train on. Add one with --corpora.")
    return _on(task, _clean(task.clips), cross_corpus)


def _on(task: Task, able: np.ndarray, make: Callable) -> list[np.ndarray]:
    """Folds of some of the clips; the others have no role."""
    folds = []
    for roles in make(task.part(np.flatnonzero(able))):
        role = np.full(len(able), "", dtype="<U10")
        role[able] = roles
        folds.append(role)
    return folds


def _rotation(task: Task, recipe: Recipe, folder: Path) -> list[np.ndarray]:
    """Groups of three actors: the published test and dev actors, then the others in order; each is tested once."""
    role = fixed(task.clips, recipe.published, folder=folder).set_index("clip_id")["role"]
    known = task.clips["clip_id"].map(role).to_numpy()
    speaker = task.clips["speaker"].to_numpy(str)
    held = [np.unique(speaker[known == which]) for which in ("test", "validation")]
    others = np.setdiff1d(np.unique(speaker), np.concatenate(held))
    parts = [*held, *np.array_split(others, max(1, len(others) // recipe.by_actor))]
    clean = _clean(task.clips)
    roles = [_by_actor(task, part, parts[(i + 1) % len(parts)]) for i, part in enumerate(parts)]
    return [np.where(clean, role, "") for role in roles]


def _by_actor(task: Task, test: Sequence[str], validation: Sequence[str]) -> np.ndarray:
    speaker = task.clips["speaker"]
    return np.select([speaker.isin(test), speaker.isin(validation)], ["test", "validation"], default="train")


def _clean(clips: pd.DataFrame) -> np.ndarray:
    """Without silent clips, copies and sounds with two labels, as everywhere else in the study; bool (n,)."""
    several = clips.groupby("sha256")["emotion"].transform("nunique") > 1
    copy = clips["sha256"].duplicated() & clips["sha256"].notna()  # sorted by id, so the first one stays
    return ~(several | copy | clips["silent"].astype(bool)).to_numpy(bool)
