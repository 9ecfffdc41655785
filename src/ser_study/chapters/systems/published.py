"""Published scores of other systems, how far each can be trusted, and ours beside them.

Conventions
-----------
``data/published.csv`` holds facts only, one row a score; scores are shares between 0 and 1. ``normalisation``
and ``selection`` are ``none`` where there is nothing to normalise or to choose. A light sums up what a score
is worth for new speakers: green, nothing about the test clips was used; amber, something was, or it is not
stated; red, the test speakers are in training.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study import splits
from ser_study.config import unknown
from ser_study.schema import check_columns

FILE = "published.csv"
CORPORA = ("ravdess-speech", "crema_d", "tess", "emodb")
LISTENERS = "listeners"
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "corpus": CORPORA,
    "kind": ("hand-crafted", "from scratch", "frozen encoder", "fine-tuned", LISTENERS),
    "metric": ("uar", "accuracy"),
    "protocol": ("random", "speaker_independent", "leave_one_speaker_out", "other"),
    "speakers_disjoint": ("yes", "no", "unknown"),
    "sentences_disjoint": ("yes", "no", "unknown"),
    "normalisation": ("train only", "all clips", "per speaker, with test clips", "none", "unknown"),
    "selection": ("nested", "validation", "best on test", "none", "unknown"),
}
NUMBERS = ("classes", "value", "low", "high", "n", "parameters")
PUBLISHED = (
    *("corpus", "system", "kind", "classes", "metric", "value", "low", "high", "protocol", "split"),
    *("speakers_disjoint", "sentences_disjoint", "normalisation", "selection", "n", "parameters", "source", "link"),
)
OURS = ("corpus", "protocol", "metric", "value", "low", "high")
COLUMNS = (
    *("corpus", "light", "system", "kind", "metric", "value", "low", "high"),
    *("ours", "ours_low", "ours_high", "difference", "why", "protocol", "split", "speakers_disjoint"),
    *("sentences_disjoint", "normalisation", "selection", "classes", "n", "parameters", "source", "link"),
)
LIGHTS: Mapping[str, str] = {
    "green": "new speakers, nothing about the test clips was used",
    "amber": "something about the test clips was used, or it is not stated",
    "red": "the test speakers are in training",
}
_GOOD = {
    "normalisation": {"train only": "scaled on training clips", "none": "nothing to scale"},
    "selection": {
        "nested": "chosen by inner folds",
        "validation": "chosen on validation clips",
        "none": "recipe fixed beforehand",
    },
}
_DOUBT = {
    "normalisation": {
        "all clips": "scaled on all clips, those of the test too",
        "per speaker, with test clips": "scaled by speaker, with the test clips",
        "unknown": "scaling not stated",
    },
    "selection": {"best on test": "chosen on the test clips", "unknown": "choice not stated"},
}


def table(ours: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Every published score with its light, and ours on the same corpus, protocol and metric.

    Parameters
    ----------
    ours : ``corpus, protocol, metric, value, low, high``, one system a corpus; other columns are left alone
    folder : the folder ``data`` of the project

    Returns
    -------
    DataFrame with ``COLUMNS``, by corpus and from the highest score down; ``ours``, its interval and
    ``difference`` (ours − published) are empty where this run has no such score.

    Raises
    ------
    FileNotFoundError
        The folder has no ``published.csv``.
    ValueError
        A column is missing, a value is none of those known, a number is no share, or ``ours`` has two systems
        for one corpus.
    """
    rows, scores = read(folder), _by_split(ours)
    rows["light"] = [light(row) for _, row in rows.iterrows()]
    rows["why"] = [why(row) for _, row in rows.iterrows()]
    keys = zip(rows["corpus"], rows["protocol"], rows["metric"])
    beside = [scores.get(_split(*key), (np.nan, np.nan, np.nan)) for key in keys]
    rows[["ours", "ours_low", "ours_high"]] = np.array(beside, dtype=float).reshape(-1, 3)
    rows["difference"] = rows["ours"] - rows["value"]
    rows["place"] = rows["corpus"].map({corpus: place for place, corpus in enumerate(CORPORA)})
    rows = rows.sort_values(["place", "value"], ascending=[True, False], kind="stable", ignore_index=True)
    return rows[list(COLUMNS)]


