"""One file from one of its addresses to the staging folder: partial, continued, checked, renamed."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urlsplit

from ser_study.download.sources import Source

CHUNK = 1 << 16  # bytes read at a time
TIMEOUT = (10, 60)  # s; to connect, between two pieces
LFS_POINTER = b"version https://git-lfs"
POINTER_SIZE = 1024  # bytes; a pointer is smaller
FINAL = (401, 403, 404, 410)  # answers that another try will not change


@dataclass(frozen=True)
class Item:
    """One file to fetch."""

    path: Path  # in the staging folder
    urls: tuple[str, ...]
    checksum: str
    size: int  # bytes, 0: unknown


@dataclass(frozen=True)
class Job:
    """How to fetch."""

    raw: Path
    say: Callable[[str], None]
    progress: bool
    connections: int
    attempts: int
    session: Any = None  # of requests
    failed: set[str] = field(default_factory=set)  # hosts that failed once; tried last from then on


def items_of(source: Source, work: Path) -> list[Item]:
    """The files of a source, each with its name in the staging folder ``work``."""
    if source.kind == "archive":
        return [Item(work.with_name(work.name + ".zip"), source.urls, source.checksum, source.size)]
    if source.kind == "file":
        return [Item(work, source.urls, source.checksum, source.size)]
    if source.kind == "dataverse":
        return [item for url in source.urls for item in _dataverse(url, work)]
    lines = files("ser_study").joinpath("registry", source.registry).read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line and not line.startswith("#")]
    return [
        Item(work / name, tuple(url + name for url in source.urls), f"sha256:{sha256}", int(size))
        for name, sha256, size in rows
    ]


def _dataverse(doi: str, work: Path) -> list[Item]:
    """Clips of a Dataverse record, sorted into folders as the corpus is known: ``OAF_angry/OAF_back_angry.wav``."""
    import pooch
    import requests

    try:
        home = urlsplit(pooch.downloaders.doi_to_url(doi.removeprefix("doi:"), timeout=TIMEOUT))
        site = f"{home.scheme}://{home.netloc}/api"
        answer = requests.get(f"{site}/datasets/:persistentId/?persistentId={doi}", timeout=TIMEOUT)
        answer.raise_for_status()
        rows = [row["dataFile"] for row in answer.json()["data"]["latestVersion"]["files"]]
        clips = [
            (PurePosixPath(row["filename"]).name, int(row["id"]), row["md5"], int(row["filesize"]))
            for row in rows
            if row["filename"].lower().endswith(".wav")
        ]
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise ConnectionError(f"The list of files of {doi} could not be read: {_reason(error)}.") from error
    if not clips:
        raise ConnectionError(f"The record {doi} lists {len(rows)} files, none of them .wav.")
    return [
        Item(
            work / re.sub(r"^([^_]+)_(?:.*_)?([^_]+)\.\w+$", r"\1_\2", name) / name,
            (f"{site}/access/datafile/{number}",),
            f"md5:{md5}",
            size,
        )
        for name, number, md5, size in clips
    ]


def fetch_all(items: list[Item], job: Job, bar: Any) -> None:
    """Fetch files to the staging folder, several at a time; the first failure ends it and what came is kept."""
    if len(items) == 1:  # in this thread, so that an interrupt ends it at once
        _fetch_item(items[0], job, bar)
        return
    with ThreadPoolExecutor(job.connections) as pool:
        try:
            for task in as_completed([pool.submit(_fetch_item, item, job, bar) for item in items]):
                task.result()
        finally:
            pool.shutdown(cancel_futures=True)


def _fetch_item(item: Item, job: Job, bar: Any) -> None:
    """Fetch one file to its staged name, whole and checked, from the first address that gives it."""
    if item.path.is_file() and item.checksum and checksum_of(item.path, item.checksum) == item.checksum:
        return
    item.path.parent.mkdir(parents=True, exist_ok=True)
    errors: list[Exception] = []
    urls = sorted(item.urls, key=lambda url: _host(url) in job.failed)
    for url, other in zip(urls, [*urls[1:], ""], strict=True):
        try:
            _fetch_url(url, item, job, bar)
            return
        except (ConnectionError, ValueError) as error:
            errors.append(error)
            if other and not {_host(url), _host(other)} & job.failed:
                job.say(f"  {error}\n  Trying {_host(other)} instead, and first from now on.")
            job.failed.add(_host(url))
    kind = ValueError if all(isinstance(error, ValueError) for error in errors) else ConnectionError
    raise kind(f"{item.path.name} could not be fetched. " + "\n".join(str(error) for error in errors))


def _fetch_url(url: str, item: Item, job: Job, bar: Any) -> None:
    import requests

    part = part_of(item.path)
    for attempt in range(job.attempts):
        try:
            _stream(_resolved(url), part, item.size, job.session, bar)
            break
        except requests.RequestException as error:
            status = getattr(error.response, "status_code", 500)
            if attempt == job.attempts - 1 or status in FINAL:
                size = part.stat().st_size if part.is_file() else 0
                raise ConnectionError(f"{url}: {_reason(error)} ({size} bytes are kept).") from error
            time.sleep(attempt + 0.2)
    actual, size = checksum_of(part, item.checksum), part.stat().st_size
    if actual != item.checksum:
        hint = " It is a Git LFS pointer, not audio: that server's large-file quota is used up." * is_pointer(part)
        part.unlink()
        raise ValueError(
            f"{url} gave another file than was published: expected {item.checksum} ({item.size} bytes), "
            f"found {actual} ({size} bytes).{hint} Nothing of it was kept."
        )
    part.replace(item.path)


def _stream(url: str, part: Path, size: int, session: Any, bar: Any) -> None:
    """Append to the partial file what is missing of it; start anew where the server cannot continue."""
    import requests

    have = part.stat().st_size if part.is_file() else 0
    if size and have == size:
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with session.get(url, headers=headers, stream=True, timeout=TIMEOUT) as answer:
        if answer.status_code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:  # the partial file is longer than the file
            part.unlink()
        answer.raise_for_status()
        goes_on = answer.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        bar.update(0 if goes_on else -have)
        with part.open("ab" if goes_on else "wb") as file:
            for chunk in answer.iter_content(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
        expected = int(answer.headers.get("Content-Length", 0)) + (have if goes_on else 0)
    if part.stat().st_size < expected:
        raise requests.exceptions.ChunkedEncodingError(response=None)


def _resolved(url: str) -> str:
    """The address behind ``doi:<doi>/<file>``; any other is its own."""
    import pooch

    if not url.startswith("doi:"):
        return url
    doi, _, name = url.removeprefix("doi:").rpartition("/")
    try:
        return pooch.downloaders.doi_to_repository(doi, timeout=TIMEOUT).download_url(name)
    except (ValueError, KeyError, TypeError) as error:
        raise ConnectionError(f"{url} could not be resolved: {error!r}.") from error


def _reason(error: Exception) -> str:
    import requests

    answer = getattr(error, "response", None)
    if answer is not None:
        advice = {403: "access refused or quota used up", 404: "the file has moved", 429: "too many requests: wait"}
        return (
            f"the server answered {answer.status_code} {answer.reason}, {advice.get(answer.status_code, 'try later')}"
        )
    if isinstance(error, requests.Timeout):
        return f"no answer within {TIMEOUT[1]} s"
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return "the connection was cut before the end"
    if isinstance(error, requests.ConnectionError):
        return "no connection: the server is down, or this machine has no network"
    return repr(error)


def checksum_of(path: Path, like: str) -> str:
    """Checksum of a file, of the kind of another (``md5:…``, ``sha256:…``); empty where that one is."""
    import pooch

    kind = like.partition(":")[0]
    return f"{kind}:{pooch.file_hash(str(path), kind)}" if kind else ""


def part_of(path: Path) -> Path:
    """Name of a file that is not whole yet."""
    return path.with_name(path.name + ".part")


def _host(url: str) -> str:
    return urlsplit(url).netloc or url


def is_pointer(path: Path) -> bool:
    """A Git LFS pointer stands where a clip should be, as after a clone without LFS or past its quota."""
    return path.stat().st_size < POINTER_SIZE and path.read_bytes().startswith(LFS_POINTER)
