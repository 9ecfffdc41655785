"""JL corpus: emotional New Zealand English for human-robot interaction, primary emotions.

Four speakers (two women, two men) say 15 sentences, balanced over four long vowels, in five primary
emotions (angry, sad, neutral, happy, excited), in two sessions and twice each: 4 × 15 × 5 × 2 × 2 = 1,200
clips at 44.1 kHz. Five secondary emotions (anxious, apologetic, assertive, concerned, encouraging), each
with sentences of its own, are not part of this study: their words give the label away.

A stem is ``male1_angry_10a_1``: speaker, emotion, sentence and session letter, repetition. The corpus
describes the number as the sentence and the letter as the session; ``statement`` is the number alone.
Were ``10a`` and ``10b`` different sentences, keeping them together would still be safe.

James J, Tian L, Watson CI (2018). An open source emotional speech corpus for human robot interaction
applications. Interspeech 2018: 2768-2772.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ser_study.corpora.files import audio_files
from ser_study.corpora.info import CorpusInfo

STEM = re.compile(
    r"(?P<speaker>(?P<gender>female|male)\d+)_(?P<emotion>angry|sad|neutral|happy|excited)"
    r"_(?P<sentence>\d+)(?P<session>[a-z]?)_(?P<repetition>\d+)"
)

INFO = CorpusInfo(
    name="jl",
    title="JL corpus, primary emotions",
    description=(
        "Four speakers say 15 sentences in five emotions, in two sessions, twice each. New Zealand English, 44.1 kHz."
    ),
    licence="CC0 1.0",
    citation=(
        "James J, Tian L, Watson CI (2018). An open source emotional speech corpus for human robot interaction "
        "applications. Interspeech 2018: 2768-2772."
    ),
    source="the data set jl-corpus by tli725 on Kaggle",
    how_to_get="Download the data set (a free account is needed) and unpack it into jl/, in any folders.",
    expected={"clips": 1200},
    skips={
        r"(fe)?male\d+_(anxious|apologetic|assertive|concerned|encouraging|pensive)_.*": "has a secondary emotion; "
        "this study takes the five primary ones"
    },
    human="120 people rated the clips in an online test; no figure per clip is used here.",
    example="male1_angry_10a_1.wav",
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a clip with a primary emotion."""
    matches = ((path, STEM.fullmatch(path.stem)) for path in audio_files(root))
    return [_row(path, match) for path, match in matches if match]


def _row(path: Path, name: re.Match) -> dict[str, Any]:
    return {
        "clip_id": f"jl/{path.stem}",
        "path": path,
        "emotion": name["emotion"],
        "speaker": f"jl/{name['speaker']}",
        "statement": f"jl/{int(name['sentence'])}",
        "gender": name["gender"],
        "session": name["session"] or None,
        "channel": "speech",
        "repetition": name["repetition"],
        "language": "en",
    }
