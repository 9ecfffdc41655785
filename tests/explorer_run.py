"""A published run for the tests of the explorer: many, few and two speakers, votes, and what it must leave out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study import schema
from ser_study.corpora import published as published_clips
from ser_study.experiments import Experiment, published
from ser_study.schema import COMMON_EMOTIONS
from ser_study.store import write_json

CORPORA = {"crema_d": 24, "emodb": 6, "savee": 4, "tess": 2}  # speakers of each
CLASSES = (*COMMON_EMOTIONS, "surprised")


def clips_of(corpus: str, n_speakers: int, random: np.random.Generator) -> pd.DataFrame:
    """Clips of a corpus: each speaker says two sentences in every emotion, in CREMA-D with votes."""
    rows = []
    for speaker in range(n_speakers):
        for emotion in CLASSES[: 6 if corpus == "crema_d" else 7]:
            for statement in ("one", "two"):
                name = f"{corpus}/{speaker:02d}_{emotion}_{statement}"
                about = {"clip_id": name, "corpus": corpus, "path": name, "emotion": emotion, "sha256": name}
                about |= {"speaker": f"{corpus}/{speaker:02d}", "statement": f"{corpus}/{statement}"}
                about |= {"gender": ("female", "male")[speaker % 2], "age": 20.0 + speaker, "language": "en"}
                if corpus == "crema_d":
                    votes = dict(zip(COMMON_EMOTIONS, map(int, random.integers(0, 5, 6)))) | {emotion: 2}
                    about |= {"human_votes": json.dumps(votes), "intensity": random.choice(["low", "high", None])}
                    about["human_recognition"] = votes[emotion] / sum(votes.values())
                rows.append(about)
    return schema.check_clips(pd.DataFrame(rows).reindex(columns=list(schema.CLIP_COLUMNS))).assign(silent=False)


def predicted(one: Experiment, clips: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Predictions of an experiment that is right about half of the time; some are alike to the last byte, some are
    even, and some give another class than the likeliest."""
    clips = clips[clips["emotion"].isin(COMMON_EMOTIONS)] if one.scheme == "6_common" else clips
    classes = sorted(clips["emotion"].unique())
    truth = pd.Index(classes).get_indexer(clips["emotion"])
    proba = random.dirichlet(np.full(len(classes), 0.6), len(clips)) + 0.5 * np.eye(len(classes))[truth]
    proba = proba / proba.sum(axis=1, keepdims=True)
    proba[::7] = np.roll(np.eye(len(classes))[0] * 0.5 + 0.5 / len(classes), 1)
    proba[3::11] = 1 / len(classes)
    answer = proba.argmax(axis=1)
    answer[5::13] = (answer[5::13] + 1) % len(classes)
    facts = {"experiment": one.name, "scheme": one.scheme, "protocol": one.protocol, "repeat": 0, "fold": 0, "seed": 1}
    facts |= {"role": "test", "model": one.model, "n_train": 100, "variant": 0, "corpus": one.selection}
    facts |= {"feature": one.feature, "draw": 0, "leak": one.leak, "params": "{}"}
    table = pd.DataFrame(facts, index=range(len(clips))).assign(clip_id=clips["clip_id"].to_numpy())
    table = table.assign(truth=clips["emotion"].to_numpy(), prediction=np.array(classes)[answer])
    return table.assign(**{f"p_{name}": proba[:, place].astype("f4") for place, name in enumerate(classes)})


def experiments() -> tuple[list[Experiment], list[Experiment]]:
    """Experiments that the explorer shows, and those that it must leave out."""
    kept = [
        Experiment(corpus, protocol, feature, "lda", **more)
        for corpus in CORPORA
        for feature in ("means184", "summary")
        for protocol, more in (
            *(("random", {}), ("speaker_independent", {})),
            ("cross_corpus", {"scheme": "6_common", "sources": ("ravdess-speech",)}),
        )
    ]
    row = ("emodb", "random", "means184", "knn")
    others = [{"draws": 2}, {"leak": "scale_on_all"}, {"shuffle": "global"}, {"size": 40}, {"train_speakers": 2}]
    return kept, [Experiment(*row, **more) for more in others]


def degraded() -> pd.DataFrame:
    """What chapter 07 measured of two systems on one corpus."""
    rows = [
        {"degradation": condition, "system": system, "uar": uar, "low": uar - 0.1, "high": uar + 0.1, "change": change}
        for system, worst in (("one encoder", 0.4), ("two encoders", 0.5))
        for condition, uar, change in (
            ("as recorded", 0.8, 0.0),
            ("white noise, 10 dB SNR", worst, 100 * (worst - 0.8)),
        )
    ]
    table = pd.DataFrame(rows).assign(corpus="emodb", n=60)
    return table.assign(change_low=table["change"] - 5, change_high=table["change"] + 5)


def published_run(folder: Path) -> Path:
    """Write the run, and return its folder."""
    random = np.random.default_rng(5)
    tables = {name: clips_of(name, n, random) for name, n in CORPORA.items()}
    kept, left_out = experiments()
    needs, run = {}, folder / "run"
    run.mkdir(parents=True)
    for place, one in enumerate([*kept, *left_out]):
        rows = predicted(one, tables[one.selection], random)
        rows = pd.concat([rows, rows.assign(draw=1)]) if one.draws > 1 else rows
        rows = pd.concat([rows, rows.assign(role="validation")], ignore_index=True)
        rows.to_parquet(path := folder / f"{place}.parquet", index=False)
        needs[path] = published.ALL
    published.write(needs, published_clips.numbers(tables.values()), run, facts={"made_from": "tests"})
    published_clips.write(tables.values(), run, private=["savee"], features=["means184"], packed=[])
    (run / "tables").mkdir()
    degraded().to_csv(run / "tables" / "degraded.csv", index=False)
    about = {"run": "run", "preset": "demo", "overrides": {}, "seed": 1, "date": "today", "chapters": {}}
    write_json(run / "run.json", about)
    return run
