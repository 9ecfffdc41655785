"""More families of classical models, those that AutoML tables of the field list.

Grids are short and come from the settings; where nothing may be chosen, the middle value is taken.
Every estimator runs on one thread and is repeatable for its random seed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
)
from sklearn.linear_model import RidgeClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.class_weight import compute_sample_weight

from ser_study.config import Models
from ser_study.models import discriminant
from ser_study.models.model import Model, Params

Grid = Callable[[Models], list[dict]]


class NamedXGBoost(ClassifierMixin, BaseEstimator):
    """XGBoost that takes and gives class names; ``options`` go to ``xgboost.XGBClassifier``."""

    def __init__(self, options: Mapping[str, Any] | None = None, class_weight: str | None = None):
        self.options = options
        self.class_weight = class_weight

    def fit(self, values: np.ndarray, truth: np.ndarray) -> NamedXGBoost:
        """Fit on values (n, d) and class names (n,); ``classes_`` are the sorted names."""
        from xgboost import XGBClassifier

        self.classes_, codes = np.unique(truth, return_inverse=True)
        weight = None if self.class_weight is None else compute_sample_weight(self.class_weight, truth)
        self.learner_ = XGBClassifier(**(self.options or {})).fit(values, codes, sample_weight=weight)
        return self

    def predict_proba(self, values: np.ndarray) -> np.ndarray:
        """Probabilities, shape (n, C), columns in the order of ``classes_``."""
        return self.learner_.predict_proba(values)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Class names, shape (n,)."""
        return self.classes_[self.predict_proba(values).argmax(axis=1)]


class CappedPCA(TransformerMixin, BaseEstimator):
    """PCA that keeps fewer components where rows or columns do not allow the number asked for."""

    def __init__(self, components: int = 300, random_state: int = 0):
        self.components = components
        self.random_state = random_state

    def fit(self, values: np.ndarray, truth=None) -> CappedPCA:
        """Find the axes of values (n, d)."""
        self.pca_ = PCA(min(self.components, *values.shape), random_state=self.random_state).fit(values)
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Coordinates, shape (n, at most ``components``)."""
        return self.pca_.transform(values)


def xgboost_library() -> str:
    """Name under which XGBoost is installed; two distributions share the import name."""
    for name in ("xgboost-cpu", "xgboost"):
        with suppress(PackageNotFoundError):
            version(name)
            return name
    return "xgboost"


def xgboost_options(models: Models, seed: int) -> dict[str, Any]:
    """Options of XGBoost with the study's boosting settings, on one thread."""
    return {
        "n_estimators": models.boosting_rounds,
        "max_leaves": models.boosting_leaves,
        "max_depth": 0,
        "grow_policy": "lossguide",
        "learning_rate": models.boosting_rate,
        "colsample_bytree": 0.5,
        "tree_method": "hist",
        "random_state": seed,
        "n_jobs": 1,
    }


def lda(shrinkage: str) -> LinearDiscriminantAnalysis:
    """LDA with a shrunken common covariance: a share as text, or "auto" (Ledoit and Wolf)."""
    return LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage if shrinkage == "auto" else float(shrinkage))


def _weight(models: Models) -> str | None:
    return models.class_weight or None


def _xgboost(models: Models, params: Params, seed: int) -> BaseEstimator:
    return NamedXGBoost(xgboost_options(models, seed), _weight(models))


def _tree(models: Models, params: Params, seed: int) -> BaseEstimator:
    return DecisionTreeClassifier(min_samples_leaf=params["leaf"], class_weight=_weight(models), random_state=seed)


def _knn(models: Models, params: Params, seed: int) -> BaseEstimator:
    return KNeighborsClassifier(n_neighbors=params["k"], weights="distance", n_jobs=1)


def _mlp(models: Models, params: Params, seed: int) -> BaseEstimator:
    return MLPClassifier(
        (models.mlp_units,), solver="lbfgs", alpha=params["alpha"], max_iter=models.mlp_iterations, random_state=seed
    )


def _naive_bayes(models: Models, params: Params, seed: int) -> BaseEstimator:
    return GaussianNB(var_smoothing=params["smoothing"])


def _pca_lda(models: Models, params: Params, seed: int) -> Pipeline:
    reduce = CappedPCA(models.pca_components, random_state=seed)
    return make_pipeline(reduce, lda(params["shrinkage"]))


def _bagged_lda(models: Models, params: Params, seed: int) -> BaseEstimator:
    return BaggingClassifier(lda(params["shrinkage"]), models.bagging_members, random_state=seed, n_jobs=1)


def _qda(models: Models, params: Params, seed: int) -> BaseEstimator:
    # a class may have fewer clips than there are columns, so its covariance must be shrunken
    return QuadraticDiscriminantAnalysis(solver="eigen", shrinkage=params["shrinkage"])


def _ridge(models: Models, params: Params, seed: int) -> BaseEstimator:
    return RidgeClassifier(alpha=params["alpha"], class_weight=_weight(models))


def _rbf_svm(models: Models, params: Params, seed: int) -> Pipeline:
    # margins, not Platt's probabilities, which cost five more fits and may contradict the margins
    machine = SVC(C=params["C"], gamma=params["gamma"], class_weight=_weight(models), decision_function_shape="ovr")
    return make_pipeline(FunctionTransformer(_per_column), machine)


