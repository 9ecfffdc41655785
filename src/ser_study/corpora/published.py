"""The clips of a published run: all that were found, dropped ones too, in ``clips.parquet`` beside its predictions.

Conventions
-----------
Such a run can be given as the raw data folder: its clips take the place of scanned recordings, and whatever needs
sound or features raises ``FileNotFoundError``. A clip's path is left out. Where a corpus does not allow the names of
its clips to be published (``CorpusInfo.names_published``), clips are numbered in the order of their names and the
hashes of their samples are replaced, so that order and duplicates stay as they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from ser_study import schema
from ser_study.store import CLIPS, PREDICTIONS, about, replacing

NO_AUDIO = "audio, and {} holds none: a published run has clips and predictions only. Run where the recordings are."
_LEVEL = 19  # of compression; written once a run


def is_run(folder: Path) -> bool:
    """Whether a folder is a published run."""
    return (folder / PREDICTIONS).is_file() and (folder / CLIPS).is_file()


def corpora(folder: Path) -> list[str]:
    """Corpora of a published run, in order; not the built-in one that stands beside them."""
    return sorted({*_read(folder, _stamp(folder))["corpus"].unique()} - {*about(folder / CLIPS).get("beside", ())})


def packed(folder: Path) -> list[str]:
    """Corpora whose audio the published run did not have either: their clips and features came from packs."""
    return about(folder / CLIPS)["packed"]


def clips(folder: Path, corpus: str) -> pd.DataFrame:
    """Clips of a corpus as ``corpora.load`` gives them; instead of a path, their own name.

    Raises
    ------
    ValueError
        The run holds no clip of the corpus.
    """
    table = _read(folder, _stamp(folder))
    own = table[table["corpus"] == corpus].reset_index(drop=True)
    if own.empty:
        raise ValueError(f"{folder.name} holds no clip of {corpus}; it holds {', '.join(corpora(folder))}.")
    return schema.check_clips(own.assign(path=own["clip_id"])).assign(silent=own["silent"])


def names(folder: Path) -> pd.Index:
    """Published names of all clips, in the order of the file."""
    return pd.Index(_read(folder, _stamp(folder))["clip_id"])


def write(
    tables: Iterable[pd.DataFrame],
    folder: Path,
    *,
    private: Iterable[str],
    features: Iterable[str],
    packed: Iterable[str],
    beside: Iterable[str] = (),
) -> None:
    """Write ``clips.parquet``.

    Parameters
    ----------
    tables : of ``corpora.load``, one a corpus, in order
    private : corpora whose clips are numbered instead of named
    features : features of the published predictions
    packed : corpora without audio
    beside : corpora that the run does not study, and has predictions of
    """
    whole = pd.concat(list(tables), ignore_index=True)
    hidden, public = whole["corpus"].isin(set(private)), whole.copy()
    for column in ("clip_id", "sha256"):
        numbered = _numbered(whole[column], whole["corpus"])
        public[column] = whole[column].mask(hidden & whole[column].notna(), numbered)
    facts = {"features": sorted(set(features)), "packed": sorted(set(packed)), "beside": sorted(set(beside))}
    table = pa.Table.from_pandas(public.drop(columns="path"), preserve_index=False)
    with replacing(folder / CLIPS) as temporary:
        pq.write_table(with_facts(table, facts), temporary, compression="zstd", compression_level=_LEVEL)


def numbers(tables: Iterable[pd.DataFrame]) -> dict[str, int]:
    """Clip id → its row in the file that ``write`` makes of these tables."""
    return {clip: row for row, clip in enumerate(clip for table in tables for clip in table["clip_id"])}


def with_facts(table: pa.Table, facts: Mapping) -> pa.Table:
    """A table whose file says ``facts`` of itself, see ``store.about``."""
    return table.replace_schema_metadata({**(table.schema.metadata or {}), b"ser_study": json.dumps(facts).encode()})


def _numbered(values: pd.Series, corpus: pd.Series) -> pd.Series:
    """``<corpus>/00001`` and so on: the rank of each value within its corpus; equal values stay equal."""
    rank = values.groupby(corpus).rank(method="dense").fillna(0).astype(int)
    return corpus + "/" + rank.astype(str).str.zfill(5)


def _stamp(folder: Path) -> int:
    return (folder / CLIPS).stat().st_mtime_ns


@lru_cache(maxsize=2)
def _read(folder: Path, stamp: int) -> pd.DataFrame:
    return pd.read_parquet(folder / CLIPS)
