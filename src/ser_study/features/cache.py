"""Feature values on disk, by content hash: one block a feature and corpus, and parts while it grows.

A block is one Parquet file with a key column and one fixed-size list column; sorted by key, so the
same clips give the same bytes however often the extraction was interrupted.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ser_study import config as settings
from ser_study.store import replacing, write_json

BLOCK = "block.parquet"


@dataclass(frozen=True)
class Block:
    """``values[i]`` belongs to the clip whose samples hash to ``keys[i]``."""

    keys: np.ndarray  # (n,) str
    values: np.ndarray  # (n, …) float32, or float16 where half the space is worth it
    columns: tuple[str, ...]


def read(folder: Path) -> Block | None:
    """Everything kept in a folder; None when nothing is. A damaged file is removed and made again."""
    blocks = [block for block in map(_read_file, sorted(folder.glob("*.parquet"))) if block is not None]
    if not blocks:
        return None
    keys = np.concatenate([block.keys for block in blocks])
    values = blocks[0].values if len(blocks) == 1 else np.concatenate([block.values for block in blocks])
    first = np.sort(np.unique(keys, return_index=True)[1])
    return (
        Block(keys[first], values[first], blocks[0].columns)
        if len(first) < len(keys)
        else Block(keys, values, blocks[0].columns)
    )


def is_merged(folder: Path) -> bool:
    """Whether there is one block and no part; else an extraction runs, or was killed."""
    return [path.name for path in folder.glob("*.parquet")] == [BLOCK]


def forget(folder: Path, *, before: float) -> None:
    """Drop what was kept before a time (s since 1970)."""
    for path in folder.glob("*.parquet"):
        if path.stat().st_mtime < before:
            path.unlink()


def append(folder: Path, block: Block) -> None:
    """Keep some more clips."""
    _write_file(folder / f"part-{settings.fingerprint(sorted(block.keys))[:16]}.parquet", block)


def consolidate(folder: Path, *, about: Mapping[str, Any]) -> Block:
    """Merge all parts into one block, sorted by key, and drop the parts.

    Raises
    ------
    RuntimeError
        Nothing is kept: every clip failed.
    """
    block = read(folder)
    if block is None:
        raise RuntimeError(f"Not one clip gave features ({folder.parent.name}); see the reasons above.")
    if not is_merged(folder):
        order = np.argsort(block.keys)
        block = Block(block.keys[order], block.values[order], block.columns)
        _write_file(folder / BLOCK, block)
        write_json(folder / "block.json", {**about, "clips": len(block.keys)})
        for part in folder.glob("part-*.parquet"):
            part.unlink()
    return block


def _read_file(path: Path) -> Block | None:
    try:
        table = pq.read_table(path, page_checksum_verification=True)
        about = json.loads((table.schema.metadata or {})[b"ser_study"])
        if about.pop("check", None) not in (None, settings.fingerprint(about)):  # Parquet checks only its pages
            raise ValueError("its column names were changed")
        flat = table["values"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        values = flat.reshape(len(table), *about["shape"])
        return Block(table["key"].to_numpy(zero_copy_only=False), values, tuple(about["columns"]))
    except FileNotFoundError:  # another run has merged this part into the block
        return None
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        print(f"{path.name} is damaged ({error}); removed, its clips are extracted again.", file=sys.stderr)
        path.unlink(missing_ok=True)
        return None


def _write_file(path: Path, block: Block) -> None:
    shape = block.values.shape[1:]
    kind = np.float16 if block.values.dtype == np.float16 else np.float32
    flat = pa.array(np.ascontiguousarray(block.values, dtype=kind).reshape(-1))
    about = {"shape": list(shape), "columns": list(block.columns)}
    about = json.dumps({**about, "check": settings.fingerprint(about)})
    table = pa.table(
        {"key": pa.array(list(block.keys)), "values": pa.FixedSizeListArray.from_arrays(flat, int(np.prod(shape)))}
    ).replace_schema_metadata({"ser_study": about})
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)