def _per_column(values: np.ndarray) -> np.ndarray:
    """Values whose squared distances are means over the columns, so that a gamma fits features of any width."""
    return values / np.sqrt(values.shape[1])


def _gradient_boosting(models: Models, params: Params, seed: int) -> BaseEstimator:
    # a root of the columns at each split: with all of them it takes minutes and scores no better
    return GradientBoostingClassifier(
        n_estimators=models.boosting_rounds,
        learning_rate=models.boosting_rate,
        max_features="sqrt",
        random_state=seed,
    )


def _hist_boosting(models: Models, params: Params, seed: int) -> BaseEstimator:
    return HistGradientBoostingClassifier(
        max_iter=models.boosting_rounds,
        max_leaf_nodes=models.boosting_leaves,
        learning_rate=models.boosting_rate,
        max_features=0.5,
        early_stopping=False,
        class_weight=_weight(models),
        random_state=seed,
    )


def _extra_trees(models: Models, params: Params, seed: int) -> BaseEstimator:
    return ExtraTreesClassifier(models.forest_trees, random_state=seed, n_jobs=1, class_weight=_weight(models))


def _adaboost(models: Models, params: Params, seed: int) -> BaseEstimator:
    stump = DecisionTreeClassifier(max_depth=params["depth"], class_weight=_weight(models))
    return AdaBoostClassifier(stump, n_estimators=models.boosting_rounds, random_state=seed)


def _over(name: str, setting: str) -> tuple[Grid, Callable[[Models], dict]]:
    """Grid of one hyperparameter over a setting's values, and its middle value."""

    def grid(models: Models) -> list[dict]:
        return [{name: value} for value in getattr(models, setting)]

    def middle(models: Models) -> dict:
        values = grid(models)
        return values[len(values) // 2]

    return grid, middle


def _rbf_grid(models: Models) -> list[dict]:
    return [{"C": c, "gamma": gamma} for c in models.rbf_c for gamma in models.rbf_gamma]


def _rbf_fixed(models: Models) -> dict:
    return {"C": models.rbf_c[-1], "gamma": models.rbf_gamma[len(models.rbf_gamma) // 2]}


_BOOSTING = ("boosting_rounds", "boosting_rate")
_LEAVES = (*_BOOSTING, "boosting_leaves", "class_weight")
_SHRINKAGE = _over("shrinkage", "lda_shrinkage")
_LDA = ("lda_shrinkage",)
_RBF = ("rbf_c", "rbf_gamma", "class_weight")
REGISTRY: Mapping[str, Model] = {
    model.name: model
    for model in (
        Model("ridge", "ridge classifier", "linear", _ridge, *_over("alpha", "ridge_alpha"),
              ("ridge_alpha", "class_weight"), margins=True),
        Model("lda", "LDA, shrunken", "discriminant", discriminant.build, discriminant.grid, discriminant.fixed,
              ("covariance_shrinkage", "class_priors"), margins=True, shared=discriminant.decisions, version=3),
        Model("pca_lda", "PCA, then LDA", "discriminant", _pca_lda, *_SHRINKAGE, (*_LDA, "pca_components")),
        Model("bagged_lda", "bagged LDA", "discriminant", _bagged_lda, *_SHRINKAGE, (*_LDA, "bagging_members")),
        Model("qda", "QDA, shrunken", "discriminant", _qda, *_over("shrinkage", "qda_shrinkage"), ("qda_shrinkage",),
              needs=lambda params, counts: counts.min() > 1),
        Model("naive_bayes", "Gaussian naive Bayes", "discriminant", _naive_bayes,
              *_over("smoothing", "bayes_smoothing"), ("bayes_smoothing",)),
        Model("knn", "nearest neighbours", "neighbours", _knn, *_over("k", "knn_neighbours"), ("knn_neighbours",),
              needs=lambda params, counts: params["k"] <= counts.sum()),
        Model("rbf_svm", "RBF SVM", "kernel", _rbf_svm, _rbf_grid, _rbf_fixed, _RBF, margins=True),
        Model("mlp", "multilayer perceptron", "network", _mlp, *_over("alpha", "mlp_alpha"),
              ("mlp_alpha", "mlp_units", "mlp_iterations")),
        Model("tree", "decision tree", "trees", _tree, *_over("leaf", "tree_leaf"), ("tree_leaf", "class_weight")),
        Model("extra_trees", "extra trees", "trees", _extra_trees, uses=("forest_trees", "class_weight")),
        Model("adaboost", "AdaBoost", "trees", _adaboost, *_over("depth", "adaboost_depth"),
              ("adaboost_depth", "boosting_rounds", "class_weight")),
        Model("gradient_boosting", "gradient boosting", "trees", _gradient_boosting, uses=_BOOSTING),
        Model("hist_boosting", "histogram gradient boosting", "trees", _hist_boosting, uses=_LEAVES),
        Model("xgboost", "XGBoost", "trees", _xgboost, uses=_LEAVES, libraries=(xgboost_library(),)),
    )
}  # fmt: skip
