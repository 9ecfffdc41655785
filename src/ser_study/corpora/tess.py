"""TESS: the Toronto Emotional Speech Set.

Two actresses, an older one (OAF, 64 years) and a younger one (YAF, 26 years), each say 200 words in the
phrase "Say the word …", in seven emotions: 2 × 200 × 7 = 2,800 clips. Both are women; a common slip
labels one of them male. With two speakers and the same words in every emotion, a random split measures
memory for two voices.

A stem is ``OAF_food_fear``: actress, target word, emotion; ``ps`` is "pleasant surprise". One clip is
misnamed upstream: ``OA_bite_neutral`` is the older actress's.

Pichora-Fuller MK, Dupuis K (2020). Toronto emotional speech set (TESS). Borealis, doi:10.5683/SP2/E8H2MF.
Dupuis K, Pichora-Fuller MK (2011). Recognition of emotional speech for younger and older talkers:
behavioural findings from the Toronto Emotional Speech Set. Canadian Acoustics 39(3): 182-183.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ser_study.corpora.files import audio_files
from ser_study.corpora.info import CorpusInfo

STEM = re.compile(
    r"(?P<actress>OAF?|YAF)_(?P<word>[a-z]+)_(?P<emotion>angry|disgust|fear|happy|neutral|ps|sad)", re.IGNORECASE
)
ACTRESSES = {"OAF": ("OAF", 64.0), "OA": ("OAF", 64.0), "YAF": ("YAF", 26.0)}  # speaker, age in years
EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fearful",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "surprised",
    "sad": "sad",
}

INFO = CorpusInfo(
    name="tess",
    title="TESS, Toronto Emotional Speech Set",
    description=(
        "Two actresses, 64 and 26 years old, each say 200 words in one carrier phrase in seven emotions; a sentence is "
        "one word in that phrase, so a new sentence differs from a known one by a word. Canadian English, recorded "
        "at 24.414 kHz. Surprise is pleasant surprise."
    ),
    licence="CC BY-NC-ND 4.0",
    citation=(
        "Pichora-Fuller MK, Dupuis K (2020). Toronto emotional speech set (TESS). Borealis, doi:10.5683/SP2/E8H2MF; "
        "recorded in 2010."
    ),
    source="doi:10.5683/SP2/E8H2MF",
    how_to_get="ser-study download tess; or fetch the files from the DOI and put them into tess/, in any folders.",
    expected={"clips": 2800},
    known_defects={
        "tess/OAF_food_fear": "odd rate: 96 kHz upstream, the others 24.414 kHz",
        "tess/YAF_germ_angry": "an AIFF file named .wav upstream",
        "tess/YAF_neat_fear": "an AIFF file named .wav upstream",
        "tess/OA_bite_neutral": "misnamed upstream: it is OAF's, and counted as hers",
    },
    human="Its authors tested listeners (Dupuis and Pichora-Fuller 2011); no figure per clip is published.",
    example="OAF_food_fear.wav",
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a clip, whatever the folders are called."""
    matches = ((path, STEM.fullmatch(path.stem)) for path in audio_files(root))
    return [_row(path, match) for path, match in matches if match]


def _row(path: Path, name: re.Match) -> dict[str, Any]:
    actress, age = ACTRESSES[name["actress"].upper()]
    return {
        "clip_id": f"tess/{path.stem}",
        "path": path,
        "emotion": EMOTIONS[name["emotion"].lower()],
        "speaker": f"tess/{actress}",
        "statement": f"tess/{name['word'].lower()}",
        "gender": "female",
        "age": age,
        "channel": "speech",
        "language": "en",
    }
