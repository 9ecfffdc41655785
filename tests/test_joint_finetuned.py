"""Predictions of the network that is trained on all corpora: who is in which batch, tables, finished folds."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from joint_clips import clips_of
from sklearn.metrics import balanced_accuracy_score

from ser_study import config as settings
from ser_study import corpora, features
from ser_study.chapters.systems import joint_networks
from ser_study.experiments import joint_finetuned
from ser_study.experiments.selections import Selection, classes_of
from ser_study.features import campplus_network
from ser_study.joint_finetuning import network, training
from ser_study.joint_finetuning.batches import Rows
from ser_study.schema import FeatureSet, check_predictions, classes_in
from ser_study.study import Study

SIZES = {"crema_d": 6, "emodb": 5, "ravdess": 24, "tess": 2}
EMOTIONS = {"ravdess-speech": ("calm", "happy", "sad"), "emodb": ("bored", "sad"), "tess": ("happy", "surprised")}
CHANGES = {
    "joint_finetuning.epochs": "1,0,0",
    "corpora": "crema_d,emodb,ravdess,tess",
    "joint_finetuning.shortest": 0.1,
    "joint_finetuning.variants": "1,2",
}
FRAMES = 20


@pytest.fixture(scope="module")
def selections():
    clips = clips_of(SIZES, EMOTIONS)
    names = ("crema_d", "emodb", "ravdess-speech", "ravdess-song", "tess")
    return {name: Selection(name, corpora.select(clips, name), clips.iloc[:0]) for name in names}


@pytest.fixture
def spied(monkeypatch, selections):
    """A small random network on made-up filterbanks; what its batches read, ``(rows, epochs)``, and the ledger."""
    reads, scales, lines = [], [], []
    for name, dilation in (("block1", 1), ("block2", 2)):
        monkeypatch.setitem(campplus_network.BLOCKS, name, (1, dilation))
    monkeypatch.setattr(network, "build", partial(network.build, untrained=True))

    def load(name, clips, *, config, store, variant=0):
        values = np.random.default_rng(variant).normal(size=(len(clips), FRAMES, 80)).astype(np.float16)
        return FeatureSet(name, clips["clip_id"].to_numpy(object), np.full(len(clips), variant), values)

    monkeypatch.setattr(features, "load", load)
    plain, set_scale = training.batches, training.set_scale

    def batches(rows, **options):
        def values(which):
            reads.append(which)
            return rows.values(which)

        yield from plain(Rows(rows.corpus, rows.truth, rows.variants, values), **options)

    monkeypatch.setattr(training, "batches", batches)
    monkeypatch.setattr(training, "set_scale", lambda net, pooled: (scales.append(len(pooled)), set_scale(net, pooled)))
    monkeypatch.setattr(joint_finetuned.ledger, "log_test_evaluations", lambda *line: lines.append(line))
    return reads, scales, lines


def speakers_in(reads, table) -> set[str]:
    return set(table["speaker"].to_numpy()[np.concatenate(reads) % len(table)])


def test_no_validated_or_tested_speaker_of_any_corpus_is_in_a_batch(spied, selections, store):
    reads, scales, _ = spied
    config = settings.load("full", CHANGES | {"joint_finetuning.epochs": "1,1,1"})
    table = joint_finetuned.labelled(selections, store)
    done = joint_finetuned.train(selections, 2, config=config, store=store, log=lambda line: None)
    away = table.set_index("clip_id").loc[done["clip_id"]]
    trained = speakers_in(reads, table)
    assert not trained & set(away["speaker"])
    assert trained | set(away["speaker"]) == set(table["speaker"])
    assert {"ravdess/04", "ravdess/10", "ravdess/12", "ravdess/14"} <= set(away["speaker"])  # the second published fold
    assert set(away.loc[away["speaker"] == "ravdess/04", "channel"]) == {"speech", "song"}
    assert scales == [done["n_train"].iloc[0]]  # not even its means and spreads are of others
    assert {int(which) for which in np.concatenate(reads) // len(table)} == {0, 1, 2}  # noise and speed are trained on


def test_the_spy_sees_a_speaker_who_is_let_in(spied, selections, store, monkeypatch):
    """The control of the control."""
    reads, _, _ = spied
    plain = joint_finetuned._roles
    table = joint_finetuned.labelled(selections, store)

    def leaking(clips, fold, config):
        role = plain(clips, fold, config)
        song = ((clips["speaker"] == "ravdess/04") & (clips["channel"] == "song")).to_numpy()
        return np.where(song, "train", role)

    monkeypatch.setattr(joint_finetuned, "_roles", leaking)
    config = settings.load("full", CHANGES)
    joint_finetuned.train(selections, 2, config=config, store=store, log=lambda line: None)
    assert "ravdess/04" in speakers_in(reads, table)


def test_predictions_of_every_selection(spied, selections, store):
    """Of one fold, then of all; then nothing is left to train."""
    reads, _, lines = spied
    config, said = settings.load("full", CHANGES), []
    options = {"config": config, "store": store}
    assert joint_finetuned.finished_folds(selections, **options) == []
    assert joint_finetuned.predict(selections, **options, folds=[]) == {}
    assert not reads
    one = joint_finetuned.predict(selections, **options, folds=[1], log=said.append)
    assert joint_finetuned.finished_folds(selections, **options) == [1]
    assert any("head 1/1 · " in line for line in said)
    done = joint_finetuned.predict(selections, **options)
    assert joint_finetuned.finished_folds(selections, **options) == [1, 2, 3, 4, 5, 6]
    assert set(done) == set(selections)
    for name, table in done.items():
        check_predictions(table)
        truth = classes_of(selections[name], "native")
        assert classes_in(table) == sorted(truth.unique())
        test = table[table["role"] == "test"]
        assert sorted(test["clip_id"]) == sorted(truth.index)  # each once
        assert (test["truth"].to_numpy() == truth.loc[test["clip_id"]].to_numpy()).all()
        assert set(table["experiment"]) == {f"{name}/speaker_independent/campplus_fbank/campplus_joint"}
        columns = [f"p_{one}" for one in classes_in(table)]
        assert (table["prediction"] == table[columns].idxmax(axis=1).str.removeprefix("p_")).all()
        validation = table[table["role"] == "validation"]
        assert validation["clip_id"].is_unique
        assert len(validation) == (0 if name == "tess" else len(truth))
        first = table[table["fold"] == 1].reset_index(drop=True)
        if name in one:
            pd.testing.assert_frame_equal(first, one[name])
    assert set(one) == set(selections)
    logged = lines[-1]
    assert logged[1]["value"].item() == pytest.approx(balanced_accuracy_score(test["truth"], test["prediction"]))
    params = json.loads(done["emodb"]["params"].iloc[0])
    assert params["best_stage"] == "head"
    assert set(params["history"][0]["validation_uars"]) == {"crema_d", "emodb", "ravdess"}
    reads.clear()
    again = joint_finetuned.predict(selections, **options)
    assert not reads
    pd.testing.assert_frame_equal(again["emodb"], done["emodb"])
    hashes = [next(iter(line[0].values())) for line in lines if line[1]["corpus"].item() == "emodb"]
    assert hashes[0] != hashes[1] == hashes[2]  # the first of six folds is another test evaluation
    check_chapter(Study(config, store, selections), done)


def check_chapter(study, done):
    """Chapter 06b shows the folds that are finished, and trains none."""
    shown = joint_networks.predictions(study)
    assert set(shown) == set(done)
    table = joint_networks.scores(study, shown, {}).set_index("corpus")
    test = done["emodb"][done["emodb"]["role"] == "test"]
    assert table.loc["emodb", "uar"] == pytest.approx(balanced_accuracy_score(test["truth"], test["prediction"]))
    assert table.loc["emodb", "folds"] == done["emodb"]["fold"].nunique()
    curve = joint_networks.curves(shown)
    assert curve["fold"].tolist() == [1, 2, 3, 4, 5, 6]
    assert joint_networks.figure(curve) is not None
    assert "6 folds, 6 epochs" in joint_networks.curve_caption(curve).finding
    untrained = Study(settings.load("full", CHANGES | {"seed": 1}), study.store, study.selections)
    assert joint_networks.predictions(untrained) == {}
    assert joint_networks.figure(joint_networks.curves({})) is None
    assert joint_networks.scores(untrained, {}, {}).empty


def test_a_finished_fold_leaves_its_table_and_weights_alone(spied, selections, store):
    config = settings.load("full", CHANGES)
    with pytest.raises(KeyboardInterrupt):
        joint_finetuned.train(selections, 1, config=config, store=store, log=killing)
    kinds = [path.name.split("-")[0] for path in (store.derived / "campplus_joint").glob("*.npz")]
    assert kinds == ["state"]
    joint_finetuned.train(selections, 1, config=config, store=store, log=lambda line: None)
    files = [path for ending in ("npz", "parquet") for path in (store.derived / "campplus_joint").glob(f"*.{ending}")]
    assert [path.name.split("-")[0] for path in files] == ["weights", "fold"]
    with np.load(files[0], allow_pickle=False) as weights:
        assert "head/classes/kernel" in weights.files
        assert weights["lower/head.conv1/kernel"].shape == (3, 3, 1, 32)


def killing(line):
    if line.startswith("head"):
        raise KeyboardInterrupt


def test_a_class_that_may_not_join_is_the_corpus_own(selections, store, monkeypatch):
    joins = joint_finetuned.joining_classes(store) - {("tess", "surprised")}
    monkeypatch.setattr(joint_finetuned, "joining_classes", lambda store: joins)
    table = joint_finetuned.labelled(selections, store)
    assert set(table.loc[table["emotion"] == "surprised", "label"]) == {"tess:surprised"}
    assert set(table.loc[table["emotion"] == "happy", "label"]) == {"happy"}
    assert table["clip_id"].is_unique


def test_an_unknown_fold_is_refused(selections, store):
    with pytest.raises(ValueError, match="make 6 folds, counted from 1; found fold 7"):
        joint_finetuned.train(selections, 7, config=settings.load("full", CHANGES), store=store, log=print)


def test_the_order_of_selections_changes_nothing(selections, store):
    turned = dict(reversed(selections.items()))
    pd.testing.assert_frame_equal(joint_finetuned.labelled(selections, store), joint_finetuned.labelled(turned, store))


def test_without_named_speakers_there_is_nothing_to_train(selections, store):
    part = selections["emodb"]
    unnamed = {"emodb": Selection("emodb", part.clips.assign(speaker=None), part.dropped)}
    options = {"config": settings.load("full", CHANGES), "store": store}
    assert joint_finetuned.finished_folds(unnamed, **options) == []
    assert joint_finetuned.predict(unnamed, **options) == {}
