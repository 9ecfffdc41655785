"""The models of the five student projects with the hyperparameters their authors chose.

Nothing is searched here: ``tuning.builders`` searches over the same families, built by the same functions.
All models scale the values, on the training rows of the fold. Where a project left out a setting, its library's
default of that time is taken (and today's where they are equal). What differs from the projects, and why:

- trees beyond ``models.tree_cap`` are not grown; the title prints both counts
- logistic regression is fitted by L-BFGS instead of SAGA: both minimise the same convex loss
- XGBoost of E002: its eta, lambda and alpha were passed under names that had no effect, so they have none here
- LightGBM has another second derivative since version 3.0; the steps of before are restored (``LightGBM2019``)
- LDA of E004 is scaled like the others; the project did not scale what it gave to PCA and LDA
- the random seed is the study's; most of the projects' own were not set
- soft votes are means of their members' predictions (``models.ensembles``) and are fitted nowhere
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.tree import DecisionTreeClassifier

from ser_study.config import Models
from ser_study.models.model import Model, Params
from ser_study.models.zoo import CappedPCA, NamedXGBoost, xgboost_library

CHOSEN: Mapping[str, Params] = {  # model → hyperparameters; ``hidden``: units of an MLP's one layer
    "lightgbm_000": {"max_depth": 4, "num_leaves": 15, "min_child_samples": 20, "learning_rate": 0.1},
    "logistic_000": {"C": 1.0},  # unpublished
    "logistic_001": {"C": 1.0},
    "mlp_001": {"activation": "logistic", "solver": "lbfgs", "hidden": 880, "alpha": 0.376851},
    "forest_001": {"n_estimators": 650, "max_depth": 85, "criterion": "entropy"},
    "forest_gini_001": {"n_estimators": 650, "max_depth": 85, "criterion": "gini"},
    "tree_002": {
        "criterion": "entropy",
        "max_depth": 35,
        "min_samples_leaf": 4,
        "min_samples_split": 23,
        "max_leaf_nodes": 169,
    },
    "forest_002": {
        "criterion": "entropy",
        "max_depth": 15,
        "n_estimators": 22_984,
        "min_samples_leaf": 3,
        "min_samples_split": 9,
        "max_leaf_nodes": 239,
    },
    "lightgbm_002": {
        "num_leaves": 22,
        "max_depth": 37,
        "n_estimators": 12_310,  # rounds
        "subsample_for_bin": 491_645,
        "min_child_samples": 27,
        "reg_alpha": 1.744,
        "colsample_bytree": 0.6496,
        "learning_rate": 0.858,
        "boosting": "dart",
    },
    "xgboost_002": {
        "max_depth": 7,
        "gamma": 1.79e-5,
        "grow_policy": "lossguide",
        "learning_rate": 0.1,
        "reg_lambda": 1.0,
        "base_score": 0.5,
    },
    "mlp_002": {"activation": "relu", "solver": "lbfgs", "hidden": 1283, "alpha": 0.38495},
    "knn_002": {"weights": "distance", "n_neighbors": 32},
    "logistic_002": {"C": 1.0},
}
PUBLISHED_TREES: Mapping[str, int] = {name: CHOSEN[name]["n_estimators"] for name in ("forest_002", "lightgbm_002")}
COMPONENTS_004 = 435  # of the principal components of 87 × 128 log-mel values
_CAPPED = {"forest_002": "random forest (E002", "lightgbm_002": "LightGBM, dart (E002"}
Build = Callable[[Models, int], BaseEstimator]


def trees(name: str, models: Models) -> tuple[int, int]:
    """Trees (boosting: rounds) of a capped model: how many were published and how many are grown."""
    return PUBLISHED_TREES[name], min(PUBLISHED_TREES[name], models.tree_cap)


def title(name: str, models: Models) -> str:
    """Title of a project's model; of a capped one with both numbers of trees, as these settings have them."""
    if name not in PUBLISHED_TREES:
        return REGISTRY[name].title
    published, grown = trees(name, models)
    return f"{_CAPPED[name]}, {grown:,} of {published:,} {'trees' if 'forest' in name else 'rounds'})"


