"""Parameters of a space → an unfitted classifier, on one thread, with its scaling inside.

Trees are capped at ``models.tree_cap`` and iterations at ``tuning.max_iter``; the published searches used
tens of thousands. Classifiers take integer classes from 0 and forget nothing between fits but their seed.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from ser_study.config import Config
from ser_study.models.seed_models import LightGBM2019
from ser_study.tuning.spaces import Params

EPOCHS_004 = 2  # of each point of seed 004's grid, as published


def scaled(estimator: BaseEstimator) -> Pipeline:
    """The estimator behind a scaler, so that scaling is fitted on training rows alone."""
    return make_pipeline(FunctionTransformer(np.float64), StandardScaler(), estimator)


class CappedNeighbours(KNeighborsClassifier):
    """k nearest neighbours, or all training rows where there are fewer than k."""

    def fit(self, values: np.ndarray, truth: np.ndarray) -> CappedNeighbours:
        """Keep the training rows."""
        self.n_neighbors = min(self.n_neighbors, len(values))
        return super().fit(values, truth)


def knn(params: Params, seed: int, config: Config) -> Pipeline:
    """k nearest neighbours."""
    return scaled(CappedNeighbours(**params))


def tree(params: Params, seed: int, config: Config) -> Pipeline:
    """One decision tree."""
    return scaled(DecisionTreeClassifier(random_state=seed, **params))


def forest(params: Params, seed: int, config: Config) -> Pipeline:
    """Random forest; the published numbers of trees are beyond the cap, so that this parameter may be idle."""
    trees = min(params.get("n_estimators", 100), config.models.tree_cap)
    rest = {name: value for name, value in params.items() if name != "n_estimators"}
    return scaled(RandomForestClassifier(n_estimators=trees, random_state=seed, n_jobs=1, **rest))


def logistic(params: Params, seed: int, config: Config) -> Pipeline:
    """Multinomial logistic regression; ``penalty`` "l1" or "l2" goes with the solver saga."""
    options: dict[str, Any] = dict(params)
    penalty = options.pop("penalty", None)
    if penalty is not None:
        options |= {"solver": "saga", "l1_ratio": float(penalty == "l1")}
        if LogisticRegression().penalty == "l2":  # scikit-learn before 1.8 reads the ratio only so
            options["penalty"] = "elasticnet"
    return scaled(LogisticRegression(max_iter=config.tuning.max_iter, random_state=seed, **options))


def mlp(params: Params, seed: int, config: Config) -> Pipeline:
    """One hidden layer of ``hidden`` units; lbfgs ignores batch size and schedule, as in the original."""
    options = {name: value for name, value in params.items() if name != "hidden"}
    if "hidden" in params:
        options["hidden_layer_sizes"] = (params["hidden"],)
    return scaled(MLPClassifier(max_iter=config.tuning.max_iter, random_state=seed, **options))


def lightgbm(params: Params, seed: int, config: Config) -> BaseEstimator:
    """LightGBM; ``boosting`` is gbdt, dart or goss (gbdt with one-sided sampling)."""
    options: dict[str, Any] = {"n_estimators": 100, **params}
    boosting = options.pop("boosting", "gbdt")
    options["boosting_type"] = "dart" if boosting == "dart" else "gbdt"
    if boosting == "goss":
        options["data_sample_strategy"] = "goss"
    options["n_estimators"] = min(options["n_estimators"], config.models.tree_cap)
    if "colsample_bytree" in options:  # the published range starts at 0, which LightGBM refuses
        options["colsample_bytree"] = max(options["colsample_bytree"], 1e-3)
    return LightGBM2019(options, seed)  # the published learning rates are those of its steps


def xgboost(params: Params, seed: int, config: Config) -> BaseEstimator:
    """XGBoost with the names its wrapper reads; the original passed names that it ignored."""
    from xgboost import XGBClassifier

    options: dict[str, Any] = {"n_estimators": 100, **params}
    options["n_estimators"] = min(options["n_estimators"], config.models.tree_cap)
    return XGBClassifier(random_state=seed, n_jobs=1, tree_method=_method(options), verbosity=0, **options)


def _method(options: Params) -> str | None:
    """Trees are grown on histograms; the linear booster has none."""
    return None if options.get("booster") == "gblinear" else "hist"


def pca_lda(params: Params, seed: int, config: Config) -> Pipeline:
    """LDA on 435 principal components, fitted on the training rows alone.

    All that comes before LDA is one step, so that a memory keeps components and no scaled copy of the rows.
    """
    options: dict[str, Any] = {"solver": "lsqr", **params}
    reduced = make_pipeline(FunctionTransformer(_flat), StandardScaler(), PCA(435, random_state=seed))
    return make_pipeline(reduced, LinearDiscriminantAnalysis(**options))


def _flat(values: np.ndarray) -> np.ndarray:
    """Images or vectors as rows of float64, shape (n, d)."""
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1)


def network_004(params: Params, seed: int, config: Config) -> Pipeline:
    """Seed 004's CNN–BiLSTM, two epochs on batches of 64, on the training rows alone."""
    from ser_study.models import deep

    training = dataclasses.replace(config.training, valid_share=0.0, max_epochs=0)
    settings = {**params, "epochs": EPOCHS_004, "batch": 64}
    learner = deep.classifier("cnn_bilstm_004_seed", settings, seed, training)
    return make_pipeline(FunctionTransformer(_as_images), learner)


def _as_images(values: np.ndarray) -> np.ndarray:
    """Maps (n, t, mels) with one channel, (n, t, mels, 1)."""
    return values[..., None] if values.ndim == 3 else values
