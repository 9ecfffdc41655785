"""Feature values on disk, by content hash: one block a feature and corpus, and parts while it grows.

A block is one Parquet file with a key column and one fixed-size list column; sorted by key, so the
same clips give the same bytes however often the extraction was interrupted. Files are merged a few megabytes at a time,
so that extraction needs no more memory for more clips.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ser_study import config as settings
from ser_study.store import replacing, write_json

BLOCK = "block.parquet"
AT_ONCE = 2 << 20  # bytes of values that are read, merged or written at a time
_DAMAGED = (OSError, ValueError, KeyError, MemoryError, pa.ArrowException)


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
    if len(blocks) == 1:
        return blocks[0]
    keys, values = (np.concatenate([getattr(block, name) for block in blocks]) for name in ("keys", "values"))
    first = np.sort(np.unique(keys, return_index=True)[1])
    return Block(keys[first], values[first], blocks[0].columns)


def is_merged(folder: Path) -> bool:
    """Whether there is one block and no part; else an extraction runs, or was killed."""
    return [path.name for path in folder.glob("*.parquet")] == [BLOCK]


def lacks(folder: Path, keys: pd.Series, *, trusted: bool = False) -> np.ndarray:
    """Which of some keys (n,) a folder does not hold, bool (n,); no values stay in memory.

    Parameters
    ----------
    trusted : read the keys only. Else everything is read, and a damaged file is removed
    """
    read_keys = _stored_keys if trusted else _checked_keys
    there = [array for path in sorted(folder.glob("*.parquet")) for array in read_keys(path)]
    inside = pc.is_in(pa.array(keys).cast(pa.string()), value_set=pa.concat_arrays([_text(()), *there]))
    return ~inside.to_numpy(zero_copy_only=False) if isinstance(inside, pa.Array) else ~inside.to_numpy()


def forget(folder: Path, *, before: float) -> None:
    """Drop what was kept before a time (s since 1970)."""
    for path in folder.glob("*.parquet"):
        if path.stat().st_mtime < before:
            path.unlink()


def append(folder: Path, block: Block) -> None:
    """Keep some more clips."""
    with replacing(folder / f"part-{settings.fingerprint(sorted(block.keys))[:16]}.parquet") as temporary:
        _write(temporary, [block])


def consolidate(folder: Path, *, about: Mapping[str, Any]) -> None:
    """Merge all parts into one block, sorted by key, and drop the parts.

    Raises
    ------
    RuntimeError
        Nothing is kept: every clip failed.
    """
    files = sorted(folder.glob("*.parquet"))
    if not files:
        raise RuntimeError(f"Not one clip gave features ({folder.parent.name}); see the reasons above.")
    if not is_merged(folder):
        with replacing(folder / BLOCK) as temporary, tempfile.TemporaryFile(dir=folder) as values:
            n_clips = _write(temporary, _merged(files, values))
        write_json(folder / "block.json", {**about, "clips": n_clips})
        for part in folder.glob("part-*.parquet"):
            part.unlink()


def _merged(files: Sequence[Path], scratch: IO[bytes]) -> Iterator[Block]:
    """Rows of several files sorted by key, the first of equals; their values lie in a file meanwhile."""
    keys = []
    for path in files:
        for block in _blocks(path):
            scratch.write(np.ascontiguousarray(block.values).data)
            keys.append(_text(block.keys))
    like, keys = block, pa.concat_arrays(keys)
    order = pc.sort_indices(keys).to_numpy()
    keys = keys.take(pa.array(order))
    is_first = np.r_[True, pc.not_equal(keys[1:], keys[:-1]).to_numpy(zero_copy_only=False)]
    if not is_first.all():
        order, keys = order[is_first], keys.filter(pa.array(is_first))
    width, n_rows = like.values[0].nbytes, _rows_at_once(like.values.shape[1:], like.values.dtype)
    for start in range(0, len(order), n_rows):
        rows = b"".join(_at(scratch, width * place, width) for place in order[start : start + n_rows].tolist())
        values = np.frombuffer(rows, like.values.dtype).reshape(-1, *like.values.shape[1:])
        yield Block(keys[start : start + n_rows].to_numpy(zero_copy_only=False), values, like.columns)


def _at(file: IO[bytes], start: int, length: int) -> bytes:
    file.seek(start)
    return file.read(length)


def _read_file(path: Path) -> Block | None:
    """A whole file; None where it is damaged, which removes it."""
    try:
        n_rows, keys, done = pq.read_metadata(path).num_rows, [], 0
        for block in _blocks(path):
            if not keys:
                values = np.empty((n_rows, *block.values.shape[1:]), block.values.dtype)
            values[done : done + len(block.keys)] = block.values
            keys.append(block.keys)
            done += len(block.keys)
        return Block(np.concatenate(keys), values, block.columns)
    except FileNotFoundError:  # another run has merged this part into the block
        return None
    except _DAMAGED as error:
        _remove(path, error)
        return None


def _checked_keys(path: Path) -> list[pa.Array]:
    """Keys of a file whose values can be read; none where it is damaged, which removes it."""
    try:
        return [_text(block.keys) for block in _blocks(path)]
    except FileNotFoundError:
        return []
    except _DAMAGED as error:
        _remove(path, error)
        return []


def _stored_keys(path: Path) -> list[pa.Array]:
    """Keys of a file; none where they cannot be read, so that whoever looks for them reads everything."""
    try:
        return pq.read_table(path, columns=["key"], page_checksum_verification=True)["key"].chunks
    except _DAMAGED:
        return []


def _remove(path: Path, error: Exception) -> None:
    print(f"{path.name} is damaged ({error}); removed, its clips are extracted again.", file=sys.stderr)
    path.unlink(missing_ok=True)


def _blocks(path: Path) -> Iterator[Block]:
    """Rows of a file, some at a time; raises one of ``_DAMAGED`` where it is."""
    with pq.ParquetFile(path, page_checksum_verification=True) as file:
        about = json.loads((file.schema_arrow.metadata or {})[b"ser_study"])
        if about.pop("check", None) not in (None, settings.fingerprint(about)):  # Parquet checks only its pages
            raise ValueError("its column names were changed")
        shape, columns = about["shape"], tuple(about["columns"])
        kind = file.schema_arrow.field("values").type.value_type.to_pandas_dtype()
        for batch in file.iter_batches(_rows_at_once(shape, kind)):
            flat = batch["values"].flatten().to_numpy(zero_copy_only=False)
            yield Block(batch["key"].to_numpy(zero_copy_only=False), flat.reshape(len(batch), *shape), columns)


def _write(path: Path, blocks: Iterable[Block]) -> int:
    """Write blocks as row groups of one file; number of rows."""
    writer, n_rows = None, 0
    try:
        for block in blocks:
            table = _table(block)
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd", write_page_checksum=True)
            writer.write_table(table)
            n_rows += len(table)
    finally:
        if writer is not None:
            writer.close()
    return n_rows


def _table(block: Block) -> pa.Table:
    """A block in the form of its file."""
    shape = block.values.shape[1:]
    kind = np.float16 if block.values.dtype == np.float16 else np.float32
    flat = pa.array(np.ascontiguousarray(block.values, dtype=kind).reshape(-1))
    about = {"shape": list(shape), "columns": list(block.columns)}
    about = json.dumps({**about, "check": settings.fingerprint(about)})
    values = pa.FixedSizeListArray.from_arrays(flat, int(np.prod(shape)))
    return pa.table({"key": _text(block.keys), "values": values}).replace_schema_metadata({"ser_study": about})


def _rows_at_once(shape: Sequence[int], kind: Any) -> int:
    return max(1, AT_ONCE // max(1, int(np.prod(shape)) * np.dtype(kind).itemsize))


def _text(keys: Iterable[str]) -> pa.Array:
    return pa.array(list(keys), pa.string())


class Items(Sequence):
    """What is extracted: content hash and path of each clip, made when they are read, for there may be millions."""

    def __init__(self, clips: pd.DataFrame) -> None:
        self.columns = [clips[name].array for name in ("sha256", "path")]

    def __len__(self) -> int:
        return len(self.columns[0])

    def __getitem__(self, place):
        if isinstance(place, slice):
            return list(zip(*(column[place] for column in self.columns)))
        return tuple(column[place] for column in self.columns)
