"""Clips → folds: the protocols, what each separates, and the check that runs whenever folds are made.

Conventions
-----------
Folds are numbered from 1. Within a repeat every clip is in test exactly once (fixed lists and a single
cross-corpus target apart). A clip that a fold does not use is absent from that fold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser_study.config import Config, unknown
from ser_study.schema import CLIP_COLUMNS, FOLD_COLUMNS, check_columns
from ser_study.splits import makers
from ser_study.splits.units import UNITS, check_disjoint, known

_TAKE = ("duplicate", "take")  # sentence and speaker are part of a take, so those protocols separate takes too

_NO_UNIT = {
    ("savee", "sentence"): (
        "SAVEE has no sentence unit: a file number means different sentences in different emotions. "
        "Add its sentence list, or choose"
    )
}


@dataclass(frozen=True)
class Protocol:
    """A way to split: its units, what it means in words, and its maker (task → roles a fold)."""

    name: str
    title: str
    separates: tuple[str, ...]  # test against train and validation
    separates_validation: tuple[str, ...]  # train against validation, where a speaker can be spared
    needs: tuple[str, ...]  # units known for every clip, with two values or more
    explanation: str
    make: Callable[[makers.Task], list[np.ndarray]] | None  # None: read from a list, see ``fixed``


PROTOCOLS: Mapping[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        Protocol(
            "random",
            "random split",
            ("duplicate",),
            ("duplicate",),
            (),
            "Clips are split at random, stratified by class: test shares speakers, sentences and takes with training.",
            makers.random,
        ),
        Protocol(
            "take_disjoint",
            "takes kept together",
            _TAKE,
            _TAKE,
            ("take",),
            "As random, but all takes of one thing said are in the same part.",
            makers.take_disjoint,
        ),
        Protocol(
            "sentence_independent",
            "new sentences, known speakers",
            (*_TAKE, "sentence"),
            (*_TAKE, "sentence"),
            ("sentence",),
            "No test sentence is in training, but the speakers are. With two sentences there is no validation part.",
            makers.sentence,
        ),
        Protocol(
            "speaker_independent",
            "new speakers, known sentences",
            (*_TAKE, "speaker"),
            (*_TAKE, "speaker"),
            ("speaker",),
            "No test speaker is in training, but the sentences are. "
            "With two speakers validation holds other sentences of the training speaker.",
            makers.speaker,
        ),
        Protocol(
            "speaker_and_sentence",
            "new speakers and new sentences",
            (*_TAKE, "sentence", "speaker"),
            (*_TAKE, "sentence", "speaker"),
            ("sentence", "speaker"),
            "Neither the speaker nor the sentence of a test clip is in training; clips that share one are unused.",
            makers.speaker_and_sentence,
        ),
        Protocol(
            "leave_one_speaker_out",
            "one speaker left out",
            (*_TAKE, "speaker"),
            (*_TAKE, "speaker"),
            ("speaker",),
            "As new speakers, one at a time, so that more speakers remain for training.",
            makers.leave_one_out,
        ),
        Protocol(
            "cross_corpus",
            "another corpus",
            tuple(UNITS),
            (*_TAKE, "speaker"),
            ("corpus",),
            "Trained on other corpora, with other speakers, sentences and rooms. Validation clips are from these.",
            makers.cross_corpus,
        ),
        Protocol(
            "fixed",
            "a published list",
            ("duplicate",),
            ("duplicate",),
            (),
            "The exact test clips of a student project, whatever they share with its training clips.",
            None,
        ),
    )
}


def get(name: str) -> Protocol:
    """Protocol of that name; ``ValueError`` with the known names otherwise."""
    if name not in PROTOCOLS:
        raise ValueError(unknown("protocol", name, PROTOCOLS))
    return PROTOCOLS[name]


def make(
    clips: pd.DataFrame, protocol: str, *, classes: pd.Series, config: Config, repeat: int = 0, target: str = ""
) -> pd.DataFrame:
    """Folds of a protocol.

    Parameters
    ----------
    clips : clips table of one selection, without duplicates and silent clips; order does not matter
    protocol : a key of ``PROTOCOLS``, but not ``"fixed"``
    classes : class of each clip, indexed like ``clips``
    config : settings; the seed decides what is random
    repeat : 0, 1, …; draws random parts anew and rotates validation
    target : cross-corpus only: the one corpus to test on (empty: each in turn)

    Returns
    -------
    Folds table, sorted by fold and clip.

    Raises
    ------
    ValueError
        A unit that the protocol needs is unknown or has one value only, a clip has no class,
        a fold has nothing to train on, or roles share a declared unit.
    """
    chosen = get(protocol)
    if chosen.make is None:
        raise ValueError("'fixed' folds come from a list: call fixed(clips, name, folder=…).")
    _check(clips, classes, chosen, target)
    order = np.argsort(clips["clip_id"].to_numpy(str), kind="stable")
    task = makers.Task(clips.iloc[order], classes.iloc[order], config, repeat, target)
    folds = as_table(task.clips["clip_id"], chosen.make(task), protocol=protocol, repeat=repeat)
    assert_disjoint(folds, clips, protocol)
    return folds


def as_table(clip_ids: pd.Series, roles: Sequence[np.ndarray], *, protocol: str, repeat: int = 0) -> pd.DataFrame:
    """Roles of every clip in every fold → folds table.

    Parameters
    ----------
    clip_ids : shape (n,)
    roles : one array of shape (n,) a fold, "" where a clip is unused

    Raises
    ------
    ValueError
        A fold has no test or no training clip.
    """
    ids, frames = clip_ids.to_numpy(str), []
    for fold, role in enumerate(roles, start=1):
        role = np.asarray(role, dtype=str)
        for needed in ("train", "test"):
            if not (role == needed).any():
                raise ValueError(
                    f"Fold {fold} of {protocol!r} has no {needed} clip; it needs more clips or another protocol."
                )
        used = role != ""
        head = {"protocol": protocol, "repeat": repeat, "fold": fold, "clip_id": ids[used], "variant": 0}
        frames.append(pd.DataFrame(head | {"role": role[used]}))
    return pd.concat(frames, ignore_index=True)[list(FOLD_COLUMNS)]


def assert_disjoint(folds: pd.DataFrame, clips: pd.DataFrame, protocol: str) -> None:
    """Check that the roles of each fold are disjoint in the units that the protocol declares.

    Raises
    ------
    ValueError
        Naming fold, unit, value and the two roles, as in
        ``Fold 3 of 'speaker_independent' has speaker ravdess/07 in train and test.``
    """
    chosen = get(protocol)
    check_disjoint(
        folds, clips, name=protocol, separates=chosen.separates, separates_validation=chosen.separates_validation
    )


def lacks(clips: pd.DataFrame, chosen: Protocol) -> str:
    """Why these clips do not allow the protocol; empty when they do."""
    for unit in chosen.needs:
        values = clips[UNITS[unit]]
        missing = int((~known(values)).sum())
        corpora = ", ".join(sorted(clips["corpus"].unique()))
        if missing:
            own = f"Fill in the column {UNITS[unit]!r}, or choose" if "own" in corpora else "Choose"
            return (
                f"{chosen.name!r} needs the {unit} of each clip; {missing} of {len(clips)} of {corpora} have none. "
                f"{_NO_UNIT.get((corpora, unit), own)} another protocol."
            )
        if values.nunique() < 2:
            return f"{chosen.name!r} needs two values of {unit} or more; {corpora} has {values.nunique()}."
        if (corpora, unit) == ("iemocap", "sentence"):
            return "IEMOCAP has no sentence folds: its unit is the script, and half of it is improvised."
    return ""


def _check(clips: pd.DataFrame, classes: pd.Series, chosen: Protocol, target: str) -> None:
    if not len(clips):
        raise ValueError(f"No clips to split by {chosen.name!r}.")
    check_columns(clips, CLIP_COLUMNS, what="clips")
    if len(classes) != len(clips) or not classes.index.equals(clips.index):
        raise ValueError(f"{len(classes)} classes for {len(clips)} clips; pass a Series indexed like the clips table.")
    if classes.isna().any():
        raise ValueError(
            f"{int(classes.isna().sum())} of {len(clips)} clips have no class; leave them out before splitting."
        )
    problem = lacks(clips, chosen)
    if problem:
        raise ValueError(problem)
    if target and target not in set(clips["corpus"]):
        raise ValueError(f"No clips of the target corpus {target!r}; found {', '.join(sorted(set(clips['corpus'])))}.")
