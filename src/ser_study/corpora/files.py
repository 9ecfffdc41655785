"""The files of a data folder: one walk for recordings and side files alike, and what a file is by its content.

Conventions
-----------
Links are followed, loops are not. Hidden files and folders (``._name.wav`` and ``__MACOSX`` of a Mac archive, ``.git``)
are left out. A *recording* has a suffix that says so, or a content that libsndfile reads whatever its suffix says.
A *pointer* stands where a file of Git LFS or git-annex has not been fetched.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from ser_study.audio import reading

LOSSLESS = (".wav", ".wave", ".flac", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64", ".rf64", ".sph")
LOSSY = (".opus", ".ogg", ".oga", ".mp3")  # the best first
SOUND = (".m4a", ".aac", ".wma", ".amr", ".3gp", ".weba", ".mka", ".ape", ".wv", ".ac3", ".ra", ".spx", ".raw", ".pcm")
VIDEO = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".flv", ".m4v", ".mpg", ".mpeg", ".wmv")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
_LFS, _ANNEX = b"version https://git-lfs", b"/annex/objects/"
_TEXT = set(b"\t\n\r\f" + bytes(range(32, 127)) + bytes(range(128, 256)))  # in any encoding but UTF-16


def walk(root: Path) -> list[Path]:
    """Every file below a folder, sorted.

    Raises
    ------
    OSError
        A folder cannot be read.
    """
    return sorted(visible(root))


def visible(root: Path) -> Iterator[Path]:
    """Every file below a folder, in no order; as ``walk`` for who needs the first alone."""
    seen = {os.path.realpath(root)}
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_unreadable_folder):
        subfolders[:] = sorted(name for name in subfolders if not is_hidden(name))
        for name in list(subfolders):
            real = os.path.realpath(os.path.join(folder, name))
            if real in seen:  # a link back to a folder already walked
                subfolders.remove(name)
            seen.add(real)
        yield from (Path(folder, name) for name in names if not is_hidden(name))


def audio_files(root: Path) -> list[Path]:
    """Every recording below a folder, sorted.

    Raises
    ------
    OSError
        A folder cannot be read.
    ValueError
        A file name is not valid Unicode, so that no table could hold it.
    """
    files = [path for path in walk(root) if is_recording(path)]
    for path in files:
        if any("\udc80" <= letter <= "\udcff" for letter in str(path)):  # how Python shows bytes that are no text
            raise ValueError(f"The file name {str(path)!a} is not valid Unicode; rename the file, then run again.")
    return files


def has_audio(root: Path) -> bool:
    """Whether there is a recording below a folder."""
    return root.is_dir() and any(is_recording(path) for path in visible(root))


def is_recording(path: Path) -> bool:
    """Whether a file claims to be a recording by its suffix, or is one by its content."""
    return path.suffix.lower() in LOSSLESS + LOSSY or reading.is_sound(path)


def side_file(root: Path, relative: str) -> Path | None:
    """A side file at its place, else the first file of that name anywhere below ``root``, else None.

    Raises
    ------
    ValueError
        Only a pointer to the file is here; the message says how to fetch it.
    """
    name = Path(relative).name
    place = root / relative
    there = place if place.is_file() else min((path for path in visible(root) if path.name == name), default=None)
    if there is not None:
        refuse_pointer(there)
    return there


def refuse_pointer(path: Path) -> None:
    """Raise ``ValueError`` where a table or label file has not been fetched."""
    if words := pointer(path):
        raise ValueError(f"{path.parent.name}/{path.name} is {words}.")


def pointer(path: Path) -> str:
    """What stands in the place of a file that was not fetched, and the command that fetches it; else empty."""
    try:
        if path.is_symlink() and not path.exists():
            start = b"/annex/objects/" if "/annex/objects/" in os.readlink(path) else b""
            size = 0
        elif path.is_file():
            with path.open("rb") as file:
                start, size = file.read(len(_LFS)), path.stat().st_size
        else:
            return ""
    except OSError:
        return ""
    if start.startswith(_LFS):
        return f"a Git LFS pointer of {size} bytes, not the file; run 'git lfs pull' or fetch it elsewhere"
    if start.startswith(_ANNEX):
        return "a git-annex pointer, not the file; run 'git annex get .' or fetch it elsewhere"
    return ""


def kind(path: Path) -> str:
    """What a file is that is no recording: sound (which nothing here reads), video, archive, text or other."""
    suffix = path.suffix.lower()
    for name, suffixes in (("sound", SOUND), ("video", VIDEO), ("archive", ARCHIVES)):
        if suffix in suffixes:
            return name
    if words := reading.foreign(path):
        return "archive" if "archive" in words else "video" if "video" in words else "sound"
    try:
        with path.open("rb") as file:
            return "text" if set(file.read(512)) <= _TEXT else "other"
    except OSError:
        return "other"


def counted(paths: Iterable[Path]) -> str:
    """Files by suffix, the commonest first: ``2 .m4a, 1 .oga``."""
    kinds = Counter(path.suffix.lower() or "without suffix" for path in paths)
    ordered = sorted(kinds.items(), key=lambda item: (-item[1], item))
    return ", ".join(f"{count:,} {suffix}" for suffix, count in ordered)


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is left out."""
    return name.startswith(".") or name in ("__MACOSX", "Thumbs.db", "desktop.ini", "Desktop.ini")


def _unreadable_folder(error: OSError) -> None:
    raise OSError(
        error.errno, f"The folder {error.filename!r} cannot be read ({error.strerror}); check its permissions"
    )
