"""What stands between the features and a network, fitted on training rows and on nothing else."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ser_study.config import unknown

KINDS = ("channel", "pixel", "pca95", "unit", "none")
_AT_ONCE = 1024  # rows in double precision at a time


class Standard(TransformerMixin, BaseEstimator):
    """Zero mean and unit variance of each value ("pixel") or of each entry of the last axis ("channel").

    A value that never changes in training is only centred. Sums run in double precision over blocks of
    rows, so that images need no second copy.
    """

    def __init__(self, each: str = "channel"):
        self.each = each

    def fit(self, values: np.ndarray, truth=None) -> Standard:
        """Means and standard deviations of values (n, …)."""
        axes = 0 if self.each == "pixel" else tuple(range(values.ndim - 1))
        count = len(values) if self.each == "pixel" else int(np.prod(values.shape[:-1]))
        blocks = [values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE)]
        mean = sum(block.sum(axis=axes, dtype=np.float64) for block in blocks) / count
        squares = sum(((block - mean) ** 2).sum(axis=axes) for block in blocks)
        sd = np.sqrt(squares / count)
        self.mean_ = mean.astype(np.float32)
        self.scale_ = np.where(sd > 1e-7 * np.maximum(1, np.abs(mean)), sd, 1).astype(np.float32)
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Scaled values, float32."""
        scaled = values.astype(np.float32)
        scaled -= self.mean_
        scaled /= self.scale_
        return scaled


class Unit(TransformerMixin, BaseEstimator):
    """The range of all training values as 0 to 1, as image networks expect their pixels."""

    def fit(self, values: np.ndarray, truth=None) -> Unit:
        """Smallest value and span."""
        self.low_ = float(values.min())
        self.span_ = float(values.max()) - self.low_ or 1.0
        return self

    def transform(self, values: np.ndarray) -> np.ndarray:
        """Values from 0 to 1, float32; what lies outside the training range is cut."""
        return np.clip((values.astype(np.float32) - self.low_) / self.span_, 0, 1)


def make(kind: str) -> Pipeline | TransformerMixin:
    """Unfitted preparation.

    Parameters
    ----------
    kind : "channel" or "pixel" (see :class:`Standard`), "pca95" (columns scaled, then as many principal
        components as hold 95 % of the variance), "unit" (0 to 1) or "none"

    Raises
    ------
    ValueError
        Another kind.
    """
    if kind in ("channel", "pixel"):
        return Standard(kind)
    if kind == "pca95":
        single = FunctionTransformer(np.float32)
        return make_pipeline(FunctionTransformer(np.float64), StandardScaler(), PCA(0.95, svd_solver="full"), single)
    if kind == "unit":
        return Unit()
    if kind == "none":
        return FunctionTransformer(np.float32)
    raise ValueError(unknown("preparation", kind, KINDS))
