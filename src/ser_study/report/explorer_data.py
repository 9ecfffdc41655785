"""What the explorer computes with: the test predictions of a published run as one script.

Conventions
-----------
Which experiments there are, ``explorer_systems`` says. Probabilities stay in the bytes that are published
(``experiments.coding``). Clips are numbered as they stand here, and the rows of an experiment are in that order.
``about`` says what the arrays are; an unknown value of a column has the code ``UNKNOWN``. Both parts of the script are
base64 of gzip, since a page that is read from disk can fetch nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from scipy import stats

from ser_study import schema
from ser_study.evaluation.comparisons import votes_of
from ser_study.evaluation.intervals import CLIP_GROUPS, MIN_BOOTSTRAP, MIN_JACKKNIFE
from ser_study.experiments import coding
from ser_study.plotting.palette import INTENSITIES
from ser_study.report import explorer_systems, thumbnails
from ser_study.report.explorer_systems import System
from ser_study.report.table_html import packed
from ser_study.store import CLIPS
from ser_study.wording import sentence, word

VERSION = 3  # rises when the script holds something else
UNKNOWN = 65_535
DEGRADED = "tables/degraded.csv"  # of chapter 07
RESAMPLES, BINS = 2_000, 10  # of the bootstrap; of calibration
CALIBRATED = {"answers": 300_000, "least": 40, "most": 200}  # draws of a calibrated system: so many answers in all
COLUMNS: Mapping[str, str] = {  # what clips can be chosen by → the heading
    "gender": "Gender",
    "intensity": "Intensity",
    "statement": "Sentence",
    "speaker": "Speaker",
    "age_group": "Age",
    "race": "Race",
    "ethnicity": "Ethnicity",
    "recognised": "Listeners",
    "channel": "Channel",
    "session": "Session",
    "script": "Script",
    "repetition": "Repetition",
    "language": "Language",
}


@dataclass
class _Writer:
    """Arrays one after the other, and where each is."""

    places: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # name → first byte, numbers, bytes a number
    parts: list[bytes] = field(default_factory=list)
    size: int = 0

    def add(self, name: str, values: np.ndarray) -> None:
        """Add an array of unsigned bytes or 16-bit numbers."""
        content = np.ascontiguousarray(values).tobytes()
        self.places[name] = (self.size, values.size, values.itemsize)
        self.parts.append(content)
        self.size += len(content)


def script(folder: Path) -> str:
    """The data of the explorer; empty where the run has published no prediction that it shows.

    Parameters
    ----------
    folder : of the run, with ``clips.parquet`` and ``predictions.parquet``
    """
    systems, left_out = explorer_systems.systems(folder)
    if not systems:
        return ""
    used = explorer_systems.places(systems)
    whole = pd.read_parquet(folder / CLIPS)
    clips = whole.iloc[used].reset_index(drop=True)
    writer = _Writer()
    writer.add("tile", whole.groupby("corpus").cumcount().iloc[used].to_numpy("<u4"))  # of its corpus's thumbnails
    about = {
        "version": VERSION,
        "leftOut": left_out,
        "weights": coding.WEIGHTS.tolist(),
        "t": stats.t.ppf(0.975, np.arange(1, CLIP_GROUPS)).tolist(),
        "resamples": RESAMPLES,
        "bins": BINS,
        "calibrated": CALIBRATED,
        "speakers": {"bootstrap": MIN_BOOTSTRAP, "jackknife": MIN_JACKKNIFE},
        "groups": CLIP_GROUPS,
        "tiles": {"columns": thumbnails.COLUMNS, "width": thumbnails.WIDTH, "height": thumbnails.HEIGHT},
        "clips": clips["clip_id"].tolist(),
        "public": [name for name in clips["corpus"].unique() if thumbnails.is_public(name)],
        "columns": _columns(clips, writer),
        "votes": _votes(clips, writer),
        "systems": _predictions(systems, used, writer),
        "degraded": _degraded(folder / DEGRADED),
    }
    about |= _words(about["systems"]) | {"arrays": writer.places}
    text = json.dumps(about, ensure_ascii=False, separators=(",", ":"))
    parts = {"about": packed(text.encode()), "arrays": packed(b"".join(writer.parts))}
    return f"window.serPredictions = {json.dumps(parts)};\n"


def _columns(clips: pd.DataFrame, writer: _Writer) -> list[dict[str, Any]]:
    """Heading and values of every column that some clip has; the codes go to the arrays ``column <name>``."""
    table, columns = _with_groups(clips), []
    for name, heading in COLUMNS.items():
        values = table[name].map(lambda value, name=name: _level(name, value), na_action="ignore")
        levels = sorted(
            values.dropna().unique(), key=_level_order
        )  # speaker 01 of two corpora is one value of the list
        if not levels:
            continue
        codes = pd.Index(levels).get_indexer(values)
        writer.add(f"column {name}", np.where(codes < 0, UNKNOWN, codes).astype("<u2"))
        columns.append({"name": name, "heading": heading, "levels": levels})
    return columns


def _with_groups(clips: pd.DataFrame) -> pd.DataFrame:
    """The clips with age in tens of years, and whether most listeners recognised the emotion."""
    decade = clips["age"].dropna().floordiv(10).astype(int) * 10
    share = clips["human_recognition"].dropna()
    most = pd.Series(
        np.where(share > 0.5, "most recognise it", "half or fewer recognise it"), share.index, dtype=object
    )
    return clips.assign(age_group=decade.map(lambda years: f"{years}–{years + 9}"), recognised=most)


def _level_order(level: str) -> tuple:
    return INTENSITIES.index(level) if level in INTENSITIES else len(INTENSITIES), level


def _level(column: str, level: str) -> str:
    """A value as readers know it: speakers and sentences without the name of their corpus before them."""
    return level.partition("/")[2] if column in ("speaker", "statement") else word(level)


def _votes(clips: pd.DataFrame, writer: _Writer) -> list[str]:
    """Classes that listeners chose among; their votes go to the array ``votes`` (n, classes), the share of listeners
    who recognised the emotion, in per cent, to ``recognition``."""
    texts = clips["human_votes"].fillna("")
    each = [votes_of(text, clip) if text else {} for text, clip in zip(texts, clips["clip_id"])]
    classes = [name for name in schema.EMOTIONS if any(name in votes for votes in each)]
    counts = np.array([[votes.get(name, 0) for name in classes] for votes in each], "u1").reshape(len(each), -1)
    writer.add("votes", counts)
    per_cent = (100 * clips["human_recognition"]).round()
    writer.add("recognition", per_cent.fillna(UNKNOWN).to_numpy("<u2"))
    return classes


def _degraded(path: Path) -> list[dict[str, Any]]:
    """Scores of the systems that chapter 07 tests on degraded clips; none where it has not run."""
    if not path.is_file():
        return []
    table = pd.read_csv(path).rename(columns={"corpus": "selection", "degradation": "condition"})
    names = ["selection", "condition", "system", "uar", "low", "high", "change", "change_low", "change_high", "n"]
    return table[names].round(4).astype(object).where(table[names].notna(), None).to_dict("records")


def _predictions(systems: list[System], used: np.ndarray, writer: _Writer) -> list[dict[str, Any]]:
    """What each system is; its clips, truth, codes (C, n) and predictions go to the arrays. Lists of clips and truths
    that several systems share are there once."""
    shared: dict[bytes, int] = {}
    described = []
    for number, system in enumerate(systems):
        rows, columns = system.test, system.columns
        classes = [column.removeprefix("c_") for column in columns]
        place, truth, prediction = np.searchsorted(used, rows["clip"].to_numpy()), *_labels(rows, classes)
        key = place.tobytes() + truth.tobytes()
        if key not in shared:
            shared[key] = len(shared)
            writer.add(f"clips {shared[key]}", place.astype("<u2" if len(used) < UNKNOWN else "<u4"))
            writer.add(f"truth {shared[key]}", truth.astype("u1"))
        codes = np.stack([rows[column].to_numpy() for column in columns])
        writer.add(f"codes {number}", codes)
        likeliest = codes.argmin(axis=0)  # a prediction hardly ever is another class, and zeros take no room
        writer.add(f"other {number}", ((prediction - likeliest) % len(classes)).astype("u1"))
        described.append(_described(system) | {"classes": classes, "rows": shared[key]})
    return described


def _labels(rows: pa.Table, classes: list[str]) -> Iterator[np.ndarray]:
    """Truth and prediction as codes."""
    return (pd.Index(classes).get_indexer(rows[name].cast(pa.string()).to_pylist()) for name in ("truth", "prediction"))


def _described(system: System) -> dict[str, Any]:
    one = system.experiment
    label = f"{word(one.feature)}, {word(one.model)}"
    label += ", settings not chosen" if one.fixed else ""
    label += f", trained on {' and '.join(map(word, one.sources))}" if one.sources else ""
    label += ", other corpora join in" if one.others else ""
    n_train = float(np.mean(system.test["n_train"].to_numpy()))
    task = one.protocol if one.scheme == "native" else f"{one.protocol}/{one.scheme}"
    return {"name": one.name, "selection": one.selection, "task": task, "label": label, "nTrain": n_train}


def _words(systems: list[dict[str, Any]]) -> dict[str, Any]:
    """How readers say selections, protocols and classes."""
    classes = {name for one in systems for name in one["classes"]}
    return {
        "selections": {one["selection"]: sentence(word(one["selection"])) for one in systems},
        "tasks": {one["task"]: _task(one["task"]) for one in systems},
        "emotions": {name: word(name) for name in sorted(classes, key=_class_order)},  # in the order of the pages
    }


def _class_order(name: str) -> tuple:
    return schema.EMOTIONS.index(name) if name in schema.EMOTIONS else len(schema.EMOTIONS), name


def _task(task: str) -> str:
    protocol, _, scheme = task.partition("/")
    return sentence(word(protocol)) + (f", {schema.SCHEMES[scheme].title}" if scheme else "")
