"""Committed fold files: the same folds for everybody, checked by hash when they are read.

``data/folds/<selection>/<protocol>.csv`` has one row a clip and one column a fold; a cell holds the role,
or nothing where the fold does not use the clip. ``data/folds/SHA256SUMS`` holds the hash of every file.
The files hold repeat 0, drawn with the default seed on the native classes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import pandas as pd

from ser_study.config import Config
from ser_study.splits.protocols import as_table, assert_disjoint, make
from ser_study.store import file_hash, replacing

SUMS = "SHA256SUMS"
MOST_KNOWN = 16  # tables of folds kept in memory, for many experiments share one; 10 MB each at most
_KNOWN: dict[tuple, tuple[pd.DataFrame, str]] = {}


def load_or_make(
    clips: pd.DataFrame,
    *,
    selection: str,
    protocol: str,
    classes: pd.Series,
    config: Config,
    folder: Path,
    repeat: int = 0,
) -> tuple[pd.DataFrame, str]:
    """The committed folds where they cover exactly these clips, else folds made anew.

    Parameters
    ----------
    clips, protocol, classes, config, repeat : as for ``make``
    selection : name of the selection, e.g. ``"ravdess-speech"``
    folder : the project's ``data/folds``

    Returns
    -------
    Folds table, and why the committed file was not used: a sentence, empty when it was or is not there.

    Raises
    ------
    ValueError
        As ``make``; or the committed file was changed.
    """
    facts = pd.util.hash_pandas_object(clips.assign(_class=classes), index=True).to_numpy().tobytes()
    files = tuple(file_hash(path) for path in (fold_path(selection, protocol, folder), folder / SUMS) if path.is_file())
    key = (selection, protocol, repeat, repr(config), files, hashlib.sha256(facts).hexdigest())
    if key not in _KNOWN:
        made = _loaded_or_made(clips, selection, protocol, classes=classes, config=config, folder=folder, repeat=repeat)
        if len(_KNOWN) >= MOST_KNOWN:
            del _KNOWN[next(iter(_KNOWN))]
        _KNOWN[key] = made
    folds, why_not = _KNOWN[key]
    return folds.copy(), why_not


def _loaded_or_made(clips, selection, protocol, *, classes, config, folder, repeat) -> tuple[pd.DataFrame, str]:
    remake = partial(make, clips, protocol, classes=classes, config=config, repeat=repeat)
    if repeat or not fold_path(selection, protocol, folder).is_file():
        return remake(), ""
    what, default = f"Folds of {selection}, {protocol}", Config().seed
    if config.seed != default:
        return remake(), f"{what}: made with seed {config.seed}; the committed ones have seed {default}."
    folds = read_folds(selection, protocol, folder=folder)
    here, there = (set(table["clip_id"].unique()) for table in (clips, folds))
    if here != there:
        counts = f"{len(there - here)} clips that are not here and lack {len(here - there)} that are"
        return remake(), f"{what}: made anew, because the committed ones hold {counts}."
    assert_disjoint(folds, clips, protocol)
    return folds, ""


def committed_hash(selection: str, protocol: str, folder: Path) -> str:
    """SHA-256 of a committed fold file; empty where there is none."""
    path = fold_path(selection, protocol, folder)
    return file_hash(path)


def fold_path(selection: str, protocol: str, folder: Path) -> Path:
    """Place of a committed fold file."""
    return folder / selection / f"{protocol}.csv"


def read_folds(selection: str, protocol: str, *, folder: Path) -> pd.DataFrame:
    """Committed folds as a folds table.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        The file differs from its hash in ``SHA256SUMS``.
    """
    path = fold_path(selection, protocol, folder)
    if not path.is_file():
        raise FileNotFoundError(
            f"No committed folds for {selection!r} and {protocol!r}; make them, or restore the checkout."
        )
    check_hash(path, folder=folder)
    wide = pd.read_csv(path, dtype=str, keep_default_na=False)
    return as_table(wide["clip_id"], [wide[name] for name in wide.columns[1:]], protocol=protocol)


def write_folds(folds: pd.DataFrame, *, selection: str, folder: Path) -> Path:
    """Write one repeat of one protocol as a fold file; call ``write_sums`` after the last one.

    Parameters
    ----------
    folds : folds table of one protocol, repeat 0, variant 0
    selection : name of the selection
    folder : the project's ``data/folds``
    """
    if folds["protocol"].nunique() != 1 or folds["repeat"].any() or folds["variant"].any():
        raise ValueError("A fold file holds one protocol, repeat 0 and clean clips; select these rows first.")
    wide = folds.pivot(index="clip_id", columns="fold", values="role").fillna("").sort_index()
    path = fold_path(selection, folds["protocol"].iloc[0], folder)
    with replacing(path) as temporary:
        wide.add_prefix("fold_").to_csv(temporary, lineterminator="\n")
    return path


def write_sums(folder: Path) -> Path:
    """Write the hashes of all fold files and lists below ``folder``, in the form that sha256sum reads."""
    files = sorted(path.relative_to(folder).as_posix() for path in _files(folder))
    with replacing(folder / SUMS) as temporary:
        lines = [f"{file_hash(folder / name)}  {name}\n" for name in files]
        temporary.write_text("".join(lines), encoding="utf-8", newline="")
    return folder / SUMS


def check_hash(path: Path, *, folder: Path) -> None:
    """Raise ``ValueError`` when a file below ``folder`` is not the one that ``SHA256SUMS`` names."""
    sums = folder / SUMS
    if not sums.is_file():
        raise FileNotFoundError(f"No {SUMS} in {folder.name}; restore it from the checkout, or write the folds anew.")
    lines = [line.split(maxsplit=1) for line in sums.read_text(encoding="utf-8").splitlines()]
    name = path.relative_to(folder).as_posix()
    expected = {entry: digest for digest, entry in lines}.get(name, "no hash")
    actual = file_hash(path)
    if actual != expected:
        raise ValueError(
            f"{name} was changed: SHA-256 {actual[:12]}, {SUMS} says {expected[:12]}. "
            "Restore it from the checkout, or write the folds anew."
        )


def _files(folder: Path) -> Iterable[Path]:
    return (path for suffix in ("csv", "json") for path in folder.glob(f"*/*.{suffix}"))
