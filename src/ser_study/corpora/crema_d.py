"""CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset.

91 actors (43 women, 48 men; 20 to 74 years old, of several ethnic backgrounds) say twelve sentences in six
emotions, 7,442 clips at 16 kHz. One sentence (IEO, "It's eleven o'clock") is acted at low, medium and high
intensity, 1,456 clips; the others have no intensity.

A stem is ``1001_IEO_ANG_HI``: actor, sentence, emotion, intensity (LO, MD, HI; XX none).
``VideoDemographics.csv`` gives age, sex, race and ethnicity. ``ratings/tabulatedVotes.csv`` counts the votes of
crowd workers; its ids from 100000 to 199999 are those who heard the voice alone, which is what a model hears:
``human_votes``, ``human_agreement`` (share of the winning vote), ``human_recognition`` (share choosing the
intended emotion).

Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D: Crowd-sourced Emotional
Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5(4): 377-390.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study.corpora.files import audio_files, side_file
from ser_study.corpora.info import CorpusInfo

STEM = re.compile(
    r"(?P<actor>1\d{3})_(?P<statement>[A-Z]{3})_(?P<emotion>ANG|DIS|FEA|HAP|NEU|SAD)_(?P<intensity>LO|MD|HI|XX|X)"
)
EMOTIONS = {"ANG": "angry", "DIS": "disgust", "FEA": "fearful", "HAP": "happy", "NEU": "neutral", "SAD": "sad"}
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high"}
VOTES = {"A": "angry", "D": "disgust", "F": "fearful", "H": "happy", "N": "neutral", "S": "sad"}
VOICE_ONLY = (100_000, 199_999)  # ids of the ratings made from the voice alone
DEMOGRAPHICS, RATINGS = "VideoDemographics.csv", "ratings/tabulatedVotes.csv"
_CONFLICTS = {
    "1006_TIE_HAP_XX": "1006_TIE_NEU_XX",
    "1013_WSI_DIS_XX": "1013_WSI_SAD_XX",
    "1017_IWW_ANG_XX": "1017_IWW_FEA_XX",
}

INFO = CorpusInfo(
    name="crema_d",
    title="CREMA-D, Crowd-sourced Emotional Multimodal Actors Dataset",
    description=(
        "91 actors of 20 to 74 years say twelve sentences in six emotions. American English, 16 kHz. Each clip was "
        "judged from the voice alone by about nine people."
    ),
    licence="ODbL 1.0",
    citation=(
        "Cao H, Cooper DG, Keutmann MK, Gur RC, Nenkova A, Verma R (2014). CREMA-D: Crowd-sourced Emotional "
        "Multimodal Actors Dataset. IEEE Transactions on Affective Computing 5(4): 377-390."
    ),
    source="the repository CheyneyComputerScience/CREMA-D on GitHub, mirrored on GitLab",
    how_to_get=(
        "ser-study download crema_d; or put AudioWAV/, VideoDemographics.csv and ratings/tabulatedVotes.csv "
        "(processedResults/ upstream) into crema_d/."
    ),
    expected={"clips": 7442},
    known_defects={
        "crema_d/1076_MTI_SAD_XX": "silent upstream",
        **{f"crema_d/{a}": f"conflict: the same sound as {b}" for a, b in _CONFLICTS.items()},
        **{f"crema_d/{b}": f"conflict: the same sound as {a}" for a, b in _CONFLICTS.items()},
        **{
            f"crema_d/{stem}": "users complained of this clip upstream"
            for stem in ("1076_MTI_NEU_XX", "1064_TIE_SAD_XX", "1064_IEO_DIS_MD")
        },
    },
    human=(
        "From the voice alone one listener chose the intended emotion in 40.0 % of the 68,568 votes on all 7,442 clips "
        "(recall averaged over the classes 40.7 %); the plurality of each clip's listeners did in 41.6 % (42.9 %), "
        "ties counted as wrong."
    ),
    human_figures={
        "one vote, accuracy": 0.400,
        "one vote, mean class recall": 0.407,
        "plurality, accuracy": 0.416,
        "plurality, mean class recall": 0.429,
    },
    side_files=(DEMOGRAPHICS, RATINGS),
    example="1001_IEO_ANG_HI.wav",
    optional_files=(
        "SentenceFilenames.csv",
        "summaryTable.csv",
    ),
)


def rows(root: Path) -> list[dict[str, Any]]:
    """One row a clip, with the actor's demographics and the votes where their files are present.

    Raises
    ------
    ValueError
        A side file is there and lacks its columns, or holds words where numbers should be.
    """
    actors = _demographics(side_file(root, DEMOGRAPHICS))
    votes = _votes(side_file(root, RATINGS))
    matches = ((path, STEM.fullmatch(path.stem)) for path in audio_files(root))
    return [
        _row(path, match) | actors.get(match["actor"], {}) | _judged(votes.get(path.stem), EMOTIONS[match["emotion"]])
        for path, match in matches
        if match
    ]


def _row(path: Path, name: re.Match) -> dict[str, Any]:
    return {
        "clip_id": f"crema_d/{path.stem}",
        "path": path,
        "emotion": EMOTIONS[name["emotion"]],
        "intensity": INTENSITIES.get(name["intensity"]),
        "speaker": f"crema_d/{name['actor']}",
        "statement": f"crema_d/{name['statement']}",
        "channel": "speech",
        "language": "en",
    }


def _demographics(path: Path | None) -> dict[str, dict[str, Any]]:
    """Actor → gender, age, race and ethnicity; "Unknown" is empty."""
    if path is None:
        return {}
    table = _read(path, ("ActorID", "Age", "Sex", "Race", "Ethnicity"))
    _numeric(table, ("ActorID", "Age"), path)
    strange = set(table["Sex"].dropna()) - {"Female", "Male", "Unknown"}
    if strange:
        raise ValueError(f"crema_d/{path.name} has the sex {min(map(str, strange))!r}; restore the original file.")
    known = table.astype(object).replace({"Unknown": None}).where(table.notna(), None)
    return {
        str(int(row["ActorID"])): {
            "gender": row["Sex"].lower() if row["Sex"] else None,
            "age": None if row["Age"] is None else float(row["Age"]),
            "race": row["Race"],
            "ethnicity": row["Ethnicity"],
        }
        for _, row in known[known["ActorID"].notna()].iterrows()
    }


def _votes(path: Path | None) -> dict[str, dict[str, int]]:
    """Stem → votes an emotion, voice only; the votes of a clip listed twice are added."""
    if path is None:
        return {}
    table = _read(path, (*VOTES, "fileName"))
    _numeric(table, tuple(VOTES), path)
    ids = pd.to_numeric(table.iloc[:, 0], errors="coerce")
    voice = table[ids.between(*VOICE_ONLY)].groupby("fileName")[list(VOTES)].sum()
    return voice.rename(columns=VOTES).to_dict(orient="index")


def _judged(votes: dict[str, int] | None, intended: str) -> dict[str, Any]:
    """The three human columns of a clip."""
    if not votes or not sum(votes.values()):
        return {}
    total = sum(votes.values())
    return {
        "human_votes": json.dumps(votes, sort_keys=True),
        "human_agreement": max(votes.values()) / total,
        "human_recognition": votes[intended] / total,
    }


def _numeric(table: pd.DataFrame, columns: tuple[str, ...], path: Path) -> None:
    """Raise ``ValueError`` naming the first value that should be a number and is none."""
    for column in columns:
        wrong = table[column][pd.to_numeric(table[column], errors="coerce").isna() & table[column].notna()]
        wrong = wrong[wrong != "Unknown"]
        if len(wrong):
            raise ValueError(
                f"crema_d/{path.name} line {wrong.index[0] + 2} has {wrong.iloc[0]!r} where {column} is a number; "
                "restore the original file."
            )


def _read(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path)
    except (ValueError, OSError) as error:  # pandas' parser errors are ValueErrors
        raise ValueError(f"crema_d/{path.name} cannot be read ({error}); restore the original file.") from None
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"crema_d/{path.name} lacks the columns {', '.join(missing)}; restore the original file.")
    return table
