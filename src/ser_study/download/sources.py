"""What can be fetched, as data: ``registry/corpora.toml`` read into frozen dataclasses."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Source:
    """One thing to fetch, and the addresses it is tried at in turn.

    ``kind`` is ``file``, ``archive`` (a zip), ``registry`` (many files named in a list of the package; the
    addresses are what comes before the name) or ``dataverse`` (every clip of a Dataverse record).
    """

    kind: str
    target: str  # file or folder below the raw folder
    urls: tuple[str, ...]  # http(s)://…, or doi:<doi>/<file>
    checksum: str = ""  # md5:… or sha256:… of the file or archive
    size: int = 0  # bytes to fetch, 0: unknown
    unpacked: int = 0  # bytes on disk once unpacked, about
    inner: str = ""  # file or folder of the archive that becomes the target; empty: all of it
    inner_checksum: str = ""  # of that file
    registry: str = ""  # list of the package: name, SHA-256, size in bytes
    optional: str = ""  # what is missing without it; then a failure is only reported


@dataclass(frozen=True)
class Corpus:
    """A corpus that the study reads: its licence, where it lives, and what of it can be fetched."""

    name: str
    title: str
    licence: str
    citation: str
    page: str
    layout: str  # how it lies below the raw folder
    by_hand: str = ""  # how to obtain it
    sources: tuple[Source, ...] = ()  # none: it cannot be fetched by a program

    @property
    def notice(self) -> str:
        """What a person should know before the first byte."""
        return f"{self.title}\n  licence: {self.licence}\n  cite:    {self.citation}\n  page:    {self.page}"


def _catalogue() -> dict[str, Corpus]:
    table = tomllib.loads(files("ser_study").joinpath("registry/corpora.toml").read_text(encoding="utf-8"))
    corpora = {}
    for name, row in table.items():
        sources = tuple(Source(**{**entry, "urls": tuple(entry["urls"])}) for entry in row.pop("sources", ()))
        corpora[name] = Corpus(name=name, sources=sources, **row)
    return corpora


AVAILABLE: Mapping[str, Corpus] = _catalogue()


def instructions(name: str) -> str:
    """How to obtain a corpus and where to put it, in words.

    Raises
    ------
    ValueError
        The corpus is unknown.
    """
    check_names([name], AVAILABLE)
    corpus = AVAILABLE[name]
    how = corpus.by_hand or f"ser-study download {name}"
    return f"{corpus.notice}\n  get it:  {how}\n  layout:  {corpus.layout}"


def check_names(names: Iterable[str], catalogue: Mapping[str, Corpus]) -> None:
    """Raise ``ValueError`` with a suggestion at the first name that the catalogue does not hold."""
    for name in names:
        if name not in catalogue:
            from ser_study.config import unknown  # with numpy; nobody waits for it who names things right

            raise ValueError(unknown("corpus", name, catalogue))
