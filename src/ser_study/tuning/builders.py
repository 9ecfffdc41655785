"""Parameters of a space → an unfitted classifier, on one thread, with its scaling inside.

The families are those of ``models.baseline_models``. Trees are capped at ``models.tree_cap`` and iterations at
``tuning.max_iter``; the published searches used tens of thousands. Classifiers take integer classes from 0 and forget
nothing between fits but their random seed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ser_study.config import Config
from ser_study.models import baseline_models
from ser_study.tuning.spaces import Params

EPOCHS_004 = 2  # of each point of E004's grid, as published


def scaled(estimator: BaseEstimator) -> Pipeline:
    """The estimator behind a scaler, so that scaling is fitted on training rows alone."""
    return make_pipeline(FunctionTransformer(np.float64), StandardScaler(), estimator)


def knn(params: Params, seed: int, config: Config) -> Pipeline:
    """k nearest neighbours."""
    return scaled(baseline_models.knn(params))


def tree(params: Params, seed: int, config: Config) -> Pipeline:
    """One decision tree."""
    return scaled(baseline_models.tree(params, seed))


def forest(params: Params, seed: int, config: Config) -> Pipeline:
    """Random forest; the published numbers of trees are beyond the cap, so that this parameter may be idle."""
    return scaled(baseline_models.forest(params, seed, cap=config.models.tree_cap))


def logistic(params: Params, seed: int, config: Config) -> Pipeline:
    """Multinomial logistic regression; ``penalty`` "l1" or "l2" goes with the solver saga."""
    return scaled(baseline_models.logistic(params, seed, max_iter=config.tuning.max_iter))


def mlp(params: Params, seed: int, config: Config) -> Pipeline:
    """One hidden layer of ``hidden`` units; lbfgs ignores batch size and schedule, as in the original."""
    return scaled(baseline_models.mlp(params, seed, max_iter=config.tuning.max_iter))


def lightgbm(params: Params, seed: int, config: Config) -> BaseEstimator:
    """LightGBM; ``boosting`` is gbdt, dart or goss. The published learning rates are those of its steps in 2019."""
    return baseline_models.lightgbm(params, seed, cap=config.models.tree_cap)


def xgboost(params: Params, seed: int, config: Config) -> BaseEstimator:
    """XGBoost with the names its wrapper reads; the original passed names that it ignored."""
    return baseline_models.xgboost(params, seed, cap=config.models.tree_cap)


def pca_lda(params: Params, seed: int, config: Config) -> Pipeline:
    """LDA on 435 principal components, fitted on the training rows alone.

    All that comes before LDA is one step, so that a memory holds components and no scaled copy of the rows.
    """
    reduce = PCA(baseline_models.COMPONENTS_004, random_state=seed)
    reduced = make_pipeline(FunctionTransformer(_flat), StandardScaler(), reduce)
    return make_pipeline(reduced, LinearDiscriminantAnalysis(**{"solver": "lsqr", **params}))


def _flat(values: np.ndarray) -> np.ndarray:
    """Images or vectors as rows of float64, shape (n, d)."""
    return np.asarray(values, dtype=np.float64).reshape(len(values), -1)


def network_004(params: Params, seed: int, config: Config) -> Pipeline:
    """E004's CNN–BiLSTM, two epochs on batches of 64, on the training rows alone."""
    from ser_study.models import deep

    training = dataclasses.replace(config.training, validation_share=0.0, max_epochs=0)
    settings = {**params, "epochs": EPOCHS_004, "batch": 64}
    learner = deep.classifier("cnn_bilstm_004", settings, seed, training)
    return make_pipeline(FunctionTransformer(_as_images), learner)


def _as_images(values: np.ndarray) -> np.ndarray:
    """Maps (n, t, mels) with one channel, (n, t, mels, 1)."""
    return values[..., None] if values.ndim == 3 else values
