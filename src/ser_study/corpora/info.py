"""What the corpus modules share: the facts of a corpus, words for emotions.

Conventions
-----------
A corpus module offers ``INFO`` (a ``CorpusInfo``) and ``rows(root)``: one dict a clip with those columns
of the clips contract that file names and side files give, ``path`` somewhere below ``root``.
What is unknown is left out, never guessed. The stem of a file decides; its suffix and folder do not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ser_study import schema

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
    optional_files: tuple[str, ...] = ()  # may be there
    example: str = ""  # how a clip is called
    names_published: bool = True  # False: the corpus is licensed or yours, and so are the names of its clips


def canonical_emotion(word: str) -> str | None:
    """Canonical emotion of a word in any case ("Anger" → "angry"); None for an unknown word."""
    return EMOTION_WORDS.get(" ".join(word.lower().replace("_", " ").replace("-", " ").split()))
