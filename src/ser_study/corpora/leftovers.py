"""What lies in the data folder and is not used, so that nothing is left out in silence: recordings that are no clip,
files that nothing here reads, and all that lies outside the folders of the corpora.

Conventions
-----------
A line is ``(issue, clip_id, detail, known)`` as in ``audit``. Text beside recordings is known, and so are videos,
archives and data of a published corpus; sound in a format that nothing here reads never is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from pathlib import Path

from ser_study.corpora import files, folders, packed
from ser_study.corpora.info import CorpusInfo

ADVICE = {  # kind of file → what to do
    "sound": "convert sound to wav, such as with 'ffmpeg -i NAME.m4a NAME.wav'",
    "video": "take the sound out of videos, such as with 'ffmpeg -i NAME.mp4 NAME.wav'",
    "archive": "unpack archives",
    "other": "remove what is no recording",
}
MAX_NAMED = 20  # strange files that are named one by one
Line = tuple[str, str, str, bool]


def lines(used: Collection[Path], info: CorpusInfo, *, root: Path, base: Path) -> list[Line]:
    """Every file of a corpus that is neither a clip nor a side file.

    Parameters
    ----------
    used : files of its clips
    root : folder of the corpus
    base : folder that the names in the lines are below
    """
    strange = [path for path in files.audio_files(root) if path not in used]
    return _unused(strange, info, base) + unread(info, root=root, base=base)


def unread(info: CorpusInfo, *, root: Path, base: Path) -> list[Line]:
    """Every file of a corpus that is neither a recording nor a side file; parameters as of ``lines``."""
    side = {Path(name).name for name in (*info.side_files, *info.optional_files)}
    others = [path for path in files.walk(root) if path.name not in side and not files.is_recording(path)]
    return not_read(others, base, published=bool(info.expected))


def not_read(paths: Sequence[Path], base: Path, *, published: bool) -> list[Line]:
    """One line of the files that somebody may miss, one of those that belong there; by kind and with their number."""
    kinds: dict[str, list[Path]] = {}
    for path in paths:
        kinds.setdefault(files.kind(path), []).append(path)
    beside = ("text", "video", "archive", "other") if published else ("text",)
    missed = [path for kind, some in kinds.items() if kind not in beside for path in some]
    table = []
    if missed:
        advice = "; ".join(words for kind, words in ADVICE.items() if kind in kinds and kind not in beside)
        table.append(("not read", "", f"{_named(missed, base, 'not read')}; {advice}", False))
    if rest := [path for path in paths if path not in set(missed)]:
        table.append(("not read", "", f"{_named(rest, base, 'beside the recordings and left alone')}", True))
    return table


def elsewhere(raw: Path, known: Sequence[str]) -> list[Line]:
    """What lies in the data folder outside the folders and packs of the corpora."""
    if not raw.is_dir():
        return []
    inside = {folders.find(corpus, raw) for corpus in known}
    packs = {packed.path_of(corpus, raw) for corpus in known}
    rest: list[Path] = []
    for place in sorted(raw.iterdir()):
        if not files.is_hidden(place.name) and place not in inside | packs:
            rest += files.walk(place) if place.is_dir() else [place]
    recordings = [path for path in rest if files.is_recording(path)]
    advice = "put into one, such as own/, what shall be studied, and the rest elsewhere"
    words = f"{_named(recordings, raw, 'in no folder of a corpus')}; {advice}" if recordings else ""
    strange = [("unused", "", words, False)] if words else []
    return strange + not_read([path for path in rest if path not in set(recordings)], raw, published=False)


def _unused(strange: list[Path], info: CorpusInfo, base: Path) -> list[Line]:
    """Recordings that are no clip: a line for each known reason with its count, one for each strange file."""
    table, published = [], bool(info.expected)
    for pattern, reason in info.skips.items():
        fitting = [path for path in strange if re.fullmatch(pattern, path.stem)]
        strange = [path for path in strange if not re.fullmatch(pattern, path.stem)]
        if fitting:
            table.append(("unused", "", f"{len(fitting)} files, first {fitting[0].name}: {reason}", published))
    like = f"{info.name}: name or label unknown" + (f"; its clips are called {info.example}" if info.example else "")
    named, more = strange[:MAX_NAMED], strange[MAX_NAMED:]
    table += [("unused", "", f"{path.relative_to(base).as_posix()} is no clip of {like}", False) for path in named]
    return table + ([("unused", "", f"{_named(more, base, 'no clip either')}", False)] if more else [])


def _named(paths: Sequence[Path], base: Path, what: str) -> str:
    """``3 files are not read (2 .m4a, 1 .oga; first own/sad/a.m4a)``."""
    are = f"{len(paths):,} files are" if len(paths) > 1 else "1 file is"
    return f"{are} {what} ({files.counted(paths)}; first {paths[0].relative_to(base).as_posix()})"
