"""Which file a table means by a path: as it is written, else the only recording that it can mean.

A path may have either slash, begin at ``own/`` or at the root of a disk (this one's or another's), and differ from the
name on the disk in case, Unicode form or suffix. What could mean two files, or leads out of the folder, means none.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

from ser_study.corpora.files import audio_files


@dataclass(frozen=True)
class Place:
    """A file below ``own/``, or why the text names none."""

    path: str
    why: str = ""


class Places:
    """The recordings below a folder, to find by what a table says."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def find(self, text: str) -> Place:
        """The file that a text means."""
        plain = text.replace("\\", "/").removeprefix("./")
        for path in dict.fromkeys((text, plain, *self._tails(plain))):
            if self._is_inside(path):
                return Place(path)
        for path in dict.fromkeys((plain, *self._tails(plain))):
            for key in (_key(path), _without_suffix(_key(path))):
                fitting = self._by_key.get(key, [])
                if len(fitting) == 1:
                    return Place(fitting[0])
                if fitting:
                    return Place(text, f"{text}: {' or '.join(fitting)}?")
        namesakes = self._by_name.get(_key(PurePosixPath(plain).name), [])
        return Place(text, f"{text}; there is {namesakes[0]}" if len(namesakes) == 1 else text or "no path")

    def _tails(self, text: str) -> Iterator[str]:
        """What follows the folder of a path that begins above it, here or on the machine where the table was made."""
        parts = PurePosixPath(text).parts
        if ".." in parts:
            return
        here = str(self.root.absolute()).replace("\\", "/") + "/"
        if text.startswith(here):
            yield text.removeprefix(here)
        places = [place for place, part in enumerate(parts[:-1]) if part.lower() == self.root.name.lower()]
        yield from ("/".join(parts[place + 1 :]) for place in reversed(places))

    def _is_inside(self, relative: str) -> bool:
        """The file exists, and its path does not lead out of the folder."""
        path = PurePosixPath(relative)
        try:
            return bool(relative) and not path.is_absolute() and ".." not in path.parts and self._is_file(path)
        except (OSError, ValueError):  # a name longer than any file can have, or with a zero byte
            return False

    def _is_file(self, path: PurePosixPath) -> bool:
        return (self.root / path).is_file() or (self.root / path).is_symlink()

    @cached_property
    def _by_key(self) -> dict[str, list[str]]:
        """Recordings by their plain path, and by that without the suffix."""
        index: dict[str, list[str]] = {}
        for path in self._recordings:
            for key in dict.fromkeys((_key(path), _without_suffix(_key(path)))):
                index.setdefault(key, []).append(path)
        return index

    @cached_property
    def _by_name(self) -> dict[str, list[str]]:
        index: dict[str, list[str]] = {}
        for path in self._recordings:
            index.setdefault(_key(PurePosixPath(path).name), []).append(path)
        return index

    @cached_property
    def _recordings(self) -> list[str]:
        return [path.relative_to(self.root).as_posix() for path in audio_files(self.root)]


def _key(path: str) -> str:
    """A path in small letters and one Unicode form."""
    return unicodedata.normalize("NFC", path.casefold()).strip()


def _without_suffix(path: str) -> str:
    return str(PurePosixPath(path).with_suffix("")) if PurePosixPath(path).name else path
