"""RAVDESS: the Ryerson Audio-Visual Database of Emotional Speech and Song, audio-only part.

24 professional actors (12 women, 12 men, odd numbers are men; North American accent; 21 to 33 years old,
ages not given per actor) say two sentences, "Kids are talking by the door" (01) and "Dogs are sitting
by the door" (02), twice each. Speech: 8 emotions, all but neutral at normal and strong intensity, 1,440
clips. Song: 6 emotions (no disgust, no surprise), 23 actors (none by actor 18), 1,012 clips.

A stem is seven numbers: modality (03 = audio only), channel (01 speech, 02 song), emotion, intensity
(01 normal, 02 strong), statement, repetition, actor. It decides everything; folders decide nothing.

Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS).
PLoS ONE 13(5): e0196391.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from ser_study.corpora.files import audio_files
from ser_study.corpora.info import CorpusInfo

STEM = re.compile(
    r"03-(?P<channel>0[12])-(?P<emotion>0[1-8])-(?P<intensity>0[12])"
    r"-(?P<statement>0[12])-(?P<repetition>0[12])-(?P<actor>0[1-9]|1\d|2[0-4])"
)
CHANNELS = {"01": "speech", "02": "song"}
EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
INTENSITIES = {"01": "normal", "02": "strong"}
_STEREO = (
    "03-01-02-01-01-02-01",
    "03-01-08-01-02-02-01",
    "03-01-02-01-02-02-05",
    "03-01-03-01-02-01-20",
    "03-01-06-01-01-02-20",
    "03-02-01-01-01-01-24",
)

INFO = CorpusInfo(
    name="ravdess",
    title="RAVDESS, speech and song",
    description=(
        "24 actors say, and 23 of them sing (actress 18 does not), two sentences in eight (sung: six) emotions, twice "
        "each, at two intensities (neutral: one). North American English, recorded at 48 kHz in a studio."
    ),
    licence="CC BY-NC-SA 4.0",
    citation=(
        "Livingstone SR, Russo FA (2018). The Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS). "
        "PLoS ONE 13(5): e0196391."
    ),
    source="doi:10.5281/zenodo.1188976",
    how_to_get=(
        "ser-study download ravdess; or fetch Audio_Speech_Actors_01-24.zip and Audio_Song_Actors_01-24.zip from "
        "the DOI and unpack them into ravdess/."
    ),
    expected={"speech": 1440, "song": 1012},
    part="channel",
    known_defects={
        **{f"ravdess/{stem}": "stereo, both channels equal" for stem in _STEREO},
        "ravdess/03-01-03-01-02-02-07": "duplicate: the first repetition again",
    },
    skips={r"0[12]-.*": "belongs to the video part of RAVDESS (its sound repeats the audio-only clips)"},
    human=(
        "Listeners chose the intended emotion of audio-only speech in 58 % of the trials at normal and 67 % at strong "
        "intensity (Livingstone and Russo 2018); 62.4 % with seven options, neutral and calm counted as one. "
        "There are no votes per clip here."
    ),
    human_figures={"speech, normal intensity": 0.58, "speech, strong intensity": 0.67, "speech, seven options": 0.624},
    example="03-01-05-01-02-01-18.wav",
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row an audio-only clip, speech or song, whatever the folders are called."""
    matches = ((path, STEM.fullmatch(path.stem)) for path in audio_files(root))
    return [_row(path, match) for path, match in matches if match]


def _row(path: Path, name: re.Match) -> dict[str, Any]:
    return {
        "clip_id": f"ravdess/{path.stem}",
        "path": path,
        "emotion": EMOTIONS[name["emotion"]],
        "intensity": INTENSITIES[name["intensity"]],
        "speaker": f"ravdess/{name['actor']}",
        "statement": f"ravdess/{name['statement']}",
        "gender": "male" if int(name["actor"]) % 2 else "female",
        "channel": CHANNELS[name["channel"]],
        "repetition": str(int(name["repetition"])),
        "language": "en",
    }