def read(folder: Path) -> pd.DataFrame:
    """The rows of ``published.csv`` as they stand, checked (columns ``PUBLISHED``); see ``table``."""
    path = folder / FILE
    if not path.is_file():
        raise FileNotFoundError(f"No {FILE} in {folder}; it belongs to the project: restore it with git.")
    rows = pd.read_csv(path, keep_default_na=False, na_values=[""])
    check_columns(rows, PUBLISHED, what="published")
    for line, row in enumerate(rows.to_dict("records"), start=2):
        if wrong := _wrong(row):
            raise ValueError(f"Line {line} of {FILE} ({row['corpus']}, {row['system']}): {wrong}")
    return rows.astype({**dict.fromkeys(NUMBERS, float), "link": object})


def _wrong(row: Mapping) -> str:
    """What is wrong with a row, as a sentence; empty where nothing is."""
    for column, known in ALLOWED.items():
        if row[column] not in known:
            return unknown(column, "" if pd.isna(row[column]) else row[column], known)
    for column in ("system", "split", "source"):
        if pd.isna(row[column]):
            return f"the {column} is empty; say it in a few words."
    numbers = pd.to_numeric(pd.Series({column: row[column] for column in NUMBERS}), errors="coerce")
    if texts := [column for column in NUMBERS if pd.isna(numbers[column]) and not pd.isna(row[column])]:
        return f"{texts[0]} is {row[texts[0]]!r}; give a number, or leave it empty."
    value, low, high = numbers["value"], numbers["low"], numbers["high"]
    if not 0 <= value <= 1:
        return f"value is {value:g}; give a share between 0 and 1."
    if pd.isna(low) != pd.isna(high) or low > value or high < value:
        return f"the interval {low:g} to {high:g} does not hold the value {value:g}; give both ends or none."
    if not numbers["classes"] >= 2:
        return f"classes is {numbers['classes']:g}; give their number, two or more."
    return ""


def light(row: Mapping) -> str:
    """Green, amber or red, from the columns of a row; see ``LIGHTS``."""
    if row["speakers_disjoint"] == "no":
        return "red"
    good = row["speakers_disjoint"] == "yes" and all(row[column] in good for column, good in _GOOD.items())
    return "green" if good else "amber"


def why(row: Mapping) -> str:
    """The reason for the light of a row, in a few words."""
    if row["kind"] == LISTENERS:
        return "people, who learned from no clip"
    if row["speakers_disjoint"] == "no":
        return LIGHTS["red"]
    doubts = [words[row[column]] for column, words in _DOUBT.items() if row[column] in words]
    if row["speakers_disjoint"] == "unknown":
        doubts = ["speakers not stated", *doubts]
    return "; ".join(doubts or ["new speakers", *(words[row[column]] for column, words in _GOOD.items())])


def _by_split(ours: pd.DataFrame) -> dict[tuple[str, str, str], tuple[float, float, float]]:
    """(corpus, split, metric) → our score and its interval."""
    check_columns(ours, OURS, what="ours")
    keys = ["corpus", "protocol", "metric"]
    if (twice := ours.duplicated(keys)).any():
        named = ", ".join(map(str, ours.loc[twice, keys].iloc[0]))
        raise ValueError(f"Our scores hold {named} twice; give one system a corpus.")
    scores: dict[tuple[str, str, str], tuple[float, float, float]] = {}
    for row in ours[ours["protocol"] != "other"].itertuples():
        scores.setdefault(_split(row.corpus, row.protocol, row.metric), (row.value, row.low, row.high))
    return scores


def _split(corpus: str, protocol: str, metric: str) -> tuple[str, str, str]:
    """What makes two scores comparable; where each speaker is a fold, the two speaker protocols are one."""
    one = protocol == "leave_one_speaker_out" and corpus in splits.ONE_SPEAKER_A_FOLD
    return corpus, "speaker_independent" if one else protocol, metric
