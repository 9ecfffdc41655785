"""Packs, read: what is known of a corpus without its audio, in ``<corpus>.pack.zip`` beside the corpus folders.

A pack holds ``clips.parquet`` (the table of ``corpora.scanned``), one Parquet block a feature and augmented
variant (the form of ``features.cache``) and ``manifest.json``, which says what each was made with and its SHA-256.
``packs`` writes it. Nothing of a pack is used unless it is whole and made as this run would make it; where
audio lies beside a pack, the audio is used and the pack is not opened.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pandas as pd

from ser_study import config as settings
from ser_study.corpora import files, folders, scan
from ser_study.schema import CLIP_COLUMNS, check_columns
from ser_study.store import replacing

VERSION = 1  # rises when packs take another form
SUFFIX, MANIFEST, CLIPS = ".pack.zip", "manifest.json", "clips.parquet"
REMEDY = "run where the audio is, or pack again there with: ser-study pack"
MAX_NAMED = 3  # settings that differ and are named
_ABSENT = object()
_BROKEN = (zipfile.BadZipFile, zlib.error, KeyError, EOFError, ValueError, NotImplementedError, RuntimeError)


@dataclass(frozen=True)
class Pack:
    """An opened pack; its manifest is whole and of this version, its other members are checked when read."""

    path: Path
    corpus: str
    manifest: Mapping[str, Any]


def path_of(corpus: str, raw: Path) -> Path:
    """Place of the pack of a corpus in the raw data folder."""
    return raw / f"{corpus}{SUFFIX}"


def has_audio(corpus: str, raw: Path) -> bool:
    """Whether an audio file of a corpus is here."""
    return files.has_audio(folders.find(corpus, raw))


def is_used(corpus: str, raw: Path) -> bool:
    """Whether a corpus is here as a pack only."""
    return path_of(corpus, raw).is_file() and not has_audio(corpus, raw)


def read(path: Path, corpus: str) -> Pack:
    """Open a pack and check its manifest.

    Raises
    ------
    ValueError
        The file is damaged, no pack, a pack of another corpus, or of another version.
    """
    with _whole(path, MANIFEST), zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read(MANIFEST))
        if not isinstance(manifest, dict) or not isinstance(manifest.get("pack"), int):
            raise ValueError("it is not the list of a pack")
    if manifest["pack"] != VERSION:
        raise ValueError(
            f"{path.name} is a pack of version {manifest['pack']}, this package reads version {VERSION}; "
            f"use the version of ser_study that made it ({manifest.get('package', 'unknown')}), or {REMEDY} {corpus}."
        )
    with _whole(path, MANIFEST):
        content = {key: value for key, value in manifest.items() if key != "check"}
        if settings.fingerprint(content) != manifest.get("check"):
            raise ValueError("it was changed after it was written")
    if manifest["corpus"] != corpus:
        raise ValueError(
            f"{path.name} holds {manifest['corpus']}, not {corpus}; name it {manifest['corpus']}{SUFFIX} again."
        )
    return Pack(path, corpus, manifest)


def clips(pack: Pack) -> pd.DataFrame:
    """The table of ``corpora.scanned``: one row a file, clips columns and those of ``scan``.

    Raises
    ------
    ValueError
        The table is damaged, or its sounds were measured by another version of ``scan``.
    """
    about = pack.manifest["clips"]
    if about["scan"] != scan.VERSION:
        raise ValueError(
            f"The clips in {pack.path.name} were measured by version {about['scan']} of the scan, this run asks "
            f"{scan.VERSION}; {REMEDY} {pack.corpus}."
        )
    held = io.BytesIO()
    _copy(pack, about, held)
    with _whole(pack.path, CLIPS):
        table = pd.read_parquet(held)
        check_columns(table, [*CLIP_COLUMNS, *scan.COLUMNS], what="clips")
    return table


def unpack(pack: Pack, wanted: Mapping[str, Any], target: Path) -> None:
    """Write the block of a feature, as ``features.cache`` keeps it, to a file.

    Parameters
    ----------
    wanted : the slice of settings the values must have been made with, ``feature`` and ``version`` among them
    target : file to write, whole or not at all

    Raises
    ------
    ValueError
        The pack lacks the feature, was made with other settings (they are named), or is damaged.
    """
    fingerprint = settings.fingerprint(wanted)
    held = [entry for entry in pack.manifest["features"] if entry["fingerprint"] == fingerprint]
    if not held:
        raise ValueError(_why_not(pack, json.loads(json.dumps(wanted, default=settings.as_dict))))
    with replacing(target) as temporary, temporary.open("wb") as file:
        _copy(pack, held[0], file)


def _why_not(pack: Pack, wanted: Mapping[str, Any]) -> str:
    """Why no block of the pack serves: no such feature or variant, or made otherwise."""
    name, flat = wanted["feature"], _flat(wanted)
    made = [_flat(entry["settings"]) for entry in pack.manifest["features"] if entry["settings"]["feature"] == name]
    if not made:
        there = ", ".join(dict.fromkeys(entry["settings"]["feature"] for entry in pack.manifest["features"]))
        return (
            f"{pack.path.name} holds no feature {name} (it holds {there or 'none'}); leave it out of this run, "
            f"or {REMEDY} {pack.corpus} --features {name}"
        )
    fewest = min((_differing(other, flat) for other in made), key=len)
    if "variant" in fewest:
        return (
            f"{pack.path.name} holds no augmented variant {wanted.get('variant', 0)} of {name}; {REMEDY} {pack.corpus} "
            f"--features {name} --variants {max(2, wanted.get('variant', 0))}"
        )
    more = f" and {len(fewest) - MAX_NAMED} more settings" if len(fewest) > MAX_NAMED else ""
    then, now = (", ".join(f"{key}={pair[side]}" for key, pair in list(fewest.items())[:MAX_NAMED]) for side in (0, 1))
    return (
        f"Features {name} in {pack.path.name} were made with {then}{more}, this run asks {now}; "
        f"{REMEDY} {pack.corpus} --features {name}"
    )


def _differing(made: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Dotted name → (value in the pack, value wanted) of what differs."""
    pairs = {key: (made.get(key, _ABSENT), wanted.get(key, _ABSENT)) for key in dict.fromkeys((*made, *wanted))}
    differing = {key: pair for key, pair in pairs.items() if pair[0] != pair[1]}
    return {key: tuple("nothing" if value is _ABSENT else value for value in pair) for key, pair in differing.items()}


