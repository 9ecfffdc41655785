"""Folds of an experiment: its protocol's, then what the experiment changes in them."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import corpora, splits
from ser_study.config import Config
from ser_study.experiments.benchmark import is_step
from ser_study.experiments.experiment import COPYING_LEAKS, Experiment
from ser_study.experiments.selections import BASELINE, Selection, classes_of
from ser_study.models import registry
from ser_study.store import Store

N_VARIANTS = 2  # augmented copies of a clip where they are made before the split


def shuffled(truth: pd.Series, clips: pd.DataFrame, how: str, random: np.random.Generator) -> pd.Series:
    """Labels permuted by clip within each speaker, or over all clips."""
    speaker = clips.set_index("clip_id")["speaker"].loc[truth.index]
    groups = speaker.fillna("") if how == "within_speaker" else pd.Series("", index=truth.index)
    permuted = truth.copy()
    for _, members in groups.groupby(groups.to_numpy()):
        permuted.loc[members.index] = random.permutation(truth.loc[members.index].to_numpy())
    return permuted


def has_inner_folds(experiment: Experiment) -> bool:
    """Whether hyperparameters are chosen by inner folds over everything that is not test (method §1).

    The student projects' splits keep the validation rows that they declare. So do experiments that train on other
    recordings of the training speakers, which learn from these alone, and networks, which stop by validation rows.
    """
    learns_elsewhere = experiment.sources and experiment.protocol != "cross_corpus"
    model = registry.REGISTRY.get(experiment.model)  # fine-tuned encoders are in no registry
    is_deep = model is None or model.family == "deep"
    chosen_otherwise = experiment.fixed or experiment.leak == "select_on_test" or is_deep or learns_elsewhere
    return not (chosen_otherwise or experiment.protocol in splits.BASELINE_KINDS)


def folds_of(
    experiment: Experiment, part: Selection, truth: pd.Series, config: Config, store: Store, draw: int
) -> pd.DataFrame:
    """Folds of one draw of an experiment: the protocol's, then what the experiment changes in them."""
    clips = part.clips[part.clips["clip_id"].isin(truth.index)]
    random = settings.rng(config, f"{experiment.name}/{draw}")
    if experiment.leak in COPYING_LEAKS:
        plain = dataclasses.replace(experiment, leak="")
        n_folds = protocol_folds(plain, part.name, clips, truth, config, store)["fold"].nunique()
        folds = _copied_before_split(truth, n_folds, random, augmented=experiment.leak == "augment_before_split")
    else:
        folds = protocol_folds(experiment, part.name, clips, truth, config, store, draw)
    if experiment.fixed:  # nothing is chosen, so the validation rows are trained on as well
        folds = folds.assign(role=folds["role"].replace("validation", "train"))
    if experiment.train_speakers:
        folds = _fewer_speakers(folds, clips, experiment.train_speakers, random)
    if experiment.size:
        folds = _cut(folds, truth, experiment.size, random)
    fitted_on = ("train", "validation") if has_inner_folds(experiment) else ("train",)
    return with_variants(folds, experiment.variants, fitted_on)


def with_variants(folds: pd.DataFrame, variants: tuple[int, ...], roles: tuple[str, ...] = ("train",)) -> pd.DataFrame:
    """Augmented copies join the rows that are fitted on; what is tested or chosen by stays as recorded."""
    train = folds[folds["role"].isin(roles)]
    return pd.concat([folds, *(train.assign(variant=number) for number in variants)], ignore_index=True)


def _cut(folds: pd.DataFrame, truth: pd.Series, n_clips: int, random: np.random.Generator) -> pd.DataFrame:
    """Training sets of ``n_clips`` distinct clips; the augmented copies of a clip stay or go with it."""
    clean = folds.drop_duplicates(["repeat", "fold", "clip_id", "role"])
    chosen = splits.subsample(clean.reset_index(drop=True), truth, n_clips, rng=random)
    return folds.merge(chosen[["repeat", "fold", "clip_id", "role"]], on=["repeat", "fold", "clip_id", "role"])


