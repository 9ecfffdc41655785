"""SAVEE: Surrey Audio-Visual Expressed Emotion.

Four men (DC, JE, JK, KL; students and researchers at the University of Surrey, 27 to 31 years old, ages
not given per speaker) read TIMIT sentences in seven emotions: 15 each, 30 for neutral, 480 clips at 44.1 kHz.

A clip is ``DC_a01`` or ``DC/a01``: speaker, emotion (a d f h n sa su), number. The same number means
*different sentences in different emotions* (3 sentences are common to all, 2 belong to one emotion, 10 are
generic and differ per emotion), so the words can give the label away. Therefore ``statement`` stays
empty and no sentence protocol is offered, unless a file ``sentences.csv`` with the columns
``file,sentence`` (``a01`` or ``DC_a01``, and its words) lies in the folder; equal words are then one statement.

Haq S, Jackson PJB (2009). Speaker-dependent audio-visual emotion recognition. AVSP 2009.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from ser_study.corpora.files import audio_files, side_file
from ser_study.corpora.info import CorpusInfo

SPEAKERS = ("DC", "JE", "JK", "KL")
CODE = re.compile(r"(?:(?P<speaker>DC|JE|JK|KL)_)?(?P<code>(?P<emotion>sa|su|[adfhn])(?P<number>\d\d))")
EMOTIONS = {
    "a": "angry",
    "d": "disgust",
    "f": "fearful",
    "h": "happy",
    "n": "neutral",
    "sa": "sad",
    "su": "surprised",
}
SENTENCES = "sentences.csv"

INFO = CorpusInfo(
    name="savee",
    title="SAVEE, Surrey Audio-Visual Expressed Emotion",
    description=(
        "Four men read TIMIT sentences in seven emotions. British English, 44.1 kHz. The sentences differ between "
        "emotions, so the words can give the label away; no sentence protocol unless sentences.csv is present. "
        "168 of the 480 clips touch full scale."
    ),
    licence="free for research after registration",
    citation="Haq S, Jackson PJB (2009). Speaker-dependent audio-visual emotion recognition. AVSP 2009.",
    source="the SAVEE page of the University of Surrey (search for: SAVEE database Surrey)",
    how_to_get="Register on the SAVEE page, then unpack AudioData (folders DC, JE, JK, KL) into savee/.",
    expected={"clips": 480},
    human=(
        "Haq and Jackson (2009) asked listeners; 66.5 % for sound alone is often quoted, "
        "and we have not seen the figure at its source."
    ),
    example="DC_a01.wav, or a01.wav in a folder DC, JE, JK or KL",
    optional_files=(SENTENCES,),
    names_published=False,
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a clip, named ``DC_a01`` or lying as ``a01`` in the folder ``DC``.

    Raises
    ------
    ValueError
        ``sentences.csv`` is there and lacks its columns.
    """
    sentences = _sentences(side_file(root, SENTENCES))
    table = []
    for path in audio_files(root):
        name = CODE.fullmatch(path.stem)
        speaker = name and (name["speaker"] or path.parent.name)
        if speaker in SPEAKERS:
            words = sentences.get(f"{speaker}_{name['code']}") or sentences.get(name["code"])
            table.append(_row(path, name, speaker, words))
    return table


def _row(path: Path, name: re.Match, speaker: str, words: str | None) -> dict[str, Any]:
    return {
        "clip_id": f"savee/{speaker}_{name['code']}",
        "path": path,
        "emotion": EMOTIONS[name["emotion"]],
        "speaker": f"savee/{speaker}",
        "statement": f"savee/{words}" if words else None,
        "gender": "male",
        "channel": "speech",
        "language": "en",
    }


def _sentences(path: Path | None) -> dict[str, str]:
    """Code → words in lower case joined by hyphens, from the optional sentence list."""
    if path is None:
        return {}
    with path.open(encoding="utf-8-sig", newline="") as lines:
        table = csv.DictReader(lines)
        if not {"file", "sentence"} <= set(table.fieldnames or ()):
            raise ValueError(f"savee/{SENTENCES} has the columns {table.fieldnames}; it needs file and sentence.")
        return {row["file"].strip(): "-".join(re.findall(r"[a-z']+", row["sentence"].lower())) for row in table}
