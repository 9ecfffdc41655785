"""Fetching the public corpora: what to fetch is data (``sources``), how is ``transfer``, where it goes is here.

Published network weights are fetched by ``weights``, to the user's cache.

Conventions
-----------
Everything comes first to ``<raw>/.download`` under a ``.part`` name. A file loses that name only when its
hash is right, and a corpus moves to its place only when all of it is there; so what lies outside
``.download`` is whole, and an interrupted download continues where it stopped. Files that are already
in place are never overwritten.
"""

from __future__ import annotations

import errno
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ser_study.download import weights
from ser_study.download.sources import AVAILABLE, Corpus, Source, check_names, instructions
from ser_study.download.transfer import Item, Job, checksum_of, fetch_all, is_pointer, items_of, part_of

__all__ = ["AVAILABLE", "Corpus", "Source", "download", "instructions"]

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def download(
    names: Iterable[str],
    raw: Path,
    *,
    sources: Mapping[str, Corpus] | None = None,
    progress: bool = True,
    accept: Callable[[str], bool] | None = None,
    say: Callable[[str], None] = print,
    connections: int = 4,
    attempts: int = 3,
) -> dict[str, str]:
    """Fetch corpora into the raw folder; what is there already is left alone.

    Parameters
    ----------
    names : keys of ``AVAILABLE``, or of ``weights.CATALOGUE``; for a corpus behind a registration or licence, how
        to obtain it is printed
    raw : the folder that holds one folder a corpus
    sources : another catalogue in place of ``AVAILABLE``
    accept : asked with each licence notice before the first byte; without it the notice is only shown
    connections : files fetched at the same time, of a corpus that comes file by file
    attempts : tries at each address

    Returns
    -------
    Name → ``fetched``, ``already there``, ``incomplete`` (a side file could not be had), ``by hand`` or ``declined``.

    Raises
    ------
    ValueError
        An unknown name, or content that is not what was published (expected and found hash are named).
    ConnectionError
        No address gave the file; the message holds each address and its reason.
    OSError
        Disk full, or a folder that cannot be written; the message holds needed and free space.
    """
    catalogue, names, outcome = AVAILABLE if sources is None else sources, list(dict.fromkeys(names)), {}
    check_names(names, {**catalogue, **weights.CATALOGUE})
    job = Job(Path(raw), say, progress, connections, attempts)
    for name in names:
        if name in catalogue:
            outcome[name] = _fetch_corpus(catalogue[name], job, accept)
        else:
            outcome |= weights.download([name], say=say, accept=accept)
    return outcome


def _fetch_corpus(corpus: Corpus, job: Job, accept: Callable[[str], bool] | None) -> str:
    """What became of one corpus, once its licence was shown."""
    job.say(corpus.notice)
    if not corpus.sources:
        job.say(f"  This corpus cannot be fetched by a program. {corpus.by_hand}\n  layout:  {corpus.layout}")
        return "by hand"
    if accept is not None and not accept(corpus.notice):
        return "declined"
    with _staging(job.raw):
        states = [_fetch_source(source, corpus, job) for source in corpus.sources]
    return next(state for state in ("incomplete", "fetched", "already there") if state in states)


