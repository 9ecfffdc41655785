"""Where a corpus lies in the data folder: under its own name, or one that plainly means it.

``crema_d/`` may be called ``CREMA-D/``, ``Crema`` or ``CREMA-D-master``, ``tess/`` "TESS Toronto emotional speech set
data". Small words, versions and years are passed over; what remains must be a spelling of the corpus. Two folders that
mean one corpus are refused, for either would give other numbers than both.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from pathlib import Path

from ser_study.corpora import files

SPELLINGS = {  # corpus → letters that mean it besides its own name
    "crema_d": ("crema",),
    "emodb": ("emotiondb", "berlinemodb"),
    "savee": ("surreyaudiovisualexpressedemotion", "surreyaudiovisualexpressedemotionsavee"),
    "tess": ("torontoemotionalspeechset",),
}
# fmt: off
SMALL_WORDS = (
    "archive", "audio", "audiodata", "berlin", "clips", "complete", "corpus", "data", "database", "dataset",
    "datasets", "emotion", "emotional", "files", "full", "github", "kaggle", "main", "master", "raw", "recordings",
    "release", "set", "song", "speech", "surrey", "the", "toronto", "v", "wav", "wavs", "zenodo",
)
# fmt: on


def find(corpus: str, raw: Path) -> Path:
    """Folder of a corpus: the one that holds files and whose name means it, else the place where it belongs.

    Raises
    ------
    ValueError
        Several folders mean it; the message names them.
    """
    places = [raw / corpus]
    if raw.is_dir():
        places += [place for place in sorted(raw.iterdir()) if place.name != corpus and means(place.name, corpus)]
    there = {place.resolve(): place for place in reversed(places) if _holds_files(place)}
    if len(there) > 1:
        named = " and ".join(sorted(f"{place.name}/" for place in there.values()))
        raise ValueError(
            f"{named} in the data folder all mean the corpus {corpus}; move all of its recordings into one of them, or "
            "the others elsewhere."
        )
    return next(iter(there.values()), raw / corpus)


def check_place(corpus: str, raw: Path) -> None:
    """Raise ``ValueError`` where a corpus lies under another name than that which a download would fill."""
    if (place := find(corpus, raw)).name != corpus:
        raise ValueError(
            f"{place.name}/ in the data folder is {corpus} already; rename it to {corpus}/ to complete it."
        )


def means(name: str, corpus: str) -> bool:
    """Whether a folder or archive of this name means a corpus."""
    spellings = {_letters(corpus), *SPELLINGS.get(corpus, ())}
    plain = unicodedata.normalize("NFKC", name).lower()
    words = [word for word in re.split(r"[^a-z]+", plain) if word not in SMALL_WORDS]
    return bool({_letters(plain), "".join(words)} & spellings)


def meant(name: str, known: Sequence[str]) -> str:
    """Name of the corpus that a folder or archive means; empty where it means none."""
    return next((corpus for corpus in known if means(name, corpus)), "")


def _letters(text: str) -> str:
    return re.sub(r"[^a-z]", "", text)


def _holds_files(place: Path) -> bool:
    return not files.is_hidden(place.name) and place.is_dir() and any(True for _ in files.visible(place))
