"""The cache: artefacts are named by their content, so that what was computed once is read back, not made again.

Conventions
-----------
A file's name is a readable name plus a fingerprint of everything it was made from; a ``.json`` beside
it says the same in words. Files are written under a temporary name and renamed, so a file that is
there is whole; ``cached`` holds a lock while it makes one, so two runs can share a folder.
"""

from __future__ import annotations

import dataclasses
import errno
import functools
import hashlib
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from ser_study import config as settings
from ser_study.config import Config

PAGES = "SER_STUDY_PAGES"  # environment variable, set while the report's notebooks run
FILES = "files"  # its value where tables and drawings are wanted, and no page
PREDICTIONS, CLIPS = "predictions.parquet", "clips.parquet"  # what a published run holds
WRITTEN = "SER_STUDY_WRITTEN"  # environment variable: a file to which a notebook notes what it wrote and lacked
ABSENT = "absent "  # before the name of a feature in such a file
PREDICTED = "predicted "  # before what a notebook needs of predictions, and their path below ``derived``
LOCK_WAIT = 3600  # s; another run may be computing the same thing


@dataclass(frozen=True)
class Store:
    """Where things are: ``raw`` (the user's audio, never written), ``derived`` (ours, deletable),
    ``run`` (report of this run) and ``project`` (the checkout, for committed folds and the ledger)."""

    raw: Path
    derived: Path
    run: Path
    project: Path
    fresh_since: float = 0.0  # s since 1970; what is older is made again

    @property
    def outputs(self) -> Path:
        """Where tables and figures go: the run's folder while the report is made; else, as in JupyterLab, a folder
        below ``derived``, so that exploring changes nothing that is published."""
        return self.run if os.environ.get(PAGES) else self.derived / "explored" / self.run.name

    @property
    def published(self) -> Path | None:
        """The published run that was given as the raw data folder, whose predictions stand in for audio; else None."""
        return self.raw if (self.raw / PREDICTIONS).is_file() and (self.raw / CLIPS).is_file() else None

    def path(self, name: str, cache_key: Mapping[str, Any], suffix: str) -> Path:
        """Path of the artefact ``name`` made from ``cache_key``; ``name`` may hold folders."""
        return self.derived / f"{name}-{settings.fingerprint(cache_key)[:16]}{suffix}"

    def is_fresh(self, path: Path) -> bool:
        """Whether a file is there and need not be made again."""
        return path.is_file() and path.stat().st_mtime >= self.fresh_since

    def cached(self, name: str, cache_key: Mapping[str, Any], make: Callable[[], pd.DataFrame]) -> pd.DataFrame:
        """A table from the cache, or made, written there and returned.

        Parameters
        ----------
        name : readable name, e.g. ``"clips/ravdess"``
        cache_key : everything the table depends on: versions, settings, hashes of inputs
        make : called without arguments when the table is not there

        Returns
        -------
        DataFrame, read back from its file either way, so that both ways give the same types.
        """
        path = self.path(name, cache_key, ".parquet")
        if (table := self._fresh_table(path)) is not None:
            return table
        with locked(path):
            if (table := self._fresh_table(path)) is not None:  # another run made it meanwhile
                return table
            write_table(path, make(), about=cache_key)
        if (table := read_table(path)) is None:
            raise OSError(f"{path.name} was written and cannot be read back; check the disk, then run again.")
        return table

    def _fresh_table(self, path: Path) -> pd.DataFrame | None:
        return read_table(path) if self.is_fresh(path) else None


def settle_paths() -> None:
    """Make the folders that the environment names absolute, so that a notebook finds them from its own folder."""
    for name in ("SER_STUDY_DATA", "SER_STUDY_DERIVED", "SER_STUDY_REPORTS", "SER_STUDY_WEIGHTS"):
        if given := os.environ.get(name):
            os.environ[name] = str(Path(given).expanduser().absolute())


def project_root() -> Path:
    """Folder of the checkout: that of the ``run_all.py`` that was started, else the nearest one upwards with one."""
    if named := os.environ.get("SER_STUDY_PROJECT"):
        return Path(named)
    here = Path.cwd()
    for folder in (here, *here.parents, Path(__file__).resolve().parents[2]):
        if (folder / "run_all.py").is_file() and (folder / "notebooks").is_dir():
            return folder
    raise FileNotFoundError("No checkout of ser_study found here; change into its folder (it holds run_all.py).")