@contextmanager
def _staging(raw: Path) -> Iterator[None]:
    """One download at a time in a raw folder; the staging folder goes when nothing is left in it."""
    from filelock import FileLock, Timeout

    staging = raw / ".download"
    with _explained(raw):
        staging.mkdir(parents=True, exist_ok=True)
        lock = FileLock(staging / "lock")
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise OSError(errno.EBUSY, f"Another download is writing to {raw}. Wait for it to end.") from None
    try:
        yield
    finally:
        lock.release()
        if not any(path.is_file() and path.name != "lock" for path in staging.rglob("*")):
            shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def _explained(raw: Path, needed: int = 0) -> Iterator[None]:
    """Say what a full disk, or a folder that cannot be written, means here."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise OSError(
                error.errno,
                f"The disk (or the quota) below {raw} is full: {needed / 1e6:.1f} MB are needed, "
                f"{_free(raw) / 1e6:.1f} MB are free. Make room and run the same command again; it continues "
                "where it stopped.",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR):
            raise OSError(error.errno, f"Cannot write below {raw}: {error}. Name another folder.") from error
        raise


def _fetch_source(source: Source, corpus: Corpus, job: Job) -> str:
    """State of a source after fetching what is missing of it; failures gain the advice for this corpus."""
    import requests

    try:
        with requests.Session() as session:
            state = "fetched" if _fetch_missing(source, replace(job, session=session)) else "already there"
    except (ConnectionError, ValueError) as error:
        advice = f"Run the same command again; it continues where it stopped. By hand: {corpus.page} ({corpus.layout})"
        if not source.optional:
            kind = ValueError if isinstance(error, ValueError) else ConnectionError
            raise kind(f"{corpus.name}: {error}\n{advice}") from error
        job.say(f"  Going on without {source.target} ({source.optional}): {error}\n  {advice}")
        return "incomplete"
    job.say(f"  {source.target}: {state}.")
    return state


def _fetch_missing(source: Source, job: Job) -> bool:
    """True when something new came."""
    from tqdm import tqdm

    work, target = job.raw / ".download" / source.target, job.raw / source.target
    if source.kind == "archive" and (target.is_file() or _holds_files(target)):
        _tidy(work)
        return False
    items = items_of(source, work)
    if source.kind != "archive":
        items = _missing(items, target)
    if not items:
        return False
    present_size = sum(
        path.stat().st_size for item in items for path in (item.path, part_of(item.path)) if path.is_file()
    )
    total = sum(item.size for item in items)
    needed = max(total - present_size, 0) + source.unpacked
    with _explained(job.raw, needed):
        if needed > _free(job.raw):
            raise OSError(errno.ENOSPC, "too little space")
        with tqdm(
            total=total or None,
            initial=present_size,
            desc=source.target,
            unit="B",
            unit_scale=True,
            disable=not job.progress,
        ) as bar:
            fetch_all(items, job, bar)
        if source.kind == "archive":
            _unpack(items[0].path, source, work, target)
        else:
            _publish(items, work, target)
    return True


def _missing(items: list[Item], target: Path) -> list[Item]:
    """Items without a file in place, in whatever format; one of the same name must hold what was published."""
    near = target.rglob("*") if target.is_dir() else target.parent.glob(target.name)
    stems = {path.stem: path for path in near if path.is_file()}
    missing = []
    for item in items:
        present = stems.get(item.path.stem)
        if present is None or is_pointer(present):
            missing.append(item)
            continue
        actual = checksum_of(present, item.checksum) if present.name == item.path.name else item.checksum
        if actual != item.checksum:
            raise ValueError(
                f"{present} is not the published file: expected {item.checksum}, found {actual}. It was left alone; "
                "move it away to fetch it again."
            )
    return missing


def _unpack(archive: Path, source: Source, work: Path, target: Path) -> None:
    """Unpack beside the archive, then move to the target in one step; the archive goes."""
    import pooch

    folder = _unpacking(work).resolve()
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was stopped here
    try:
        pooch.get_logger().setLevel("WARNING")
        pooch.Unzip(members=[source.inner] if source.inner else None, extract_dir=str(folder))(
            str(archive.resolve()), "download", None
        )
        inner = folder / source.inner
        if not inner.is_file() and not _holds_files(inner):
            raise zipfile.BadZipFile(f"it holds no {source.inner or 'file'}")
        if inner.is_file() and (actual := checksum_of(inner, source.inner_checksum)) != source.inner_checksum:
            raise ValueError(f"{source.inner} in it should have {source.inner_checksum}, found {actual}")
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_dir():
            shutil.rmtree(target)  # empty folders only, or the archive would not have been fetched
        inner.replace(target)
        _tidy(work)
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError) as error:
        archive.unlink()
        raise ValueError(f"{archive.name} is not the archive it should be and was removed: {error}.") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpacking(work: Path) -> Path:
    return work.with_name(work.name + ".unpacking")


def _tidy(work: Path) -> None:
    work.with_name(work.name + ".zip").unlink(missing_ok=True)
    shutil.rmtree(_unpacking(work), ignore_errors=True)


def _publish(items: list[Item], work: Path, target: Path) -> None:
    """Move what is staged to its place: in one step when nothing is there yet, else file by file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.exists():
        work.replace(target)
        return
    for item in items:
        place = target / item.path.relative_to(work)
        place.parent.mkdir(parents=True, exist_ok=True)
        item.path.replace(place)


def _holds_files(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))


def _free(folder: Path) -> int:
    """Free bytes where the folder is, or will be."""
    return shutil.disk_usage(next(path for path in (folder, *folder.resolve().parents) if path.exists())).free
