"""Models compared with their times: the study's own scores on validation rows, test rows untouched."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from ser_study import config as settings
from ser_study import corpora, features, splits, training
from ser_study.config import Models
from ser_study.evaluation import metrics
from ser_study.models import registry
from ser_study.schema import FeatureSet
from ser_study.store import Store
from ser_study.tuning import comparison

SMALL = Models(forest_trees=20, boosting_rounds=8, mlp_units=16, mlp_iterations=40, pca_components=20)
NAMES = ("logistic", "knn", "tree", "rbf_svm", "xgboost", "dummy")


def made(n=120, n_folds=3):
    random = np.random.default_rng(0)
    truth = np.array(["angry", "happy", "sad"])[np.arange(n) % 3]
    values = random.standard_normal((n, 6)).astype(np.float32)
    values[np.arange(n), np.arange(n) % 3] += 1.5
    ids = np.array([f"own/{i:03d}" for i in range(n)], dtype=object)
    place = random.integers(0, 4, n)
    folds = pd.concat(
        pd.DataFrame(
            {
                "repeat": 0,
                "fold": fold,
                "clip_id": ids,
                "variant": 0,
                "role": np.where(place == fold, "test", np.where(place == fold + 1, "validation", "train")),
            }
        )
        for fold in range(n_folds)
    )
    return FeatureSet("made", ids, np.zeros(n, int), values), pd.Series(truth, index=ids), folds


def test_scores_are_those_of_the_studys_validation_rows():
    feature, truth, folds = made()
    table = comparison.compare_models(feature, truth, folds, models=SMALL, seed=1, names=NAMES).set_index("model")
    for name in NAMES:
        predictions = training.run_folds(feature, truth, folds, training.Task(name), models=SMALL, seed=1)
        validation = predictions[predictions["role"] == "validation"]
        counts = [
            metrics.confusion(p["truth"], p["prediction"], sorted(set(truth))) for _, p in validation.groupby("fold")
        ]
        assert table.loc[name, "uar"] == pytest.approx(np.mean([metrics.uar(c) for c in counts]))
        assert table.loc[name, "accuracy"] == pytest.approx(np.mean([metrics.accuracy(c) for c in counts]))
        assert table.loc[name, "accuracy_sd"] == pytest.approx(np.std([metrics.accuracy(c) for c in counts], ddof=1))
        assert table.loc[name, "mcc"] == pytest.approx(np.mean([metrics.mcc(c) for c in counts]))
    assert table["accuracy"].is_monotonic_decreasing
    assert table.loc["dummy", "auc"] == 0.5
    assert table.loc["logistic", "n_candidates"] == len(SMALL.logistic_c)


def test_test_rows_are_never_read():
    feature, truth, folds = made()
    only = folds[folds["role"] != "test"]
    test_clips = set(folds["clip_id"]) - set(only.loc[only["fold"] == 0, "clip_id"])
    first = only[only["fold"] == 0]
    spoiled = feature.values.copy()
    spoiled[pd.Index(feature.clip_id).get_indexer(sorted(test_clips))] = np.nan
    other = FeatureSet("made", feature.clip_id, feature.variant, spoiled)
    repeatable = ["model", *comparison.SCORES]
    one = comparison.compare_models(feature, truth, folds[folds["fold"] == 0], models=SMALL, seed=1, names=NAMES)
    two = comparison.compare_models(other, truth, first, models=SMALL, seed=1, names=NAMES)
    pd.testing.assert_frame_equal(one[repeatable], two[repeatable])
    assert (one[["fit_s", "predict_ms"]] > 0).all().all()
    assert (one["search_s"] >= one["fit_s"] - 1e-9).all()


def test_fixed_hyperparameters_are_tried_alone():
    feature, truth, folds = made()
    fixed = comparison.compare_models(feature, truth, folds, models=SMALL, seed=1, names=["logistic"], search=False)
    alone = dataclasses.replace(SMALL, logistic_c=(SMALL.logistic_c_fixed,))
    same = comparison.compare_models(feature, truth, folds, models=alone, seed=1, names=["logistic"])
    pd.testing.assert_frame_equal(fixed[[*comparison.SCORES]], same[[*comparison.SCORES]])
    assert fixed["n_candidates"].item() == 1


def test_networks_and_empty_folds_are_refused(monkeypatch):
    feature, truth, folds = made()
    network = dataclasses.replace(registry.get("mlp"), name="net", family="deep")
    monkeypatch.setitem(registry.REGISTRY, "net", network)
    with pytest.raises(ValueError, match="'net' is a network"):
        comparison.compare_models(feature, truth, folds, models=SMALL, seed=1, names=["net"])
    with pytest.raises(ValueError, match="0 validation rows"):
        comparison.compare_models(
            feature, truth, folds[folds["role"] != "validation"], models=SMALL, seed=1, names=["knn"]
        )


def test_cross_validation_deals_every_clip_once_and_every_class_evenly():
    _, truth, _ = made(n=100)
    folds = comparison.cross_validation(truth, n_folds=10, seed=3)
    validation = folds[folds["role"] == "validation"]
    assert sorted(validation["clip_id"]) == sorted(truth.index)
    assert set(folds.groupby("fold").size()) == {100}
    counts = pd.crosstab(validation["fold"], validation["clip_id"].map(truth))
    assert counts.to_numpy().min() >= 3
    assert counts.to_numpy().max() <= 4
    pd.testing.assert_frame_equal(folds, comparison.cross_validation(truth, n_folds=10, seed=3))
    assert not folds.equals(comparison.cross_validation(truth, n_folds=10, seed=4))


def test_cross_validation_by_group_keeps_speakers_whole():
    truth = pd.Series(["angry", "sad"] * 60, index=[f"c{i:03d}" for i in range(120)])
    speaker = pd.Series(np.repeat(list("abcdefghijkl"), 10), index=truth.index)
    folds = comparison.cross_validation(truth, n_folds=4, seed=0, groups=speaker)
    for _, rows in folds.groupby("fold"):
        voices = rows["clip_id"].map(speaker).groupby(rows["role"]).agg(set)
        assert not voices["train"] & voices["validation"]
    assert sorted(folds.loc[folds["role"] == "validation", "clip_id"]) == list(truth.index)


@pytest.mark.corpus
def test_every_family_recognises_emotion_in_real_speech(corpora_dir, tmp_path):
    config = settings.load("full", {"run.jobs": 1})
    store = Store(corpora_dir, tmp_path / "derived", tmp_path / "run", tmp_path)
    if "emodb" not in corpora.present(corpora_dir):
        pytest.skip("EMO-DB is not in the data folder")
    clips, _ = corpora.analysed(corpora.load("emodb", config=config, store=store))
    clips = clips[clips["speaker"].isin(sorted(clips["speaker"].unique())[:6])].reset_index(drop=True)
    values = features.load("means184", clips, config=config, store=store)
    folds = splits.make(clips, "leave_one_speaker_out", classes=clips["emotion"], config=config)
    folds = folds[(folds["role"] != "test") & (folds["fold"] < 3)]
    truth = clips.set_index("clip_id")["emotion"]
    table = comparison.compare_models(values, truth, folds, models=SMALL, seed=1).set_index("model")
    assert set(table.index) == set(registry.CLASSICAL)
    chance = table.loc["dummy", "uar"]
    assert (table.drop("dummy")["uar"] > 1.5 * chance).all(), table["uar"]
    assert table.loc["logistic", "uar"] > 2.5 * chance


def test_models_that_a_fold_cannot_feed_are_left_out():
    feature, truth, folds = made()
    few = folds[(folds["role"] != "train") | (folds.groupby(["fold", "role"]).cumcount() < 8)]
    rare = truth.copy()
    train = few[(few["fold"] == 0) & (few["role"] == "train")]["clip_id"]
    rare[train], rare[train.iloc[0]] = "sad", "angry"  # one training clip of that class
    wanted = ("dummy", "knn", "qda")
    models = Models(knn_neighbours=(1, 5, 31))
    table = comparison.compare_models(feature, rare, few, models=models, seed=1, names=wanted)
    assert set(table["model"]) == {"dummy", "knn"}  # one and five neighbours of eight are enough, 31 are not
