"""One clip in several files: which of them is used; one sound in two corpora.

Conventions
-----------
A file that can be read comes before one that cannot, lossless before lossy formats, then the path decides. The first is
used; each other file is ``copied`` (the same sound), ``another format`` (lossy, and as long: decoders differ in a few
samples), ``unreadable``, or ``clash`` (another sound). What cannot be read is equal to nothing.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import pandas as pd

from ser_study.corpora.files import LOSSY

TOLERANCE = 0.25  # s; an mp3 begins and ends with up to three frames of its own


def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``corpora.scanned``, the files of each clip in order of preference."""
    columns = table.assign(unreadable=table["sha256"].isna(), loss=table["path"].map(_loss))
    order = columns.sort_values(["clip_id", "unreadable", "loss", "path"]).index
    return table.loc[order].reset_index(drop=True)


def first_files(table: pd.DataFrame) -> pd.DataFrame:
    """One row a clip: the file that is used."""
    return ordered(table).drop_duplicates("clip_id", ignore_index=True)


def others(table: pd.DataFrame) -> pd.DataFrame:
    """One row a file that is not used: ``clip_id``, ``path``, ``used`` (path of the file that is) and ``fate``."""
    table = ordered(table)
    again = table["clip_id"].duplicated()
    used = table[~again].set_index("clip_id")
    rows = [
        (file.clip_id, file.path, used.at[file.clip_id, "path"], _fate(file, used.loc[file.clip_id]))
        for file in table[again].itertuples()
    ]
    return pd.DataFrame(rows, columns=["clip_id", "path", "used", "fate"])


def one_file_a_clip(table: pd.DataFrame) -> pd.DataFrame:
    """The table with one file a clip, sorted by ``clip_id``; says what is left out.

    Raises
    ------
    ValueError
        Two files of one name hold different sounds; the message names both.
    """
    left_out = others(table)
    for clash in left_out[left_out["fate"] == "clash"].itertuples():
        raise ValueError(
            f"Two files claim the clip {clash.clip_id!r} and differ: {clash.used} and {clash.path}. "
            "Rename or delete one."
        )
    words = {"copied": "repeat another file", "another format": "hold a clip in another format"}
    for fate, what in words.items():
        if len(files := left_out[left_out["fate"] == fate]):
            first = files.iloc[0]
            warnings.warn(
                f"{len(files)} files {what} and are left out, first {first['path']} (used: {first['used']}).",
                stacklevel=2,
            )
    return first_files(table)


def between(tables: Sequence[pd.DataFrame]) -> Iterator[dict[str, Any]]:
    """Sounds that occur in two corpora, as issues of the audit for the corpus whose copy is the study's second choice.

    Parameters
    ----------
    tables : of ``corpora.scanned``, one a corpus
    """
    if len(tables) < 2:
        return
    columns = ["corpus", "clip_id", "path", "emotion", "sha256"]
    whole = pd.concat([first_files(table)[columns] for table in tables], ignore_index=True).dropna(subset="sha256")
    whole = whole[whole["sha256"].duplicated(keep=False)].assign(own=whole["corpus"] == "own")
    for _, same in whole.sort_values(["own", "clip_id"]).groupby("sha256"):
        first = same.iloc[0]
        for other in same[same["corpus"] != first["corpus"]].itertuples():
            detail = f"{other.path} ({other.emotion}) is the same sound as {first['path']} ({first['emotion']}), "
            agree = same["emotion"].nunique(dropna=False) == 1
            detail += "which is used" if agree else "and with different labels none is used"
            issue = "duplicate" if agree else "conflict"
            yield {"corpus": other.corpus, "issue": issue, "clip_id": other.clip_id, "detail": detail, "known": False}


def _loss(path: str) -> int:
    suffix = PurePosixPath(path).suffix.lower()
    return LOSSY.index(suffix) + 1 if suffix in LOSSY else 0


def _fate(file, used: pd.Series) -> str:
    if pd.isna(file.sha256):
        return "unreadable"
    if file.sha256 == used["sha256"]:
        return "copied"
    is_as_long = abs(file.duration - used["duration"]) <= TOLERANCE
    return "another format" if is_as_long and _loss(file.path) > _loss(used["path"]) else "clash"
