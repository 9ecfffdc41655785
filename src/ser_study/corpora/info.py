"""What the corpus modules share: the facts of a corpus, the walk over its files, words for emotions.

Conventions
-----------
A corpus module offers ``INFO`` (a ``CorpusInfo``) and ``rows(root)``: one dict a clip with those columns
of the clips contract that file names and side files give, ``path`` somewhere below ``root``.
What is unknown is left out, never guessed. The stem of a file decides; its suffix and folder do not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ser_study import schema

AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff", ".aifc", ".au", ".caf", ".w64")

EMOTION_WORDS: Mapping[str, str] = {  # words that people use → canonical emotion
    **{emotion: emotion for emotion in schema.EMOTIONS},
    **dict.fromkeys(("neutral state", "neu", "none", "no emotion"), "neutral"),
    **dict.fromkeys(("calmness", "relaxed"), "calm"),
    **dict.fromkeys(("happiness", "joy", "joyful", "hap"), "happy"),
    **dict.fromkeys(("sadness", "sorrow"), "sad"),
    **dict.fromkeys(("anger", "ang", "rage"), "angry"),
    **dict.fromkeys(("fear", "fea", "afraid", "scared", "anxiety"), "fearful"),
    **dict.fromkeys(("disgusted", "dis"), "disgust"),
    **dict.fromkeys(("surprise", "sur", "pleasant surprise", "pleasant surprised", "ps"), "surprised"),
    **dict.fromkeys(("boredom", "bor"), "bored"),
    **dict.fromkeys(("excitement", "exc"), "excited"),
    **dict.fromkeys(("frustration", "fru"), "frustrated"),
    **dict.fromkeys(("oth",), "other"),
}


@dataclass(frozen=True)
class CorpusInfo:
    """The facts of one corpus, as its dataset card shows them.

    ``known_defects`` says in short words what upstream got wrong with a clip; the words hold the audit's
    name of the issue ("silent", "stereo", "duplicate", "conflict", "rate"), which makes that issue *known*.
    """

    name: str  # folder below the raw data folder, and prefix of every id
    title: str
    description: str
    licence: str
    citation: str
    source: str  # DOI or home page, in words
    how_to_get: str
    language: str = "en"  # ISO 639-1
    expected: Mapping[str, int] = field(default_factory=dict)  # part → clips; empty: any number will do
    part: str = ""  # clips column whose values are the parts; empty: the corpus has one part
    known_defects: Mapping[str, str] = field(default_factory=dict)  # clip_id → words
    skips: Mapping[str, str] = field(default_factory=dict)  # pattern of a stem → why such files are left out
    human: str = ""  # how well people do, with the source
    human_figures: Mapping[str, float] = field(default_factory=dict)  # what exactly → share
    side_files: tuple[str, ...] = ()  # must be there, below the corpus folder


def audio_files(root: Path) -> list[Path]:
    """Every audio file below a folder, sorted, by suffix; links are followed, loops are not.

    Hidden files and folders (``._name.wav`` and ``__MACOSX`` of a Mac archive) are left out.

    Raises
    ------
    OSError
        A folder cannot be read.
    ValueError
        A file name is not valid Unicode, so that no table could hold it.
    """
    files: list[Path] = []
    seen = {os.path.realpath(root)}
    for folder, subfolders, names in os.walk(root, followlinks=True, onerror=_unreadable_folder):
        subfolders[:] = sorted(name for name in subfolders if not _is_hidden(name))
        for name in list(subfolders):
            real = os.path.realpath(os.path.join(folder, name))
            if real in seen:  # a link back to a folder already walked
                subfolders.remove(name)
            seen.add(real)
        files += [
            Path(folder, name)
            for name in names
            if os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES and not _is_hidden(name)
        ]
    for path in files:
        if any("\udc80" <= letter <= "\udcff" for letter in str(path)):  # how Python shows bytes that are no text
            raise ValueError(f"The file name {str(path)!a} is not valid Unicode; rename the file, then run again.")
    return sorted(files)


def side_file(root: Path, relative: str) -> Path | None:
    """A side file at its place, else the first file of that name anywhere below ``root``, else None."""
    if (root / relative).is_file():
        return root / relative
    name = Path(relative).name
    matches = (Path(folder, name) for folder, _, names in os.walk(root) if name in names)
    return min(matches, default=None)


def canonical_emotion(word: str) -> str | None:
    """Canonical emotion of a word in any case ("Anger" → "angry"); None for an unknown word."""
    return EMOTION_WORDS.get(" ".join(word.lower().replace("_", " ").replace("-", " ").split()))


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _unreadable_folder(error: OSError) -> None:
    raise OSError(
        error.errno, f"The folder {error.filename!r} cannot be read ({error.strerror}); check its permissions"
    )
