"""The published test lists of the five student projects, mapped to the clips that are present.

A list names test clips by the original file names; the stem decides. Every listed clip that is present is
in test once, however often it is listed; every other clip of the list's corpora and classes is in train;
a training clip that sounds the same as a test clip (equal samples) is in neither. Pass the clips *before*
duplicates are dropped: a listed clip stays, and its copy leaves train.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study.config import unknown
from ser_study.schema import CLIP_COLUMNS, check_columns
from ser_study.splits.files import check_hash
from ser_study.splits.protocols import as_table, assert_disjoint
from ser_study.splits.units import UNITS, check_disjoint, codes

MAX_NAMED = 5  # missing clips in a message


@dataclass(frozen=True)
class FixedList:
    """One published list: what it holds, and which clips it was drawn from."""

    name: str
    title: str
    file: str  # below data/folds/baselines
    corpora: tuple[str, ...]  # trained on where present
    speech_only: bool  # RAVDESS without its songs
    drops: tuple[str, ...] = ()  # canonical emotions left out
    separates: tuple[str, ...] = ("duplicate",)


LISTS: Mapping[str, FixedList] = {
    chosen.name: chosen
    for chosen in (
        FixedList("000", "RAVDESS speech and TESS, random fifth", "000_test.json", ("ravdess", "tess"), True),
        FixedList(
            "001",
            "RAVDESS speech, TESS and SAVEE without calm, stratified quarter",
            "001_test.json",
            ("ravdess", "tess", "savee"),
            True,
            drops=("calm",),
        ),
        FixedList("002", "RAVDESS speech and song, random fifth", "002_test.json", ("ravdess",), False),
        FixedList(
            "003",
            "RAVDESS speech and song, three test and three validation actors",
            "003_actors.json",
            ("ravdess",),
            False,
            separates=("duplicate", "take", "speaker"),
        ),
        # Its IEMOCAP clips are known by their place in a list only, so none of that corpus can be used.
        FixedList(
            "004",
            "TESS, CREMA-D, RAVDESS speech and JL without surprise, random fifth",
            "004_test.json",
            ("tess", "crema_d", "ravdess", "jl"),
            True,
            drops=("surprised",),
        ),
    )
}
_CORPUS = {
    "TESS": "tess",
    "RAVDESS": "ravdess",
    "CREMA-D": "crema_d",
    "JL": "jl",
    "Savee": "savee",
    "IEMOCAP": "iemocap",
}


def get_list(name: str) -> FixedList:
    """List of that name; ``ValueError`` with the known names otherwise."""
    if name not in LISTS:
        raise ValueError(unknown("list", name, LISTS))
    return LISTS[name]


def listed(name: str, *, folder: Path) -> pd.DataFrame:
    """The distinct test clips of a list.

    Parameters
    ----------
    name : "000", "001", "002" or "004" (003 lists actors, not clips)
    folder : the project's ``data/folds``

    Returns
    -------
    Table with ``corpus``, ``clip_id`` and ``times`` (how often it is listed), in listed order.
    """
    entries = _read(get_list(name), folder)
    if not isinstance(entries, list):
        raise ValueError(f"List {name!r} names actors, not clips; call fixed(clips, {name!r}, folder=…).")
    ids = pd.Series([_clip_id(entry) for entry in entries])
    counts = ids.value_counts(sort=False)
    table = pd.DataFrame({"clip_id": counts.index, "times": counts.to_numpy()})
    table.insert(0, "corpus", table["clip_id"].str.partition("/")[0])
    return table


def fixed(clips: pd.DataFrame, name: str, *, folder: Path) -> pd.DataFrame:
    """Folds of a published list: one fold of protocol ``fixed``.

    Parameters
    ----------
    clips : clips table, with duplicates; clips of other corpora, songs and classes are left unused
    name : a key of ``LISTS``
    folder : the project's ``data/folds``

    Returns
    -------
    Folds table with roles train and test, and validation where the list has it (003).

    Raises
    ------
    ValueError
        No listed corpus is present, or a corpus is present in part, so that listed clips are missing.
        A listed corpus that is absent as a whole is no error.
    """
    chosen = get_list(name)
    check_columns(clips, CLIP_COLUMNS, what="clips")
    usable = clips["corpus"].isin(chosen.corpora) & ~clips["emotion"].isin(chosen.drops)
    if chosen.speech_only:
        usable &= (clips["corpus"] != "ravdess") | (clips["channel"] == "speech")
    pool = clips[usable].sort_values("clip_id", kind="stable")
    role = _roles_by_actor(pool, chosen, folder) if name == "003" else _roles_by_clip(pool, chosen, folder)
    copies = codes(pool[UNITS["duplicate"]])
    is_copy = np.isin(copies, copies[role == "test"]) & (copies >= 0)
    role = np.where(is_copy & (role != "test"), "", role)
    is_copy = np.isin(copies, copies[role == "validation"]) & (copies >= 0)
    role = np.where(is_copy & (role == "train"), "", role)
    folds = as_table(pool["clip_id"], [role], protocol="fixed")
    assert_disjoint(folds, clips, "fixed")
    check_disjoint(
        folds, clips, name=f"fixed {name}", separates=chosen.separates, separates_validation=chosen.separates
    )
    return folds


def incomplete(clips: pd.DataFrame, name: str, *, folder: Path) -> str:
    """Why a published list cannot be used with these clips, with the names of what is missing; empty where it can."""
    try:
        fixed(clips, name, folder=folder)
    except ValueError as reason:
        return str(reason)
    return ""


def _roles_by_clip(pool: pd.DataFrame, chosen: FixedList, folder: Path) -> np.ndarray:
    wanted = listed(chosen.name, folder=folder)
    here = wanted["corpus"].isin(set(pool["corpus"]))
    missing = wanted["clip_id"][here & ~wanted["clip_id"].isin(pool["clip_id"])]
    if not here.any():
        raise ValueError(f"List {chosen.name!r} needs clips of {', '.join(chosen.corpora)}; none is present.")
    if len(missing):
        raise ValueError(
            f"{len(missing)} of {int(here.sum())} listed test clips of {chosen.name!r} are missing: "
            f"{', '.join(missing[:MAX_NAMED])}{', …' * (len(missing) > MAX_NAMED)}; complete the corpus, and pass the "
            "clips before duplicates are dropped."
        )
    return np.where(pool["clip_id"].isin(wanted["clip_id"]), "test", "train")


def _roles_by_actor(pool: pd.DataFrame, chosen: FixedList, folder: Path) -> np.ndarray:
    actors = _read(chosen, folder)
    roles = {
        f"ravdess/{actor:02d}": {"dev": "validation"}.get(part, part)
        for part, group in actors.items()
        for actor in group
    }
    missing = sorted(set(roles) - set(pool["speaker"]))
    if missing:
        raise ValueError(
            f"List {chosen.name!r} needs all 24 RAVDESS actors; {len(missing)} are missing, first {missing[0]!r}."
        )
    return pool["speaker"].map(roles).to_numpy(str)


def _read(chosen: FixedList, folder: Path) -> list[str] | dict[str, list[int]]:
    path = folder / "baselines" / chosen.file
    if not path.is_file():
        raise FileNotFoundError(
            f"The list {chosen.file} is not in {folder.name}/baselines; restore data/folds from the checkout."
        )
    check_hash(path, folder=folder)
    return json.loads(path.read_text(encoding="utf-8"))


def _clip_id(entry: str) -> str:
    """``TESS/OAF_deep_neutral.wav`` → ``tess/OAF_deep_neutral``; a bare name is RAVDESS or TESS by its form."""
    *folders, name = entry.split("/")
    stem = name.removesuffix(".wav")
    if not folders:
        return f"ravdess/{stem}" if re.fullmatch(r"[\d-]+", stem) else f"tess/{stem}"
    corpus = _CORPUS[folders[0]]
    return f"savee/{folders[1]}_{stem}" if corpus == "savee" else f"{corpus}/{stem}"
