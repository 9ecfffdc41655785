"""EMO-DB: the Berlin Database of Emotional Speech.

Ten actors (five women, five men; 21 to 35 years old) say ten German everyday sentences in seven emotions,
recorded in an anechoic chamber and released at 16 kHz. Of 816 recordings the 535 released ones are those
whose emotion at least 80 % of 20 listeners named and at least 60 % found natural.

A stem is ``03a01Fa``: speaker, sentence, emotion (first letter of the German word: Wut, Langeweile, Ekel,
Angst, Freude, Trauer, neutral), version. ``erkennung.txt`` (Latin-1, decimal commas) holds for each of the
816 recordings the share of listeners who named the emotion: ``human_recognition``.

Burkhardt F, Paeschke A, Rolfes M, Sendlmeier W, Weiss B (2005). A database of German emotional speech.
Interspeech 2005: 1517-1520.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ser_study.corpora.files import audio_files, side_file
from ser_study.corpora.info import CorpusInfo

STEM = re.compile(r"(?P<speaker>\d\d)(?P<statement>[ab]\d\d)(?P<emotion>[WLEAFTN])(?P<version>[a-z]?)")
EMOTIONS = {
    "W": "angry",
    "L": "bored",
    "E": "disgust",
    "A": "fearful",
    "F": "happy",
    "T": "sad",
    "N": "neutral",
}
SPEAKERS = {  # gender, age in years
    "03": ("male", 31.0),
    "08": ("female", 34.0),
    "09": ("female", 21.0),
    "10": ("male", 32.0),
    "11": ("male", 26.0),
    "12": ("male", 30.0),
    "13": ("female", 32.0),
    "14": ("female", 35.0),
    "15": ("male", 25.0),
    "16": ("female", 31.0),
}
RECOGNITION = "erkennung.txt"
_LINE = re.compile(r"^\s*\d+\s+(?P<stem>\w+)\.wav\s+(?P<percent>\d+(?:[.,]\d+)?)", re.MULTILINE)

INFO = CorpusInfo(
    name="emodb",
    title="EMO-DB, Berlin Database of Emotional Speech",
    description=(
        "Ten actors say ten German sentences in seven emotions. 16 kHz, anechoic chamber. The 535 clips are those "
        "of 816 that listeners recognised (80 % or more) and found natural."
    ),
    licence="free for research",
    citation=(
        "Burkhardt F, Paeschke A, Rolfes M, Sendlmeier W, Weiss B (2005). A database of German emotional speech. "
        "Interspeech 2005: 1517-1520."
    ),
    source="doi:10.5281/zenodo.7447302",
    how_to_get="ser-study download emodb; or unpack the audio into emodb/wav/ and put erkennung.txt into emodb/.",
    language="de",
    expected={"clips": 535},
    human=(
        "20 listeners named the intended emotion with a recall of 93.0 % averaged over the classes. These clips "
        "were kept because these listeners recognised them: on all 816 recordings it is 84.9 %."
    ),
    human_figures={"mean class recall, released clips": 0.930, "mean class recall, all 816 recordings": 0.849},
    side_files=(RECOGNITION,),
    example="03a01Fa.wav",
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a clip; ``human_recognition`` where ``erkennung.txt`` is present and lists it.

    Raises
    ------
    ValueError
        ``erkennung.txt`` is there and no line of it can be read.
    """
    recognition = _recognition(side_file(root, RECOGNITION))
    matches = ((path, STEM.fullmatch(path.stem)) for path in audio_files(root))
    return [_row(path, match, recognition) for path, match in matches if match and match["speaker"] in SPEAKERS]


def _row(path: Path, name: re.Match, recognition: dict[str, float]) -> dict[str, Any]:
    gender, age = SPEAKERS[name["speaker"]]
    return {
        "clip_id": f"emodb/{path.stem}",
        "path": path,
        "emotion": EMOTIONS[name["emotion"]],
        "speaker": f"emodb/{name['speaker']}",
        "statement": f"emodb/{name['statement']}",
        "gender": gender,
        "age": age,
        "channel": "speech",
        "repetition": name["version"] or None,
        "language": "de",
        "human_recognition": recognition.get(path.stem),
    }


def _recognition(path: Path | None) -> dict[str, float]:
    """Stem → share of listeners who named the intended emotion."""
    if path is None:
        return {}
    text = path.read_text(encoding="latin-1").replace("\xa0", " ")
    shares = {line["stem"]: float(line["percent"].replace(",", ".")) / 100 for line in _LINE.finditer(text)}
    if not shares:
        raise ValueError(f"emodb/{path.name} holds no line like '3 03a01Fa.wav 90,00'; restore the original file.")
    return shares