class LightGBM2019(ClassifierMixin, BaseEstimator):
    """LightGBM as it was before version 3.0, when the projects used it; ``options`` go to ``LGBMClassifier``.

    Its softmax objective took 2 p (1 − p) as second derivative; since then it takes k / (k − 1) p (1 − p)
    for k classes, so that the same learning rate means steps up to twice as long (at E002's .858 the
    training diverges). Without an L2 penalty the old trees come back with a learning rate and a smallest
    leaf weight multiplied by half of k / (k − 1).
    """

    def __init__(self, options: Mapping[str, Any] | None = None, random_state: int = 0):
        self.options = options
        self.random_state = random_state

    def set_params(self, **params: Any) -> LightGBM2019:
        """Set parameters; those of ``LGBMClassifier`` join ``options``, so that searches can name them."""
        own = {name: params.pop(name) for name in ("options", "random_state") if name in params}
        super().set_params(**own)
        self.options = {**(self.options or {}), **params}
        return self

    def fit(self, values: np.ndarray, truth: np.ndarray) -> LightGBM2019:
        """Fit on values (n, d) and class names (n,)."""
        from lightgbm import LGBMClassifier

        k = len(np.unique(truth))
        factor = k / (k - 1) / 2 if k > 2 else 1.0  # two classes have an objective of their own, unchanged
        options = {"learning_rate": 0.1, "min_child_weight": 1e-3, **(self.options or {})}
        options |= {name: factor * options[name] for name in ("learning_rate", "min_child_weight")}
        threads = {"deterministic": True, "force_row_wise": True, "n_jobs": 1, "verbose": -1}
        self.learner_ = LGBMClassifier(**options, **threads, random_state=self.random_state).fit(values, truth)
        self.classes_ = self.learner_.classes_
        return self

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, C), columns in the order of ``classes_``."""
        return self.learner_.predict_proba(values)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Class names, shape (n,)."""
        return self.learner_.predict(values)


class CappedNeighbours(KNeighborsClassifier):
    """k nearest neighbours, or all training rows where there are fewer than k."""

    def fit(self, values: np.ndarray, truth: np.ndarray) -> CappedNeighbours:
        """Keep the training rows."""
        self.n_neighbors = min(self.n_neighbors, len(values))
        return super().fit(values, truth)


def knn(params: Params) -> CappedNeighbours:
    """k nearest neighbours."""
    return CappedNeighbours(n_jobs=1, **params)


def tree(params: Params, seed: int) -> DecisionTreeClassifier:
    """One decision tree."""
    return DecisionTreeClassifier(random_state=seed, **params)


def forest(params: Params, seed: int, *, cap: int = 0) -> RandomForestClassifier:
    """Random forest of at most ``cap`` trees (0: as many as named)."""
    return RandomForestClassifier(random_state=seed, n_jobs=1, **_capped(params, cap))


def logistic(params: Params, seed: int, *, max_iter: int, tol: float = 1e-4) -> LogisticRegression:
    """Multinomial logistic regression; ``penalty`` "l1" or "l2" goes with the solver saga."""
    options: dict[str, Any] = dict(params)
    penalty = options.pop("penalty", None)
    if penalty is not None:
        options |= {"solver": "saga", "l1_ratio": float(penalty == "l1")}
        if LogisticRegression().penalty == "l2":  # scikit-learn before 1.8 reads the ratio only so
            options["penalty"] = "elasticnet"
    return LogisticRegression(max_iter=max_iter, tol=tol, random_state=seed, **options)


def mlp(params: Params, seed: int, *, max_iter: int) -> MLPClassifier:
    """One hidden layer of ``hidden`` units; lbfgs ignores batch size and schedule, as in the original."""
    options = {name: value for name, value in params.items() if name != "hidden"}
    if "hidden" in params:
        options["hidden_layer_sizes"] = (params["hidden"],)
    return MLPClassifier(max_iter=max_iter, random_state=seed, **options)


