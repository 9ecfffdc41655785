"""The recognisers that a run leaves behind: a small and a large one, chosen by validation rows alone.

Conventions
-----------
A recogniser is one system fitted on one selection, alone or beside other corpora. What it reads a clip by is the choice
that does best on average over all selections; then the selection is chosen on which that does best. Scores count from
guessing (0) to always right (1), for selections differ in their number of classes. Only validation rows are compared.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study import features
from ser_study import recognizer as recognizers
from ser_study.chapters.testing.declare import MODEL, PROTOCOL
from ser_study.evaluation import abstention, intervals, metrics
from ser_study.experiments import benchmark, execute
from ser_study.experiments.experiment import Experiment
from ser_study.recognizer import Recognizer, fitting
from ser_study.store import git, replacing
from ser_study.study import Study

VERSION = 1  # rises when the same choice would be kept in another way
FOLDER = "models"  # in the folder of the run
KINDS = ("small", "large")
COLUMNS = [
    *("file", "kilobytes", "feature", "selection", "corpora", "licences", "classes", "n_train", "uar", "low", "high"),
    *("interval", "n_speakers", "uar_validation", "threshold", "aim", "coverage", "accuracy", "limits"),
]


def candidates(study: Study) -> dict[str, dict[str, list[Experiment]]]:
    """Kind → feature → the system on every selection that can choose and be tested by new speakers.

    Small: one encoder; where none is here, the hand-crafted features of the ladder. Large: several encoders, with other
    corpora in training where the run declares that.
    """
    names = [name for name, allowed in study.possible.items() if PROTOCOL in allowed]
    able = [name for name in names if study.selections[name].n_speakers >= intervals.MIN_JACKKNIFE]
    encoders = [name for name in benchmark.available_encoders(study.config) if _fits(name)]
    single = [name for name in encoders if "+" not in name]
    by_kind = {
        "small": single or [name for name in [study.config.ladder.feature] if _fits(name)],
        "large": [name for name in encoders if "+" in name],
    }
    joint = {(one.selection, one.feature): one for one in benchmark.joint(study.config, study.possible)}
    return {
        kind: {name: [_system(kind, selection, name, joint) for selection in able] for name in some if able}
        for kind, some in by_kind.items()
    }


def _fits(feature: str) -> bool:
    """Whether a recogniser can make a feature beside others, in whatever process."""
    return not any(features.get(part).apart for part in feature.split("+"))


def _system(kind: str, selection: str, feature: str, joint: Mapping[tuple[str, str], Experiment]) -> Experiment:
    alone = Experiment(selection, PROTOCOL, feature, MODEL)
    return joint.get((selection, feature), alone) if kind == "large" else alone


def choose(study: Study) -> dict[str, tuple[Experiment, float]]:
    """Kind → the system that is kept, and its UAR on validation rows; no test row is read.

    A kind without a candidate is left out.
    """
    chosen = {}
    for kind, by_feature in candidates(study).items():
        tables = study.predict_validation([one for some in by_feature.values() for one in some])
        scores = {one: above_guessing(table) for one, table in tables.items() if len(table)}
        means = {
            name: float(np.mean(known))
            for name, some in by_feature.items()
            if (known := [scores[one] for one in some if one in scores])
        }
        if means:
            feature = max(means, key=means.get)
            best = max((one for one in by_feature[feature] if one in scores), key=scores.get)
            chosen[kind] = best, metrics.uar_of(tables[best])
    return chosen


def above_guessing(table: pd.DataFrame) -> float:
    """UAR of predictions, counted from guessing (0) to always right (1)."""
    chance = 1 / table["truth"].nunique()
    return (metrics.uar_of(table) - chance) / (1 - chance) if chance < 1 else 0.0


def export(study: Study) -> pd.DataFrame:
    """Fit what was chosen on all its clips, write it to ``models/<kind>.npz`` of the run, describe it (``COLUMNS``).

    In JupyterLab the files go to the folder of what is explored. A file that an older run left is replaced or removed.
    """
    chosen, rows = choose(study), []
    for kind in KINDS:
        path = study.store.outputs / FOLDER / f"{kind}.npz"
        if kind not in chosen:
            path.unlink(missing_ok=True)
            continue
        one, validation = chosen[kind]
        study.scores([one])  # the card shows them, also where it comes from the store: a look at test rows
        with replacing(path) as temporary:
            temporary.write_bytes(content(study, one))
        rows.append(described(path, one) | {"uar_validation": validation})
    return pd.DataFrame(rows, columns=COLUMNS)


def content(study: Study, one: Experiment) -> bytes:
    """The file of a recogniser, from the store or fitted now; the same study gives the same bytes."""
    job = execute.make(one, study.selections, None, study.config, study.store)
    commit = git(study.store.project, "rev-parse", "HEAD")  # is part of the card
    versions = {"bundle": VERSION, "head": fitting.VERSION}
    cache_key = {**job.cache_key, "evaluation": study.config.evaluation, "commit": commit, **versions}

    def make() -> pd.DataFrame:
        kept = recognizers.made(one, study.selections, config=study.config, store=study.store)
        with tempfile.TemporaryDirectory() as folder:
            return pd.DataFrame({"content": [kept.save(Path(folder) / "kept.npz").read_bytes()]})

    return study.store.cached(execute.artefact_name("recognisers", job), cache_key, make)["content"].iloc[0]


def described(path: Path, one: Experiment) -> dict:
    """What the card in a file says, as one row."""
    card = Recognizer.load(path).card
    used = [corpus for corpus in card["corpora"] if corpus["trained_on"]]
    uar = card["scores"]["uar"]
    sure = next((row for row in card["thresholds"] if row["aim"] == abstention.ANSWERS_AT), {})
    return {
        "file": path.name,
        "kilobytes": path.stat().st_size / 1000,
        "feature": one.feature,
        "selection": one.selection,
        "corpora": ", ".join(corpus["selection"] for corpus in used),
        "licences": "; ".join(dict.fromkeys(corpus["licence"] for corpus in used)),
        "classes": ", ".join(card["classes"]),
        "n_train": card["n_train"],
        "uar": uar["value"],
        "low": np.nan if uar["low"] is None else uar["low"],
        "high": np.nan if uar["high"] is None else uar["high"],
        "interval": uar["interval"],
        "n_speakers": uar["n_speakers"],
        "threshold": np.nan if card["threshold"] is None else card["threshold"],
        "aim": abstention.ANSWERS_AT,
        "coverage": sure.get("coverage", np.nan),
        "accuracy": np.nan if sure.get("accuracy") is None else sure["accuracy"],
        "limits": card["limits"],
    }