def protocol_folds(
    experiment: Experiment, selection: str, clips, truth, config: Config, store: Store, draw: int = 0
) -> pd.DataFrame:
    """Folds of a protocol: the committed ones where they fit, else made anew (and said so)."""
    classes = truth.loc[clips["clip_id"]].set_axis(clips.index)
    if experiment.protocol in splits.BASELINE_KINDS:
        name, folder = selection.removeprefix(BASELINE), store.project / "data" / "folds"
        return splits.rebuilt(experiment.protocol, name, clips, classes, config=config, folder=folder, draw=draw)
    if experiment.sources and experiment.protocol == "speaker_independent":
        return _from_sources(experiment, clips, classes, config)
    if experiment.sources:
        return splits.make(clips, "cross_corpus", classes=classes, config=config, target=clips["corpus"].iloc[0])
    as_committed = not (experiment.shuffle or experiment.clips) and experiment.scheme == "native"
    folds, why_not = splits.load_or_make(
        clips,
        selection=selection if as_committed else "",
        protocol=experiment.protocol,
        classes=classes,
        config=config,
        folder=store.project / "data" / "folds",
    )
    if why_not:
        warnings.warn(why_not, stacklevel=2)
    return folds


def _from_sources(experiment: Experiment, clips: pd.DataFrame, classes: pd.Series, config: Config) -> pd.DataFrame:
    """Folds of the selection by speakers; each trains on the sources' clips of its training speakers."""
    own = clips["clip_id"].isin(corpora.select(clips, experiment.selection)["clip_id"])
    folds = splits.make(clips[own], experiment.protocol, classes=classes[own], config=config)
    source_clips = pd.concat([corpora.select(clips, name)[["clip_id", "speaker"]] for name in experiment.sources])
    is_train = folds["role"] == "train"
    speaker = folds["clip_id"].map(clips.set_index("clip_id")["speaker"])
    train_speakers = folds[is_train].assign(speaker=speaker[is_train])[["protocol", "repeat", "fold", "speaker"]]
    train = train_speakers.drop_duplicates().merge(source_clips, on="speaker").assign(variant=0, role="train")
    if train.empty:
        raise ValueError(
            f"{experiment.name} has nothing to learn from: no training speaker of {experiment.selection} is in "
            f"{' or '.join(experiment.sources)}. Name sources with the same speakers."
        )
    mixed = pd.concat([folds[~is_train], train[folds.columns]], ignore_index=True)
    splits.assert_disjoint(mixed, clips, experiment.protocol)
    return mixed


def _copied_before_split(
    truth: pd.Series, n_folds: int, random: np.random.Generator, *, augmented: bool
) -> pd.DataFrame:
    """The common mistake: augment everything, or keep each clip twice, then split the rows at random. Only one clean
    row of a clip is tested."""
    copies = np.arange(1 + N_VARIANTS if augmented else 2)
    copy = np.tile(copies, len(truth))
    rows = pd.DataFrame(
        {"clip_id": np.repeat(truth.index.to_numpy(), len(copies)), "variant": copy if augmented else 0}
    )
    place = random.permutation(len(rows)) % n_folds
    folds = []
    for fold in range(n_folds):
        role = np.where(place != fold, "train", np.where(copy == 0, "test", ""))
        if (role == "test").any():  # of few rows, all that fall to a fold may be copies
            folds.append(rows.assign(fold=fold, role=role)[role != ""])
    return pd.concat(folds, ignore_index=True).assign(protocol="random", repeat=0)


def _fewer_speakers(folds: pd.DataFrame, clips: pd.DataFrame, number: int, random: np.random.Generator) -> pd.DataFrame:
    speaker = folds["clip_id"].map(clips.set_index("clip_id")["speaker"])
    parts = []
    for _, rows in folds.groupby(["repeat", "fold"], sort=True):
        inside = rows["role"] == "train"
        names = np.sort(speaker[rows.index][inside].unique())
        chosen = random.choice(names, size=min(number, len(names)), replace=False)
        parts.append(rows[~inside | speaker[rows.index].isin(chosen)])
    return pd.concat(parts, ignore_index=True)


def smallest_training(
    ladder: Iterable[Experiment], selections: Mapping[str, Selection], *, config: Config, store: Store
) -> dict[str, int]:
    """Training rows of the smallest fold of any leak-free step of the ladder, for each selection."""
    smallest: dict[str, int] = {}
    for one in ladder:
        if one.leak or not is_step(one):
            continue
        part = selections[one.selection]
        folds = folds_of(one, part, classes_of(part, one.scheme), config, store, draw=0)
        n = int(folds[folds["role"] == "train"].groupby(["repeat", "fold"]).size().min())
        smallest[one.selection] = min(n, smallest.get(one.selection, n))
    return smallest
