"""Experiments that train on several corpora: the class map, and that a tested speaker is in no corpus's training."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small_corpora

from ser_study import config as settings
from ser_study import corpora, features, joint_training, schema
from ser_study.corpora import crema_d, emodb, ravdess, savee, tess
from ser_study.corpora.info import canonical_emotion
from ser_study.experiments import Experiment, benchmark, joint
from ser_study.schema import FeatureSet
from ser_study.store import Store
from ser_study.study import Study

PROJECT = Path(__file__).resolve().parents[1]

LOADERS = ("ravdess", "tess", "savee", "crema_d", "emodb", "jl")
MAP = pd.read_csv(PROJECT / "data" / joint.CLASS_MAP, keep_default_na=False)


@pytest.mark.parametrize("loader", [ravdess, tess, crema_d, emodb, savee])
def test_class_map_holds_the_classes_of_every_loader(loader):
    own = MAP[MAP["corpus"] == loader.__name__.rpartition(".")[2]]
    assert sorted(own["emotion"]) == sorted(loader.EMOTIONS.values())
    known = [(row.label, canonical_emotion(row.label)) for row in own.itertuples()]
    assert all(emotion in (None, row) for (_, emotion), row in zip(known, own["emotion"]))


def test_class_map_is_of_known_corpora_and_emotions_and_flags_pleasant_surprise():
    assert set(MAP["corpus"]) == set(corpora.names()) - {"synthetic", "own"}
    assert set(MAP["emotion"]) <= set(schema.EMOTIONS)
    assert set(MAP["joins"]) <= {"yes", "no"}
    surprise = MAP[(MAP["corpus"] == "tess") & (MAP["emotion"] == "surprised")]
    assert "flagged" in surprise["note"].item()


@pytest.fixture(scope="module")
def everybody(tmp_path_factory):
    """A study of six loaders' corpora in their documented form, four speakers each (TESS: two)."""
    folder = tmp_path_factory.mktemp("everybody")
    for name in LOADERS:
        getattr(small_corpora, name)(folder / "raw" / name, 2 if name == "tess" else 4)
    changes = {"run.jobs": 1, "benchmark.encoders": [], "benchmark.joint_features": ["means184"]}
    changes |= {"models.joint_weights": [1.0], "models.covariance_shrinkage": [0.5]}
    store = Store(folder / "raw", folder / "derived", folder / "run", PROJECT)
    return Study(settings.load("full", changes), store)


def marked(study, monkeypatch, column_of):
    """Features without sound: noise, and for each clip ±1 by its emotion in the column of ``column_of(clip)``."""
    names = sorted({column_of(clip) for clip in study.clips().itertuples()})
    random = np.random.default_rng(0)

    def load(name, clips, **_):
        emotions = pd.factorize(clips["emotion"], sort=True)[0]
        values = random.standard_normal((len(clips), 4 * len(names))) * 0.05
        for row, clip in enumerate(clips.itertuples()):
            values[row, 4 * names.index(column_of(clip)) + emotions[row] % 4] += 1
        ids = clips["clip_id"].to_numpy(object)
        return FeatureSet(name, ids, np.zeros(len(ids), int), values.astype(np.float32), ())

    monkeypatch.setattr(features, "load", load)


def trained(study, one, monkeypatch):
    """Predictions of an experiment, and of each fit the speakers in its training part."""
    fits, plain = [], joint_training._decided

    def spied(machine, part, mixture, *rest):
        names, _ = mixture
        inside = {speaker for name in names for speaker in machine.others[name].speaker} - part.away
        fits.append((part, inside))
        return plain(machine, part, mixture, *rest)

    monkeypatch.setattr(joint_training, "_decided", spied)
    return study.predictions(one), fits


@pytest.mark.parametrize(("target", "other"), list(itertools.permutations(LOADERS, 2)))
def test_a_speaker_hidden_in_another_corpus_is_never_learned_from(everybody, target, other, monkeypatch):
    """The people of the target are put into the other corpus as well; only their own column says their emotion."""
    name, beside = (corpora.selections_of(one)[0] for one in (target, other))
    study = everybody.only([name, beside])
    own, hidden = study.selections[name], study.selections[beside]
    twins = own.clips.assign(
        clip_id=[clip.replace(f"{target}/", f"{other}/twin-") for clip in own.clips["clip_id"]],
        corpus=other,
        sha256=["0" + digest[1:] for digest in own.clips["sha256"]],
    )
    study.selections[beside] = type(hidden)(beside, pd.concat([hidden.clips, twins], ignore_index=True), hidden.dropped)
    marked(study, monkeypatch, lambda clip: clip.speaker)
    one = Experiment(name, "speaker_independent", "means184", "lda", others=(beside,))
    done, fits = trained(study, one, monkeypatch)
    for part, inside in fits:
        predicted = set(own.clips.set_index("clip_id").loc[part.block.rows["clip_id"], "speaker"])
        assert not predicted & inside
    test = done[done["role"] == "test"]
    # a speaker's unseen columns take each emotion for one of four, so chance varies widely; a leak gives 1
    assert (test["truth"] == test["prediction"]).mean() < 0.75


def test_the_marker_is_read_where_the_same_people_have_other_names(everybody, monkeypatch):
    """The control of the control: under another name a hidden speaker is learned from, and the score shows it."""
    study = everybody.only(["emodb", "jl"])
    own, hidden = study.selections["emodb"], study.selections["jl"]
    twins = own.clips.assign(
        clip_id=[clip.replace("emodb/", "jl/twin-") for clip in own.clips["clip_id"]],
        corpus="jl",
        speaker="jl/" + own.clips["speaker"],
        sha256=["0" + digest[1:] for digest in own.clips["sha256"]],
    )
    study.selections["jl"] = type(hidden)("jl", pd.concat([hidden.clips, twins], ignore_index=True), hidden.dropped)
    marked(
        study, monkeypatch, lambda clip: clip.speaker.removeprefix("jl/") if "twin" in clip.clip_id else clip.speaker
    )
    one = Experiment("emodb", "speaker_independent", "means184", "lda", others=("jl",))
    test = study.predictions(one).query("role == 'test'")
    assert (test["truth"] == test["prediction"]).mean() > 0.9


def test_every_selection_is_declared_beside_the_others(everybody):
    declared = benchmark.joint(everybody.config, everybody.possible)
    beside = {one.selection: set(one.others) for one in declared}
    assert set(beside) == {name for name, allowed in everybody.possible.items() if "speaker_independent" in allowed}
    firsts = {corpora.selections_of(name)[0] for name in LOADERS}
    for name, others in beside.items():
        assert others == firsts - {name}, name


def test_predictions_say_which_corpora_joined(everybody):
    one = next(one for one in benchmark.joint(everybody.config, everybody.possible) if one.selection == "emodb")
    table = everybody.predictions(one)
    assert one.name in set(table["experiment"])
    assert all(set(json.loads(text)["others"]) <= set(one.others) for text in table["params"])
    clips = everybody.clips("emodb")
    assert sorted(table.loc[table["role"] == "test", "clip_id"]) == sorted(clips["clip_id"])
