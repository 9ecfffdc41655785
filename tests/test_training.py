"""Fitting on folds: what is chosen where, and that nothing of the test rows is ever used."""

from __future__ import annotations

import json
from functools import partial

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from ser_study import training
from ser_study.config import Models, Training
from ser_study.models import classical, deep
from ser_study.schema import FeatureSet, check_predictions

MODELS = Models(forest_trees=20, boosting_rounds=10)


def made(n=120, d=8, seed=0, signal=2.0):
    """Features in which the class is visible, three classes, and folds with train, validation and test."""
    random = np.random.default_rng(seed)
    truth = np.array(["angry", "happy", "sad"])[np.arange(n) % 3]
    values = random.standard_normal((n, d)).astype(np.float32)
    values[np.arange(n), np.arange(n) % 3] += signal
    ids = np.array([f"own/{i:03d}" for i in range(n)], dtype=object)
    feature = FeatureSet("made", ids, np.zeros(n, int), values, tuple(f"f{i}" for i in range(d)))
    place = random.integers(0, 5, n)
    folds = pd.concat(
        pd.DataFrame(
            {
                "repeat": 0,
                "fold": fold,
                "clip_id": ids,
                "variant": 0,
                "role": np.where(place == fold, "test", np.where(place == (fold + 1) % 5, "validation", "train")),
            }
        )
        for fold in range(5)
    )
    return feature, pd.Series(truth, index=ids), folds


@pytest.mark.parametrize("name", list(classical.REGISTRY))
def test_every_model_predicts_each_clip_once_and_well_formed(name):
    feature, truth, folds = made()
    table = training.run_folds(feature, truth, folds, training.Task(name), models=MODELS, seed=1)
    test = table[table["role"] == "test"]
    assert sorted(test["clip_id"]) == sorted(truth.index)
    assert sorted(table.loc[table["role"] == "validation", "clip_id"]) == sorted(truth.index)
    contract = table.assign(experiment="x", scheme="native", protocol="random", seed=1, model=name)
    check_predictions(contract)
    accuracy = (test["truth"] == test["prediction"]).mean()
    assert accuracy > 0.6 if name != "dummy" else accuracy < 0.5
    again = training.run_folds(feature, truth, folds, training.Task(name), models=MODELS, seed=1)
    pd.testing.assert_frame_equal(table, again)


@pytest.mark.parametrize("name", ["logistic", "linear_svm", "forest", "lightgbm"])
def test_test_rows_influence_nothing(name):
    feature, truth, folds = made()
    fold = folds[folds["fold"] == 0]
    test_ids = fold.loc[fold["role"] == "test", "clip_id"]
    spoiled = feature.values.copy()
    inside = pd.Index(feature.clip_id).get_indexer(test_ids)
    spoiled[inside[1:]] = 1e6  # all test rows but one become absurd
    other = FeatureSet("made", feature.clip_id, feature.variant, spoiled, feature.columns)
    task = training.Task(name)
    one = training.run_folds(feature, truth, fold, task, models=MODELS, seed=1)
    two = training.run_folds(other, truth, fold, task, models=MODELS, seed=1)
    kept = one["clip_id"] == test_ids.iloc[0]
    pd.testing.assert_frame_equal(one[kept], two[kept])
    validation = one["role"] == "validation"
    pd.testing.assert_frame_equal(one[validation], two[validation])


def test_choice_is_made_on_validation_rows_and_refitted_on_train_and_validation():
    feature, truth, folds = made(signal=1.0)
    fold = folds[folds["fold"] == 0]
    table = training.run_folds(feature, truth, fold, training.Task("logistic"), models=MODELS, seed=1)
    rows = {role: group["clip_id"].to_numpy() for role, group in fold.groupby("role")}
    scores = []
    for c in MODELS.logistic_c:
        scaler = StandardScaler().fit(feature.rows(rows["train"]).astype(float))
        model = LogisticRegression(C=c, max_iter=300, tol=1e-3)
        model.fit(scaler.transform(feature.rows(rows["train"])), truth[rows["train"]])
        said = model.predict(scaler.transform(feature.rows(rows["validation"])))
        recall = [np.mean(said[truth[rows["validation"]] == name] == name) for name in sorted(set(truth))]
        scores.append(np.mean(recall))
    chosen = MODELS.logistic_c[int(np.argmax(scores))]
    assert {json.loads(text)["C"] for text in table["params"]} == {chosen}
    sizes = table.groupby("role")["n_train"].first()
    assert sizes["validation"] == len(rows["train"])
    assert sizes["test"] == len(rows["train"]) + len(rows["validation"])