def open_folders(
    preset: str = "full",
    overrides: Mapping[str, Any] | None = None,
    data: str = "",
) -> tuple[Config, Store]:
    """Settings and folders of a run.

    Parameters
    ----------
    preset : "demo", "quick", "full" or "complete"
    overrides : dotted setting → value
    data : raw data folder; empty: the variable SER_STUDY_DATA, else ``data/raw`` of the checkout

    Raises
    ------
    ValueError
        An unknown preset or setting, or a value of the wrong type.
    FileNotFoundError
        ``data`` or SER_STUDY_DATA was given and is no folder.
    """
    config = settings.load(preset, overrides)
    project = project_root()
    given = data or os.environ.get("SER_STUDY_DATA", "")
    raw = Path(given or project / "data" / "raw").expanduser().absolute()
    if given and not raw.is_dir():
        wrong = "is a file, not a folder" if raw.exists() else "is not there"
        source = "" if data else " (from SER_STUDY_DATA)"
        raise FileNotFoundError(
            f"The data folder {given!r}{source} {wrong}; give the folder that holds ravdess/, tess/, …"
        )
    derived = Path(os.environ.get("SER_STUDY_DERIVED", "") or project / "data" / "derived").absolute()
    reports = Path(os.environ.get("SER_STUDY_REPORTS", "") or project / "reports").absolute()
    store = Store(raw, derived, reports / config.run_name, project, _fresh_since(config))
    if store.published:
        known = tuple(about(store.published / CLIPS)["features"])
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, published=known))
    return config, store


def about(path: Path) -> dict[str, Any]:
    """What a Parquet file of a published run says of itself."""
    return json.loads((pq.read_schema(path).metadata or {}).get(b"ser_study", b"{}"))


def _fresh_since(config: Config) -> float:
    """All chapters of one forced run share its start, so that nothing is computed twice in it."""
    return (config.run.started or time.time()) if config.run.force else 0.0


def read_table(path: Path) -> pd.DataFrame | None:
    """A table, or None when it is absent or damaged (a damaged file is moved aside and said so)."""
    if not path.is_file():
        return None
    try:
        return pd.read_parquet(path, page_checksum_verification=True)
    except FileNotFoundError:  # another run has just moved it aside
        return None
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        aside = path.with_suffix(".damaged")
        with suppress(FileNotFoundError):
            os.replace(path, aside)
        print(f"{path.name} is damaged ({error}); moved to {aside.name} and made again.", file=sys.stderr)
        return None


def write_table(path: Path, table: pd.DataFrame, *, about: Mapping[str, Any]) -> None:
    """Write a table as Parquet and, beside it, ``about`` as JSON; whole or not at all."""
    with replacing(path) as temporary:
        table.to_parquet(temporary, index=False, write_page_checksum=True)
    write_json(path.with_suffix(".json"), about)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, whole or not at all."""
    with replacing(path) as temporary:
        text = json.dumps(content, indent=1, default=settings.as_dict, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path that takes the place of ``path`` when the block ends without an error.

    Raises
    ------
    OSError
        Disk full or folder not writable: with what to do; nothing half-written stays.
    """
    temporary = path.with_name(f".{path.name}.{platform.node()}.{os.getpid()}.part")  # several machines may write
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
        note(str(path.absolute()))
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        temporary.unlink(missing_ok=True) if temporary.parent.is_dir() else None


def git(project: Path, *words: str) -> str:
    """What git prints about the checkout; empty where there is no git, no checkout, or git fails."""
    try:
        done = subprocess.run(["git", *words], cwd=project, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def versions(libraries: Iterable[str]) -> dict[str, str]:
    """Library → installed version, for cache keys: under its own name or that of its build for CPUs, or ``absent``."""
    return {library: _version(library) for library in sorted(set(libraries))}


@functools.cache  # searching the folder of packages takes 10 ms a library, and every key asks for several
def _version(library: str) -> str:
    installed = "absent"
    for name in (f"{library}-cpu", library):
        with suppress(metadata.PackageNotFoundError):
            installed = metadata.version(name)
    return installed


def note(line: str) -> None:
    """Tell the run that executes this notebook something, where one does (``WRITTEN``)."""
    if listing := os.environ.get(WRITTEN):
        with open(listing, "a", encoding="utf-8") as stream:
            stream.write(f"{line}\n")


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes in hexadecimal digits; empty where there is none."""
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of an artefact; a run that dies lets go of it."""
    lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_WAIT)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise TimeoutError(
            f"Another run has been making {path.name} for {LOCK_WAIT // 60} minutes; stop it, or wait for it."
        ) from None
    except OSError as error:
        raise _refused(path, error) from error
    try:
        yield
    finally:
        lock.release()


def _refused(path: Path, error: OSError) -> OSError:
    """The error of a file that cannot be written, with what to do."""
    return OSError(
        error.errno or errno.EIO,
        f"Could not write {path.name} in {path.parent.name}/: {error.strerror or error}. "
        "Free some space or choose a writable folder, then run again; nothing finished is lost",
    )
