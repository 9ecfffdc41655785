"""A study on a cluster: a worker that is killed loses nothing, and the files are those of one worker, byte for byte."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import time
from contextlib import nullcontext
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joint_clips import clips_of

from ser_study import config as settings
from ser_study import corpora, features, parallel
from ser_study.experiments import Experiment, Selection, joint_finetuned, runner, spreading
from ser_study.parallel import parallel_map
from ser_study.store import Store
from ser_study.study import Study

CHANGES = {
    **{"corpora": "synthetic", "synthetic.n_speakers": 4, "synthetic.n_statements": 2, "synthetic.n_repetitions": 1},
    **{"evaluation.n_bootstrap": 200, "tuning.inner_folds": 2, "run.jobs": 1},
}
EXPERIMENTS = [
    Experiment("synthetic", protocol, "means180", model)
    for protocol in ("random", "speaker_independent")
    for model in ("lda", "logistic", "linear_svm")
]


@pytest.fixture(scope="module")
def voices(tmp_path_factory) -> Path:
    """A folder with the built-in corpus and its scan, and nothing that is computed from it."""
    folder = tmp_path_factory.mktemp("voices")
    assert len(study_in(folder).clips("synthetic")) == 96
    return folder


def study_in(folder: Path, **run) -> Study:
    config = settings.load("demo", CHANGES | {f"run.{name}": value for name, value in run.items()})
    return Study(config, Store(folder / "raw", folder / "derived", folder / "run", folder))


@pytest.fixture(scope="module")
def alone(voices, tmp_path_factory) -> dict[str, str]:
    """What one worker makes."""
    folder = copied(voices, tmp_path_factory.mktemp("alone"))
    study_in(folder).scores(EXPERIMENTS)
    return made_in(folder)


def copied(voices: Path, folder: Path) -> Path:
    for kind in ("synthetic", "scan"):
        (folder / "derived").mkdir(exist_ok=True)
        (folder / "derived" / kind).symlink_to(voices / "derived" / kind)
    return folder


def made_in(folder: Path) -> dict[str, str]:
    """Files of features, predictions and scores, and the hash of each."""
    kinds = ("features", "predictions", "scores")
    files = sorted(path for kind in kinds for path in (folder / "derived" / kind).rglob("*.parquet"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def kill_a_busy_worker(address: str) -> int:
    """Kill one of the worker processes that has something to do; its process id."""
    from dask.distributed import Client

    with Client(address, set_as_default=False) as client:
        client.wait_for_workers(3, timeout=60)
        pids = client.run(os.getpid)
        assert len(set(pids.values())) == 3
        busy = next(worker for worker, tasks in client.processing().items() if tasks)
    os.kill(pids[busy], signal.SIGKILL)
    return pids[busy]


def test_killed_in_the_middle_of_features_and_of_experiments(cluster, voices, alone, tmp_path, monkeypatch):
    """One of three workers each time, once the first results are there."""
    study, killed = study_in(copied(voices, tmp_path), cluster=cluster), []

    def kill_after_the_first(values, *, at):
        for number, value in enumerate(values):
            yield value
            if number == at:
                killed.append(kill_a_busy_worker(cluster))

    def watched(module, at):
        plain = module.parallel_map
        monkeypatch.setattr(
            module,
            "parallel_map",
            lambda work, items, **how: kill_after_the_first(plain(partial(slowly, work), items, **how), at=at),
        )

    watched(features, 8)
    watched(runner, 0)
    study.scores(EXPERIMENTS)
    assert len(killed) == 2
    assert made_in(tmp_path) == alone
    assert len(alone) == 1 + 2 * len(EXPERIMENTS)


def slowly(work, item):
    """Long enough that a worker can be killed while it works."""
    time.sleep(0.05)
    return work(item)


def test_clips_travel_by_name_and_are_the_same(voices, tmp_path):
    study = study_in(voices)
    part = study.selection("synthetic")
    store = dataclasses.replace(study.store, derived=tmp_path)
    there = spreading.stored(part, store)
    assert spreading.stored(part, store) == there
    again = spreading.restored(there)
    pd.testing.assert_frame_equal(again.clips, part.clips)
    assert again.digest == part.digest
    changed = dataclasses.replace(part, clips=part.clips.assign(age=30.0))
    assert spreading.stored(changed, store) != there
    there.file.write_text("damaged")
    spreading.restored.cache_clear()
    with pytest.raises(OSError, match="do all workers see the folder"):
        spreading.restored(there)


def test_more_tasks_than_the_scheduler_gets_at_a_time(cluster, monkeypatch):
    monkeypatch.setattr(parallel, "WINDOW", 3)
    assert list(parallel_map(abs, range(-30, 0), cluster=cluster, batch=2)) == [(n, -n) for n in range(-30, 0)]


def test_what_kills_every_worker_fails_alone(monkeypatch):
    """The scheduler gives up on a task that took several workers with it; so do we, on that item only."""
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

    class Deadly:
        def __init__(self, chunk):
            self.chunk = chunk

        def result(self):
            if 4 in self.chunk:
                raise distributed.KilledWorker("task", None, 3)
            return [-item for item in self.chunk]

    class Scheduler:
        def submit(self, call, function, chunk, name, *, pure):
            return Deadly(chunk)

    monkeypatch.setattr(parallel, "_client", lambda address: nullcontext(Scheduler()))
    results = dict(parallel_map(abs, range(6), cluster="tcp://127.0.0.1:9", batch=3))
    assert "crashed" in results.pop(4).reason
    assert results == {item: -item for item in (0, 1, 2, 3, 5)}


def test_a_scheduler_that_goes_away_is_named(monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the extra 'cluster' is not installed")

    class Gone:
        def submit(self, *task, pure):
            return self

        def result(self):
            raise distributed.CancelledError

    monkeypatch.setattr(parallel, "_client", lambda address: nullcontext(Gone()))
    with pytest.raises(ConnectionError, match=r"scheduler at tcp://127\.0\.0\.1:9 went away.*run again"):
        list(parallel_map(abs, [1], cluster="tcp://127.0.0.1:9"))


def test_folds_of_a_joint_training_travel_and_one_is_done_again(cluster, store, monkeypatch):
    """Workers get clips and key as they are here; a worker that dies in a fold loses only what it was at."""
    clips = clips_of({"emodb": 8, "ravdess": 24})
    selections = {
        name: Selection(name, corpora.select(clips, name), clips.iloc[:0]) for name in ("emodb", "ravdess-speech")
    }
    config, read = settings.load("full", {"corpora": "emodb,ravdess", "run.cluster": cluster}), []
    monkeypatch.setattr(features, "extract_missing", lambda name, clips, **how: read.append((name, len(clips))))
    monkeypatch.setattr(joint_finetuned, "_train_aloud", train_there)
    monkeypatch.setattr(joint_finetuned.ledger, "log_test_evaluations", lambda *line: None)
    options = {"config": config, "store": store}
    done = joint_finetuned.predict(selections, **options, folds=[1, 2])  # would need CAM++, were a fold not finished
    assert joint_finetuned.finished_folds(selections, **options) == [1, 2]
    assert read == [(joint_finetuned.FEATURE, sum(len(part.clips) for part in selections.values()))]
    assert set(done) == set(selections)
    assert set(done["emodb"]["fold"]) == {1, 2}
    assert len((store.derived / "attempts-2").read_text()) == 2


def train_there(fold, *, selections, config, store):
    """Stands for a training, without TensorFlow: logits by chance. The first attempt at fold 2 is killed."""
    store.derived.mkdir(exist_ok=True)
    with (store.derived / f"attempts-{fold}").open("a") as attempts:
        attempts.write("x")
    if fold == 2 and (store.derived / "attempts-2").stat().st_size == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    assert not config.run.cluster
    clips = joint_finetuned.labelled(selections, store)
    role = joint_finetuned._roles(clips, fold, config)
    rows = clips[role != "train"]
    table = pd.DataFrame({"clip_id": rows["clip_id"], "role": role[role != "train"], "n_train": 1, "params": "{}"})
    logits = np.random.default_rng(fold).normal(size=(len(rows), clips["label"].nunique()))
    table[[f"logit_{name}" for name in sorted(clips["label"].unique())]] = logits
    name, key = joint_finetuned._artefact("fold", fold, joint_finetuned._cache_key(selections, config, store))
    store.cached(name, key, lambda: table)


def test_what_fails_there_is_named(cluster, store):
    config = settings.load("demo", {"run.cluster": cluster})
    with pytest.raises(RuntimeError, match=r"1 of 2 folds failed, first 1: Fold 1 is refused\. Run again\."):
        spreading.spread(refuse, [1, 2], {}, config=config, store=store, unit="folds")


def refuse(fold, *, selections, config, store):
    if fold == 1:
        raise ValueError("Fold 1 is refused.")
