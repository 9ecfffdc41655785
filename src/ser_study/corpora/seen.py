"""What a data folder, or the folder of a corpus, holds where no clip was found in it; in words that say what to do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ser_study.corpora import files, folders
from ser_study.corpora.info import CorpusInfo
from ser_study.corpora.leftovers import ADVICE


def described(folder: Path, known: Sequence[str], alike: Sequence[str] = ()) -> str:
    """Files by kind, folders and archives that mean a corpus, and where the folder lies.

    Parameters
    ----------
    folder : the data folder as it was given
    known : names of the corpora
    alike : corpora whose clips are called like the files here
    """
    paths = files.walk(folder)
    hints = [f"It holds {files.counted(paths)}." if paths else "It is empty."]
    hints += [f"Files here are called like clips of {name}." for name in alike]
    hints += _above(folder, known) or [
        f"Put them into a folder {name}/, and give the folder that holds that." for name in alike[:1]
    ]
    for place in sorted(folder.iterdir()):
        looks_like = folders.meant(place.stem if place.suffix.lower() in files.ARCHIVES else place.name, known)
        if place.suffix.lower() in files.ARCHIVES:
            hints.append(f"{place.name} is not unpacked; unpack it into {looks_like or 'a folder of the corpus'}/.")
        elif place.is_dir() and looks_like:
            hints.append(f"{place.name}/ is the right folder for {looks_like}, but no recording is in it.")
    kinds = {files.kind(path) for path in paths if not files.is_recording(path)}
    hints += [f"To have them read, {ADVICE[kind]}." for kind in ("sound", "video") if kind in kinds]
    return " ".join(hints)


def no_clip(info: CorpusInfo, root: Path) -> str:
    """Why nothing in the folder of a corpus is a clip of it."""
    recordings = files.audio_files(root) if root.is_dir() else []
    if not recordings or not info.example:
        return f"No clip of {info.title} below {info.name}/ in the data folder. {info.how_to_get}"
    first = recordings[0].relative_to(root).as_posix()
    return (
        f"No clip of {info.title}: none of the {len(recordings):,} recordings in {root.name}/ (first {first}) is "
        f"called like one, such as {info.example}. Restore their names and folders. {info.how_to_get}"
    )


def _above(folder: Path, known: Sequence[str]) -> list[str]:
    """Whether the folder is one of a corpus, or lies inside one."""
    for one in (folder.resolve(), *folder.resolve().parents):
        if folders.meant(one.name, known):
            where = "It is itself the folder of a corpus" if one == folder.resolve() else f"It lies inside {one.name}/"
            return [f"{where}; give the folder that holds {one.name}/."]
    return []