def test_given_hyperparameters_choose_nothing():
    feature, truth, folds = made()
    table = training.run_folds(
        feature, truth, folds, training.Task("logistic", {"C": 0.5}, keep_validation=False), models=MODELS, seed=1
    )
    assert set(table["role"]) == {"test"}
    assert set(table["params"]) == {'{"C": 0.5}'}


def test_class_absent_from_training_is_never_predicted():
    feature, truth, folds = made()
    fold = folds[(folds["fold"] == 0) & ~((folds["role"] == "train") & (folds["clip_id"].map(truth) == "sad"))]
    fold = fold[~((fold["role"] == "validation") & (fold["clip_id"].map(truth) == "sad"))]
    table = training.run_folds(feature, truth, fold, training.Task("logistic"), models=MODELS, seed=1)
    assert "sad" not in set(table["prediction"])
    assert table["p_sad"].max() < 1e-6


def test_rotation_into_the_span_changes_no_solution():
    random = np.random.default_rng(3)
    train, test = random.standard_normal((60, 400)), random.standard_normal((30, 400))
    label = np.array(["a", "b", "c"])[random.integers(0, 3, 60)]
    prepare = classical.preparation(classical.get("logistic"))
    inside, outside = prepare.fit_transform(train), prepare.transform(test)
    assert inside.shape[1] <= 60
    scaler = StandardScaler().fit(train)
    for c in (0.001, 1.0):
        fast = LogisticRegression(C=c, tol=1e-8, max_iter=2000).fit(inside, label).predict_proba(outside)
        slow = LogisticRegression(C=c, tol=1e-8, max_iter=2000).fit(scaler.transform(train), label)
        assert np.allclose(fast, slow.predict_proba(scaler.transform(test)), atol=1e-4)


def test_unknown_model_lists_the_known():
    with pytest.raises(ValueError, match=r"transformer.*logistic"):
        classical.get("transformer")


NETWORK = Training(max_epochs=3)


def deep_folds(feature, truth, folds, **given):
    task = training.Task("mlp_head", {"batch": 32}, keep_validation=given.pop("keep_validation", True))
    return training.run_folds(feature, truth, folds, task, models=MODELS, seed=1, training=NETWORK, **given)


def test_network_predicts_validation_and_test_and_keeps_its_history():
    feature, truth, folds = made(d=12)
    table = deep_folds(feature, truth, folds[folds["fold"] < 2])
    contract = table.assign(experiment="x", scheme="native", protocol="random", seed=1, model="mlp_head")
    check_predictions(contract)
    for fold, rows in table.groupby("fold"):
        expected = folds[(folds["fold"] == fold) & (folds["role"] != "train")]
        assert set(zip(rows["role"], rows["clip_id"])) == set(zip(expected["role"], expected["clip_id"]))
        n_train = ((folds["fold"] == fold) & (folds["role"] == "train")).sum()
        assert set(rows["n_train"]) == {n_train}  # the same network for both roles, fitted once
        (params,) = set(rows["params"])
        summary = json.loads(params)
        assert summary["epochs"] == len(summary["history"]["validation_loss"]) <= 3
        assert summary["n_parameters"] == 12 * 256 + 256 + 256 * 3 + 3
    alone = deep_folds(feature, truth, folds[folds["fold"] == 0], keep_validation=False)
    assert set(alone["role"]) == {"test"}
    same = table[(table["fold"] == 0) & (table["role"] == "test")]
    assert np.abs(same["p_sad"].to_numpy() - alone["p_sad"].to_numpy()).max() < 1e-4


def test_test_rows_influence_no_network():
    feature, truth, folds = made(d=12)
    fold = folds[folds["fold"] == 0]
    test_ids = fold.loc[fold["role"] == "test", "clip_id"]
    spoiled = feature.values.copy()
    spoiled[pd.Index(feature.clip_id).get_indexer(test_ids)[1:]] = 1e6
    other = FeatureSet("made", feature.clip_id, feature.variant, spoiled, feature.columns)
    one, two = (deep_folds(values, truth, fold).set_index(["role", "clip_id"]) for values in (feature, other))
    unchanged = (one.index.get_level_values(0) == "validation") | (one.index.get_level_values(1) == test_ids.iloc[0])
    columns = ["p_angry", "p_happy", "p_sad"]
    assert np.abs(one.loc[unchanged, columns] - two.loc[unchanged, columns]).to_numpy().max() < 1e-4


