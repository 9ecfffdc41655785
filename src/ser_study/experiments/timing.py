"""What a system costs: the seconds of a fit, the bytes of what is fitted, the features of one clip from its file.

Everything runs on one thread. A fitted model is pickled to count its bytes and for nothing else: the pickle is not
written and never read.
"""

from __future__ import annotations

import pickle
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from ser_study import config as settings
from ser_study import corpora, features
from ser_study.config import Config
from ser_study.experiments import execute
from ser_study.experiments.experiment import Experiment
from ser_study.models import classical
from ser_study.models.model import Model, margins
from ser_study.parallel import single_threaded
from ser_study.store import Store
from ser_study.tuning.comparison import timed


@dataclass(frozen=True)
class Fitted:
    """A fitted classical model with its scaling; called with features (n, d) it gives margins (n, C)."""

    prepare: BaseEstimator
    estimator: BaseEstimator

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="X does not have valid feature names")
            return margins(self.estimator, self.prepare.transform(rows))


def fit_classical(
    model: Model, rows: np.ndarray, classes: np.ndarray, config: Config, *, params: Mapping[str, Any] | None = None
) -> tuple[Fitted, float]:
    """A fitted model and the seconds its fit took, scaling included.

    Parameters
    ----------
    rows : (n, d) features
    classes : (n,) class names
    params : hyperparameters; None: those of the settings where nothing is chosen
    """
    prepare = classical.preparation(model)
    chosen = model.fixed(config.models) if params is None else params
    estimator = model.build(config.models, chosen, settings.random_state(config, "costs"))
    with single_threaded(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # iterations are capped on purpose
        _, seconds = timed(lambda: estimator.fit(prepare.fit_transform(rows), classes))
    return Fitted(prepare, estimator), seconds


def size_of(fitted: Fitted) -> int:
    """Bytes of a fitted model with its scaling."""
    return len(pickle.dumps((fitted.prepare, fitted.estimator)))


def extracted(one: Experiment, clip: pd.Series, config: Config, store: Store) -> list[np.ndarray]:
    """All features of one clip, from its file."""
    path = corpora.root_of(clip["corpus"], store) / clip["path"]
    return [features.extract(name, path, config=config) for name in execute.feature_names(one)]