def _flat(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _copy(pack: Pack, about: Mapping[str, Any], target: IO[bytes]) -> None:
    """Copy a member to an open file and check its SHA-256; the file is then at its start where it has one."""
    with _whole(pack.path, about["member"]), zipfile.ZipFile(pack.path) as archive:
        with archive.open(about["member"]) as source:
            hashed = _Hashed(target)
            shutil.copyfileobj(source, hashed, 1 << 20)
        if hashed.digest.hexdigest() != about["sha256"]:
            raise ValueError(f"SHA-256 {hashed.digest.hexdigest()[:12]}, the list says {about['sha256'][:12]}")
    if isinstance(target, io.BytesIO):
        target.seek(0)


class _Hashed:
    """A file that is hashed while it is written."""

    def __init__(self, target: IO[bytes]) -> None:
        self.target, self.digest = target, hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.digest.update(data)
        return self.target.write(data)


@contextmanager
def _whole(path: Path, member: str) -> Iterator[None]:
    """Turn what a damaged pack raises into one error that says what to do."""
    try:
        yield
    except _BROKEN as error:
        reason = str(error).strip("'\"").rstrip(".") or type(error).__name__
        raise ValueError(
            f"{path.name} is damaged ({member}: {reason}); copy it again from where it was made, or pack again."
        ) from None
