"""The models of the five student systems ("seeds") with the hyperparameters their authors chose.

Nothing is searched here. All of them scale the values, on the training rows of the fold. Where a seed
left out a setting, its library's default of that time is taken (and today's where they are equal).
What differs from the seeds, and why:

- trees beyond ``models.tree_cap`` are not grown; the title prints both counts
- logistic regression is fitted by L-BFGS instead of SAGA: both minimise the same convex loss
- XGBoost of 002: its eta, lambda and alpha were passed under names that had no effect, so they have none here
- LightGBM has another second derivative since version 3.0; the steps of before are restored (``LightGBM2019``)
- LDA of 004 is scaled like the others; the seed did not scale what it gave to PCA and LDA
- the training seed is the study's; most of the seeds' own were not set
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
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from ser_study.config import Models
from ser_study.models.classical import Model, Params
from ser_study.models.zoo import CappedPCA, NamedXGBoost, xgboost_library

PUBLISHED_TREES: Mapping[str, int] = {"forest_002": 22_984, "lightgbm_002": 12_310}  # rounds, for boosting
COMPONENTS_004 = 435  # of the principal components of 87 × 128 log-mel values
_CAPPED = {"forest_002": "random forest of seed 002", "lightgbm_002": "LightGBM (dart) of seed 002"}
Build = Callable[[Models, int], BaseEstimator]


def trees(name: str, models: Models) -> tuple[int, int]:
    """Trees (boosting: rounds) of a capped model: how many were published and how many are grown."""
    return PUBLISHED_TREES[name], min(PUBLISHED_TREES[name], models.tree_cap)


def title(name: str, models: Models) -> str:
    """Title of a seed's model; of a capped one with both numbers of trees, as these settings have them."""
    if name not in PUBLISHED_TREES:
        return REGISTRY[name].title
    published, grown = trees(name, models)
    return f"{_CAPPED[name]} ({grown:,} of {published:,} {'trees' if 'forest' in name else 'rounds'})"


class LightGBM2019(ClassifierMixin, BaseEstimator):
    """LightGBM as it was before version 3.0, when the seeds used it; ``options`` go to ``LGBMClassifier``.

    Its softmax objective took 2 p (1 − p) as second derivative; since then it takes k / (k − 1) p (1 − p)
    for k classes, so that the same learning rate means steps up to twice as long (at 002's .858 the
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


def _lightgbm_000(models: Models, seed: int) -> BaseEstimator:
    options = {"max_depth": 4, "num_leaves": 15, "min_child_samples": 20, "learning_rate": 0.1, "n_estimators": 100}
    return LightGBM2019(options, seed)


def _logistic(models: Models, seed: int) -> BaseEstimator:
    return LogisticRegression(C=1.0, max_iter=10_000, tol=1e-5)


def _mlp_001(models: Models, seed: int) -> BaseEstimator:
    return MLPClassifier(
        (880,), activation="logistic", solver="lbfgs", alpha=0.376851, max_iter=10_000, random_state=seed
    )


def _forest_001(criterion: str) -> Build:
    def build(models: Models, seed: int) -> BaseEstimator:
        return RandomForestClassifier(650, criterion=criterion, max_depth=85, random_state=seed, n_jobs=1)

    return build


def _tree_002(models: Models, seed: int) -> BaseEstimator:
    return DecisionTreeClassifier(
        criterion="entropy",
        max_depth=35,
        min_samples_leaf=4,
        min_samples_split=23,
        max_leaf_nodes=169,
        random_state=seed,
    )


def _forest_002(models: Models, seed: int) -> BaseEstimator:
    return RandomForestClassifier(
        trees("forest_002", models)[1],
        criterion="entropy",
        max_depth=15,
        min_samples_leaf=3,
        min_samples_split=9,
        max_leaf_nodes=239,
        random_state=seed,
        n_jobs=1,
    )


def _lightgbm_002(models: Models, seed: int) -> BaseEstimator:
    options = {
        "boosting_type": "dart",
        "n_estimators": trees("lightgbm_002", models)[1],
        "num_leaves": 22,
        "max_depth": 37,
        "subsample_for_bin": 491_645,
        "min_child_samples": 27,
        "reg_alpha": 1.744,
        "colsample_bytree": 0.6496,
        "learning_rate": 0.858,
    }
    return LightGBM2019(options, seed)


def _xgboost_002(models: Models, seed: int) -> BaseEstimator:
    options = {"n_estimators": 100, "max_depth": 7, "learning_rate": 0.1, "gamma": 1.79e-5, "reg_lambda": 1.0}
    how = {"tree_method": "hist", "grow_policy": "lossguide", "base_score": 0.5, "random_state": seed, "n_jobs": 1}
    return NamedXGBoost(options | how)


def _mlp_002(models: Models, seed: int) -> BaseEstimator:
    return MLPClassifier((1283,), activation="relu", solver="lbfgs", alpha=0.38495, max_iter=1000, random_state=seed)


def _knn_002(models: Models, seed: int) -> BaseEstimator:
    return KNeighborsClassifier(n_neighbors=32, weights="distance", n_jobs=1)


def _lda_004(models: Models, seed: int) -> BaseEstimator:
    return make_pipeline(CappedPCA(COMPONENTS_004, seed), LinearDiscriminantAnalysis())


def _bagged_lda_004(models: Models, seed: int) -> BaseEstimator:
    bag = BaggingClassifier(LinearDiscriminantAnalysis(), 10, random_state=seed, n_jobs=1)
    return make_pipeline(CappedPCA(COMPONENTS_004, seed), bag)


def _row(name: str, title: str, family: str, build: Build, libraries: tuple[str, ...] = ()) -> Model:
    uses = ("tree_cap",) if name in PUBLISHED_TREES else ()

    def chosen(models: Models, params: Params, seed: int) -> BaseEstimator:
        return build(models, seed)

    return Model(name, title, family, chosen, uses=uses, libraries=libraries, standardised=True)


REGISTRY: Mapping[str, Model] = {
    model.name: model
    for model in (
        _row("lightgbm_000", "LightGBM of seed 000", "trees", _lightgbm_000, ("lightgbm",)),
        _row("logistic_000", "logistic regression of seed 000 (settings unpublished)", "linear", _logistic),
        _row("logistic_001", "logistic regression of seed 001", "linear", _logistic),
        _row("mlp_001", "MLP of seed 001", "network", _mlp_001),
        _row("forest_001", "random forest of seed 001 (entropy)", "trees", _forest_001("entropy")),
        _row("forest_gini_001", "random forest in the vote of seed 001 (Gini)", "trees", _forest_001("gini")),
        _row("tree_002", "decision tree of seed 002", "trees", _tree_002),
        _row("forest_002", title("forest_002", Models()), "trees", _forest_002),
        _row("lightgbm_002", title("lightgbm_002", Models()), "trees", _lightgbm_002, ("lightgbm",)),
        _row("xgboost_002", "XGBoost of seed 002", "trees", _xgboost_002, (xgboost_library(),)),
        _row("mlp_002", "MLP of seed 002", "network", _mlp_002),
        _row("knn_002", "nearest neighbours of seed 002", "neighbours", _knn_002),
        _row("logistic_002", "logistic regression of seed 002", "linear", _logistic),
        _row("lda_004", "PCA 435, then LDA of seed 004", "discriminant", _lda_004),
        _row("bagged_lda_004", "PCA 435, then bagged LDA of seed 004", "discriminant", _bagged_lda_004),
    )
}