def test_without_validation_rows_some_clips_are_watched_with_all_their_copies(monkeypatch):
    feature, truth, folds = made(d=12)
    copies = FeatureSet(
        "made",
        np.tile(feature.clip_id, 2),
        np.repeat([0, 1], len(feature.clip_id)),
        np.concatenate([feature.values, feature.values + 100]),
        feature.columns,
    )
    fold = folds[folds["fold"] == 0].assign(role=lambda f: f["role"].replace("validation", "train"))
    train = fold[fold["role"] == "train"]
    fold = pd.concat([fold, train.assign(variant=1)])
    seen = {}

    def spy(self, values, truth, validation=None, **options):
        seen.update(train=values, validation=validation[0])
        return fit(self, values, truth, validation=validation, **options)

    fit = deep.KerasClassifier.fit
    monkeypatch.setattr(deep.KerasClassifier, "fit", spy)
    table = deep_folds(copies, truth, fold)
    assert set(table["role"]) == {"test"}
    clip = {row.tobytes(): name for row, name in zip(copies.values, copies.clip_id)}
    trained = [clip[row.tobytes()] for row in seen["train"]]
    watched = [clip[row.tobytes()] for row in seen["validation"]]
    assert not set(trained) & set(watched)
    assert set(trained) | set(watched) == set(train["clip_id"])
    assert len(watched) == len(set(watched)) == pytest.approx(0.1 * len(train), abs=2)
    assert seen["validation"].max() < 50  # only as recorded
    assert len(trained) == 2 * len(set(trained)) == table["n_train"].iloc[0]


def test_finished_folds_of_a_network_are_not_trained_again(store, monkeypatch):
    feature, truth, folds = made(d=12)
    folds = folds[folds["fold"] < 2]

    def fold_cache(fold, make):
        return store.cached(f"networks/made_{fold}", {"fold": fold}, partial(make, state_file=None))

    first = deep_folds(feature, truth, folds, fold_cache=fold_cache)
    assert len(list((store.derived / "networks").glob("made_0-*.parquet"))) == 2
    (store.path("networks/made_0-1", {"fold": "0-1"}, ".parquet")).unlink()
    trained = []
    fit = deep.KerasClassifier.fit
    monkeypatch.setattr(deep.KerasClassifier, "fit", lambda *a, **k: trained.append(1) or fit(*a, **k))
    second = deep_folds(feature, truth, folds, fold_cache=fold_cache)
    assert len(trained) == 1
    again = first["fold"] == 1
    pd.testing.assert_frame_equal(first[~again], second[~again])
    assert np.abs(first.loc[again, "p_sad"] - second.loc[again, "p_sad"]).max() < 1e-4
    unused = lambda fold, make: pytest.fail("classical folds are cheap and cached together")  # noqa: E731
    training.run_folds(feature, truth, folds, training.Task("dummy"), models=MODELS, seed=1, fold_cache=unused)


def test_grid_points_that_the_rows_cannot_feed_are_not_tried():
    feature, truth, folds = made(n=20)
    table = training.run_folds(
        feature, truth, folds, training.Task("knn"), models=Models(knn_neighbours=(1, 31)), seed=0
    )
    assert {json.loads(text)["k"] for text in table["params"]} == {1}
    with pytest.raises(
        ValueError, match=r"\d+ training clips, \d of the rarest class, are too few for nearest neighbours"
    ):
        training.run_folds(feature, truth, folds, training.Task("knn"), models=Models(knn_neighbours=(31,)), seed=0)


def test_class_shares_do_not_depend_on_ties():
    balanced = np.repeat(["angry", "happy", "neutral", "sad"], 25)
    rows = np.zeros((100, 1))
    uars = []
    for seed in range(5):
        place = np.random.default_rng(seed).integers(0, 5, 100)
        told = [
            classical.SharesOnly().fit(rows[place != k], balanced[place != k]).predict(rows[place == k])
            for k in range(5)
        ]
        said = np.concatenate(told)
        truth = np.concatenate([balanced[place == k] for k in range(5)])
        uars.append(np.mean([(said[truth == name] == name).mean() for name in np.unique(balanced)]))
    assert uars == [0.25] * 5  # chance, where the majority of each training part is the minority of its test part
    skewed = classical.SharesOnly().fit(rows, np.repeat(["angry", "sad"], [30, 70]))
    assert skewed.predict(rows[:2]).tolist() == ["sad", "sad"]
    assert skewed.predict_proba(rows[:1])[0].tolist() == [0.3, 0.7]
