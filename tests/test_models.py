"""Further families and the projects' models: well-formed, repeatable, and with the hyperparameters they claim."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import make_classification
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from ser_study import training
from ser_study.config import Config, Models, load
from ser_study.models import baseline_models, classical, registry, zoo
from ser_study.schema import FeatureSet, check_predictions

SMALL = Models(
    forest_trees=20,
    boosting_rounds=10,
    mlp_units=16,
    mlp_iterations=40,
    pca_components=5,
    bagging_members=3,
    tree_cap=8,
)
SLOW = ("mlp_001", "mlp_002", "forest_001", "forest_gini_001")
LIGHT = [name for name in baseline_models.REGISTRY if name not in SLOW]


def made(n=120, d=8, seed=0, signal=2.0):
    """Features in which the class is visible, three classes, and one fold with train, validation and test."""
    random = np.random.default_rng(seed)
    truth = np.array(["angry", "happy", "sad"])[np.arange(n) % 3]
    values = random.standard_normal((n, d)).astype(np.float32)
    values[np.arange(n), np.arange(n) % 3] += signal
    ids = np.array([f"own/{i:03d}" for i in range(n)], dtype=object)
    role = random.permutation(np.repeat(["train", "validation", "test"], [n - 2 * (n // 4), n // 4, n // 4]))
    folds = pd.DataFrame({"repeat": 0, "fold": 0, "clip_id": ids, "variant": 0, "role": role})
    return FeatureSet("made", ids, np.zeros(n, int), values), pd.Series(truth, index=ids), folds


def run(name, feature, truth, folds, models=SMALL, seed=1):
    return training.run_folds(feature, truth, folds, training.Task(name), models=models, seed=seed)


@pytest.mark.parametrize("name", [*zoo.REGISTRY, *LIGHT])
def test_every_model_is_well_formed_repeatable_and_learns(name):
    feature, truth, folds = made()
    table = run(name, feature, truth, folds)
    assert sorted(table["clip_id"]) == sorted(folds.loc[folds["role"] != "train", "clip_id"])
    check_predictions(table.assign(experiment="x", scheme="native", protocol="random", seed=1, model=name))
    test = table[table["role"] == "test"]
    assert (test["truth"] == test["prediction"]).mean() > 0.55
    pd.testing.assert_frame_equal(table, run(name, feature, truth, folds))


@pytest.mark.parametrize("name", ["pca_lda", "rbf_svm", "knn", "xgboost", "mlp", "tree_002"])
def test_test_rows_influence_nothing(name):
    feature, truth, folds = made()
    spoiled = feature.values.copy()
    spoiled[folds["role"].to_numpy() == "test"] = 1e5
    one = run(name, feature, truth, folds)
    two = run(name, FeatureSet("made", feature.clip_id, feature.variant, spoiled), truth, folds)
    validation = one["role"] == "validation"
    pd.testing.assert_frame_equal(one[validation], two[validation])
    assert not one[~validation].equals(two[~validation])


def test_registry_holds_every_model_once_and_names_the_known():
    parts = (classical.REGISTRY, zoo.REGISTRY, baseline_models.REGISTRY)
    assert len(set().union(*parts)) == sum(map(len, parts))
    assert set().union(*parts) <= set(registry.REGISTRY)
    assert registry.get("mlp_002") is baseline_models.REGISTRY["mlp_002"]
    assert set(registry.names("kernel")) == {"rbf_svm"}
    with pytest.raises(ValueError, match=r"v9_002.*logistic.*rbf_svm.*forest_001"):
        registry.get("v9_002")
    with pytest.raises(ValueError, match="knn"):
        registry._merged(zoo.REGISTRY, {"knn": zoo.REGISTRY["knn"]})


@pytest.mark.parametrize("model", registry.CLASSICAL.values(), ids=lambda model: model.name)
def test_declared_settings_are_the_ones_read(model):
    class Watched:
        read = set()

        def __getattr__(self, name):
            self.read.add(name)
            return getattr(Models(), name)

    watched = Watched()
    watched.read = set()
    for params in (*model.grid(watched), model.fixed(watched)):
        model.build(watched, params or model.fixed(Models()), 0)
    assert watched.read == set(model.uses)
    if len(model.grid(Models())) > 1:
        assert model.fixed(Models()).keys() == model.grid(Models())[0].keys()


def test_xgboost_gives_class_names_in_their_own_order():
    from xgboost import XGBClassifier

    values, codes = make_classification(150, 6, n_informative=4, n_classes=3, random_state=0)
    names = np.array(["sad", "angry", "calm"])[codes]  # not in the order of the codes
    options = zoo.xgboost_options(SMALL, 3)
    ours = zoo.NamedXGBoost(options).fit(values, names)
    theirs = XGBClassifier(**options).fit(values, np.searchsorted(["angry", "calm", "sad"], names))
    assert list(ours.classes_) == ["angry", "calm", "sad"]
    assert np.array_equal(ours.predict_proba(values), theirs.predict_proba(values))
    assert np.mean(ours.predict(values) == names) > 0.8
    balanced = zoo.NamedXGBoost(options, "balanced").fit(values[30:], names[30:])
    assert not np.array_equal(balanced.predict_proba(values), ours.predict_proba(values))


@pytest.mark.parametrize("name", ["ridge", "rbf_svm", "linear_svm"])
def test_margins_become_probabilities_by_a_temperature_of_the_validation_rows(name):
    assert registry.get(name).margins
    feature, truth, folds = made(n=240)
    table = run(name, feature, truth, folds, dataclasses.replace(SMALL, svm_c=(0.01,)))
    proba = table.filter(regex="^p_").to_numpy(float)
    column = np.searchsorted(["angry", "happy", "sad"], table["truth"])
    validation = (table["role"] == "validation").to_numpy()
    logged = np.log(proba)

    def loss(scale):
        scaled = logged[validation] * scale
        scaled -= np.log(np.exp(scaled).sum(axis=1, keepdims=True))
        return -scaled[np.arange(validation.sum()), column[validation]].mean()

    assert loss(1.0) <= min(loss(0.8), loss(1.25))  # no other scale is better
    assert loss(1.0) < 0.8 * np.log(3)


def test_preparation_flattens_scales_and_keeps_trees_as_they_are():
    values = np.random.default_rng(0).normal(5, 3, (40, 4, 3)).astype(np.float32)
    untouched = classical.preparation(registry.get("tree")).fit_transform(values)
    assert np.array_equal(untouched, values.reshape(40, 12))
    for name in ("lda", "rbf_svm", "tree_002", "lightgbm_000"):
        scaled = classical.preparation(registry.get(name)).fit_transform(values)
        assert np.allclose(scaled, StandardScaler().fit_transform(values.reshape(40, 12).astype(float)))
    assert abs(values.mean() - 5) < 1, "the caller's values stay"


def test_pca_keeps_no_more_components_than_there_are():
    values = np.random.default_rng(0).standard_normal((30, 50))
    assert zoo.CappedPCA(300, 0).fit(values).transform(values).shape == (30, 30)
    few = zoo.CappedPCA(7, 0).fit(values).transform(values)
    assert np.allclose(np.abs(few), np.abs(PCA(7, svd_solver="full").fit_transform(values)))


def test_rbf_gamma_counts_per_column():
    values, truth = make_classification(120, 10, n_informative=5, n_classes=3, random_state=1)
    machine = zoo.REGISTRY["rbf_svm"].build(Models(), {"C": 2.0, "gamma": 0.5}, 0).fit(values, truth)
    assert np.allclose(
        machine.decision_function(values), SVC(C=2.0, gamma=0.05).fit(values, truth).decision_function(values)
    )


CHOSEN = {  # from the projects' notebooks
    "lightgbm_000": {"max_depth": 4, "num_leaves": 15, "min_child_samples": 20, "n_estimators": 100,
                     "learning_rate": 0.1},
    "mlp_001": {"activation": "logistic", "solver": "lbfgs", "hidden_layer_sizes": (880,), "alpha": 0.376851,
                "max_iter": 10_000},
    "forest_001": {"n_estimators": 650, "max_depth": 85, "criterion": "entropy", "max_features": "sqrt"},
    "forest_gini_001": {"n_estimators": 650, "max_depth": 85, "criterion": "gini"},
    "tree_002": {"criterion": "entropy", "max_depth": 35, "min_samples_leaf": 4, "min_samples_split": 23,
                 "max_leaf_nodes": 169},
    "forest_002": {"criterion": "entropy", "max_depth": 15, "min_samples_leaf": 3, "min_samples_split": 9,
                   "max_leaf_nodes": 239, "n_estimators": 500},
    "lightgbm_002": {"boosting_type": "dart", "num_leaves": 22, "max_depth": 37, "min_child_samples": 27,
                     "reg_alpha": 1.744, "colsample_bytree": 0.6496, "learning_rate": 0.858,
                     "subsample_for_bin": 491_645, "n_estimators": 500},
    "mlp_002": {"activation": "relu", "solver": "lbfgs", "hidden_layer_sizes": (1283,), "alpha": 0.38495,
                "max_iter": 1000},
    "knn_002": {"weights": "distance", "n_neighbors": 32},
}  # fmt: skip


@pytest.mark.parametrize("name", CHOSEN)
def test_the_projects_models_have_their_authors_hyperparameters(name):
    estimator = registry.get(name).build(Models(), {}, 17)
    built = estimator.get_params() | (estimator.options if "lightgbm" in name else {})
    assert {key: built[key] for key in CHOSEN[name]} == CHOSEN[name]
    assert registry.get(name).standardised
    assert registry.get(name).grid(Models()) == [{}]
    assert built.get("random_state", 17) == 17


def test_xgboost_of_002_has_the_settings_that_took_effect():
    options = registry.get("xgboost_002").build(Models(), {}, 17).options
    wanted = {"max_depth": 7, "gamma": 1.79e-5, "grow_policy": "lossguide", "learning_rate": 0.1, "n_estimators": 100}
    assert wanted.items() <= options.items()
    values, codes = make_classification(200, 8, n_informative=5, n_classes=3, random_state=2)
    built = registry.get("xgboost_002").build(Models(), {}, 17).fit(values, codes)
    # without a limit of leaves the order of growing changes nothing
    other = zoo.NamedXGBoost(options | {"grow_policy": "depthwise"}).fit(values, codes)
    assert np.allclose(built.predict_proba(values), other.predict_proba(values), atol=1e-4)


def test_lightgbm_takes_the_steps_of_its_time():
    from lightgbm import LGBMClassifier

    values, codes = make_classification(300, 8, n_informative=6, n_classes=5, random_state=0)

    def softmax_of_then(truth, raw):
        """Gradient and second derivative as LightGBM computed them until 2020."""
        proba = np.exp(raw - raw.max(axis=1, keepdims=True))
        proba /= proba.sum(axis=1, keepdims=True)
        return proba - np.eye(5)[truth.astype(int)], 2 * proba * (1 - proba)

    options = {"n_estimators": 12, "learning_rate": 0.3, "reg_alpha": 0.5, "num_leaves": 7, "boost_from_average": False}
    ours = baseline_models.LightGBM2019(options, 0).fit(values, codes)
    then = LGBMClassifier(**options, objective=softmax_of_then, num_class=5, verbose=-1, n_jobs=1, random_state=0)
    then.fit(values, codes)
    raw = then.predict(values, raw_score=True)
    expected = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    assert np.allclose(ours.predict_proba(values), expected, atol=1e-4)
    today = LGBMClassifier(**options, verbose=-1, n_jobs=1, random_state=0).fit(values, codes)
    assert np.abs(today.predict_proba(values) - expected).max() > 0.02
    two = codes > 1  # the objective of two classes never changed
    plain = LGBMClassifier(**options, verbose=-1, n_jobs=1, random_state=0).fit(values, two)
    assert np.allclose(
        baseline_models.LightGBM2019(options, 0).fit(values, two).predict_proba(values), plain.predict_proba(values)
    )


def test_lbfgs_finds_the_optimum_that_saga_seeks():
    values, truth = make_classification(200, 12, n_informative=6, n_classes=4, random_state=0)
    values = StandardScaler().fit_transform(values)
    ours = registry.get("logistic_001").build(Models(), {}, 0).fit(values, truth)
    saga = LogisticRegression(C=1.0, solver="saga", max_iter=10_000, tol=1e-8, random_state=0).fit(values, truth)
    assert np.allclose(ours.coef_, saga.coef_, atol=2e-3)
    assert np.allclose(ours.predict_proba(values), saga.predict_proba(values), atol=1e-3)


def test_thousands_of_trees_are_capped_and_the_title_has_both_numbers():
    feature, truth, _ = made()
    forest = registry.get("forest_002").build(SMALL, {}, 0).fit(feature.values, truth)
    assert len(forest.estimators_) == 8
    boosted = registry.get("lightgbm_002").build(SMALL, {}, 0).fit(feature.values, truth)
    assert boosted.learner_.booster_.current_iteration() == 8
    assert baseline_models.trees("lightgbm_002", SMALL) == (12_310, 8)
    assert baseline_models.trees("forest_002", dataclasses.replace(SMALL, tree_cap=10**6)) == (22_984, 22_984)
    assert baseline_models.title("forest_002", SMALL) == "random forest (E002, 8 of 22,984 trees)"
    assert registry.get("forest_002").title == "random forest (E002, 500 of 22,984 trees)"
    assert baseline_models.title("knn_002", SMALL) == registry.get("knn_002").title
    assert "tree_cap" in registry.get("forest_002").uses
    assert load("full", {"models.tree_cap": 50}).models.tree_cap == 50
    assert Config().models.tree_cap == 500