def lightgbm(params: Params, seed: int, *, cap: int = 0) -> LightGBM2019:
    """LightGBM with the steps of its time; ``boosting`` is gbdt, dart or goss (gbdt with one-sided sampling)."""
    options = _capped(params, cap)
    boosting = options.pop("boosting", "gbdt")
    options["boosting_type"] = "dart" if boosting == "dart" else "gbdt"
    if boosting == "goss":
        options["data_sample_strategy"] = "goss"
    if "colsample_bytree" in options:  # the published range starts at 0, which LightGBM refuses
        options["colsample_bytree"] = max(options["colsample_bytree"], 1e-3)
    return LightGBM2019(options, seed)


def xgboost(params: Params, seed: int, *, cap: int = 0) -> NamedXGBoost:
    """XGBoost with the names its wrapper reads; trees are grown on histograms, the linear booster has none."""
    method = None if params.get("booster") == "gblinear" else "hist"
    how = {"tree_method": method, "random_state": seed, "n_jobs": 1, "verbosity": 0}
    return NamedXGBoost(_capped(params, cap) | how)


def pca_lda(seed: int, *, bags: int = 0) -> Pipeline:
    """LDA on E004's principal components, plain or in ``bags``."""
    learner = LinearDiscriminantAnalysis()
    if bags:
        learner = BaggingClassifier(learner, bags, random_state=seed, n_jobs=1)
    return make_pipeline(CappedPCA(COMPONENTS_004, seed), learner)


def _capped(params: Params, cap: int) -> dict[str, Any]:
    """Parameters with a number of trees, at most ``cap`` where there is one."""
    options = {"n_estimators": 100, **params}
    return options | {"n_estimators": min(options["n_estimators"], cap or options["n_estimators"])}


def _row(name: str, title: str, family: str, build: Build, libraries: tuple[str, ...] = ()) -> Model:
    uses = ("tree_cap",) if name in PUBLISHED_TREES else ()

    def chosen(models: Models, params: Params, seed: int) -> BaseEstimator:
        return build(models, seed)

    return Model(name, title, family, chosen, uses=uses, libraries=libraries, standardised=True)


def _logistic_row(name: str, title: str) -> Model:
    return _row(name, title, "linear", lambda models, seed: logistic(CHOSEN[name], seed, max_iter=10_000, tol=1e-5))


def _mlp_row(name: str, title: str, max_iter: int) -> Model:
    return _row(name, title, "network", lambda models, seed: mlp(CHOSEN[name], seed, max_iter=max_iter))


def _trees_row(name: str, title: str, family: Callable[..., BaseEstimator], *libraries: str) -> Model:
    def build(models: Models, seed: int) -> BaseEstimator:
        return family(CHOSEN[name], seed, cap=models.tree_cap if name in PUBLISHED_TREES else 0)

    return _row(name, title, "trees", build, libraries)


REGISTRY: Mapping[str, Model] = {
    model.name: model
    for model in (
        _trees_row("lightgbm_000", "LightGBM (E000)", lightgbm, "lightgbm"),
        _logistic_row("logistic_000", "logistic regression (E000, settings unpublished)"),
        _logistic_row("logistic_001", "logistic regression (E001)"),
        _mlp_row("mlp_001", "MLP (E001)", 10_000),
        _trees_row("forest_001", "random forest, entropy (E001)", forest),
        _trees_row("forest_gini_001", "random forest in the vote, Gini (E001)", forest),
        _row("tree_002", "decision tree (E002)", "trees", lambda models, seed: tree(CHOSEN["tree_002"], seed)),
        _trees_row("forest_002", title("forest_002", Models()), forest),
        _trees_row("lightgbm_002", title("lightgbm_002", Models()), lightgbm, "lightgbm"),
        _trees_row("xgboost_002", "XGBoost (E002)", xgboost, xgboost_library()),
        _mlp_row("mlp_002", "MLP (E002)", 1000),
        _row("knn_002", "nearest neighbours (E002)", "neighbours", lambda models, seed: knn(CHOSEN["knn_002"])),
        _logistic_row("logistic_002", "logistic regression (E002)"),
        _row("lda_004", "PCA 435, then LDA (E004)", "discriminant", lambda models, seed: pca_lda(seed)),
        _row("bagged_lda_004", "PCA 435, then bagged LDA (E004)", "discriminant",
             lambda models, seed: pca_lda(seed, bags=10)),
    )
}  # fmt: skip
