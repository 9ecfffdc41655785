"""Linear discriminant analysis with a shrunken covariance, from sums that add up.

The classes share one covariance, W, which is drawn towards a multiple of the identity: (1 − s) W + s tr(W)/d I. This is
scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage=s)``, solved by a Cholesky factorisation, with
weights of rows. All that it needs of the rows are their weighted sums and products (``Moments``); these of different
rows add, so that weights of whole corpora, and any number of shrinkages, cost no further pass over the rows. Fits that
are compared on validation rows are factorised in single precision, in half the time; what predicts test rows never is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve, get_blas_funcs
from sklearn.base import BaseEstimator, ClassifierMixin

from ser_study.config import Models
from ser_study.models.classical import SpanRotation
from ser_study.models.linear_head import Discriminant
from ser_study.models.model import Decision, Params

_SINGLE_FROM = 1e-5  # least share of the largest variance that the smallest may be
_ROUNDING = 100  # in units of the precision: so small a share of the columns' squares is none
PRIORS = ("counts", "equal")  # of the classes: their share of the training rows, or all alike


def members(codes: np.ndarray, n_classes: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Shares (C, n) of rows in classes where each row belongs to one: class numbers (n,), weights (n,) or all 1."""
    shares = np.zeros((n_classes, len(codes)))
    shares[codes, np.arange(len(codes))] = 1.0 if weights is None else weights
    return shares


@dataclass(frozen=True)
class Moments:
    """Weighted sums over rows of d columns: of each class its weight and sum, of all rows the products of columns.

    Attributes
    ----------
    weight : (C,)
    sums : (C, d)
    products : (d, d)
    width : number of columns that the covariance's trace is divided by; d, unless the columns were rotated into fewer
    """

    weight: np.ndarray
    sums: np.ndarray
    products: np.ndarray
    width: int

    @classmethod
    def of(cls, values: np.ndarray, codes: np.ndarray, n_classes: int, weights: np.ndarray | None = None) -> Moments:
        """Of values (n, d), float32 or float64, class numbers (n,) and weights (n,) of rows (None: all 1)."""
        return cls.of_shares(values, members(codes, n_classes, weights))

    @classmethod
    def of_shares(cls, values: np.ndarray, shares: np.ndarray) -> Moments:
        """Of values (n, d), float32 or float64, of which each row counts by a share in every class, (C, n)."""
        shares = shares.astype(values.dtype, copy=False)
        root = values * np.sqrt(shares.sum(axis=0))[:, None]
        sums = (shares @ values).astype(float)
        return cls(shares.sum(axis=1, dtype=float), sums, root.T @ root, values.shape[1])

    def __add__(self, other: Moments) -> Moments:
        return self.plus(other, 1.0)

    def __sub__(self, other: Moments) -> Moments:
        return self.plus(other, -1.0)

    def plus(self, other: Moments, factor: float) -> Moments:
        """With the rows of another, weighted by a factor."""
        products = self.products.copy()
        axpy = get_blas_funcs("axpy", [products])
        axpy(other.products.ravel(), products.ravel(), a=factor)  # in place, in one pass: they may be large
        weight, sums = self.weight + factor * other.weight, self.sums + factor * other.sums
        return Moments(weight, sums, products, self.width)

    def spread(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (d,) of each column, 1 where a column does not vary."""
        total = self.weight.sum()
        mean = self.sums.sum(axis=0) / total
        variance = np.clip(np.diag(self.products) / total - mean**2, 0, None)
        tiny = 1e-10 * (1 + mean**2)
        return mean, np.where(variance > tiny, variance, 1.0)

    def within(self) -> np.ndarray:
        """Sums of squares and products within classes (d, d), in the lower triangle, in the order of columns."""
        root = self.sums / np.sqrt(np.maximum(self.weight, np.finfo(float).tiny))[:, None]
        syrk = get_blas_funcs("syrk", [self.products])
        # the transpose of a symmetric matrix is itself, in the order of columns that BLAS and LAPACK work in
        return syrk(-1.0, root.T, beta=1.0, c=self.products.T.copy(order="F"), lower=True, overwrite_c=True)


def solved(
    moments: Moments,
    shrinkages: Sequence[float],
    *,
    priors: str = "counts",
    standardise: bool = False,
    precision: type = np.float64,
) -> Iterator[Discriminant]:
    """The discriminant of each shrinkage.

    Parameters
    ----------
    moments : of the training rows; every class has some
    shrinkages : each between 0 and 1
    priors : one of ``PRIORS``
    standardise : divide the columns by their standard deviation before the covariance is shrunken
    precision : float32 for what is compared on validation rows only, see ``precision_to_compare``

    Raises
    ------
    ValueError
        A class has no rows, or the covariance is singular (shrinkage 0 and more columns than rows).
    """
    if (moments.weight <= 0).any():
        raise ValueError(f"{int((moments.weight <= 0).sum())} of {len(moments.weight)} classes have no training row.")
    plain = np.zeros(moments.sums.shape[1]), np.ones(moments.sums.shape[1])
    mean, variance = moments.spread() if standardise else plain
    total = moments.weight.sum()
    means = moments.sums / moments.weight[:, None] - mean
    share = moments.weight / total if priors == "counts" else np.full(len(means), 1 / len(means))
    within = moments.within().astype(precision, copy=False)
    level = (np.diag(within) / variance).sum() / moments.width  # mean variance of the scaled columns, times the weight
    whole = (np.diag(moments.products) / variance).sum() / moments.width
    # Rows of a class are alike, as where each class has one: the nearest mean wins
    if level <= _ROUNDING * np.finfo(precision).eps * whole:
        within, level = np.zeros_like(within), whole
    for shrinkage in shrinkages:
        # Columns divided by their deviation D: D⁻¹ ((1 − s) W + s level D²) D⁻¹, so that W needs no scaling
        shrunken = (1 - shrinkage) * within if shrinkage < 1 else np.zeros_like(within)
        shrunken[np.diag_indices_from(shrunken)] += shrinkage * level * variance
        try:
            factor = cho_factor(shrunken, lower=True, overwrite_a=True, check_finite=False)
        except np.linalg.LinAlgError:
            raise ValueError(f"The covariance is singular at shrinkage {shrinkage}; take one above 0.") from None
        coefficients = total * cho_solve(factor, means.T.astype(precision), check_finite=False).T.astype(float)
        intercepts = np.log(share) - 0.5 * (coefficients * means).sum(axis=1)
        yield Discriminant(coefficients, intercepts - coefficients @ mean)


def precision_to_compare(shrinkages: Sequence[float], width: int) -> type:
    """Single precision, unless so little shrinkage of so many columns that rounding could make a covariance singular.

    The largest variance is at most ``width`` times the mean, the smallest at least the shrinkage times it.
    """
    return np.float32 if min(shrinkages) / width >= _SINGLE_FROM else np.float64


class ShrinkageLDA(ClassifierMixin, BaseEstimator):
    """Linear discriminant analysis with a shrunken covariance, see the module.

    Parameters
    ----------
    shrinkage : 0 (none) to 1 (a multiple of the identity)
    priors : one of ``PRIORS``

    Attributes
    ----------
    classes_ : sorted class names
    coef_, intercept_ : (C, d) and (C,)
    """

    def __init__(self, shrinkage: float = 0.5, priors: str = "counts"):
        self.shrinkage = shrinkage
        self.priors = priors

    def fit(self, values: np.ndarray, truth: np.ndarray, sample_weight: np.ndarray | None = None) -> ShrinkageLDA:
        """Fit on values (n, d), class names (n,) and weights (n,)."""
        self.classes_, (one,) = _path(values, truth, [self.shrinkage], self.priors, sample_weight)
        self.coef_, self.intercept_ = one.coefficients, one.intercepts
        return self

    def decision_function(self, values: np.ndarray) -> np.ndarray:
        """Log-posteriors but for a constant of each row, (n, C) in the order of ``classes_``."""
        return Discriminant(self.coef_, self.intercept_)(values)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Class names, shape (n,)."""
        return self.classes_[self.decision_function(values).argmax(axis=1)]


def _path(
    values, truth, shrinkages, priors: str, weights=None, precision: type = np.float64
) -> tuple[np.ndarray, list[Discriminant]]:
    """Classes, and the discriminant of each shrinkage; with fewer rows than columns, solved in the span of the rows."""
    classes, codes = np.unique(truth, return_inverse=True)
    return classes, _path_of_shares(values, members(codes, len(classes), weights), shrinkages, priors, precision)


def _path_of_shares(
    values, shares: np.ndarray, shrinkages, priors: str, precision: type = np.float64
) -> list[Discriminant]:
    """The discriminant of each shrinkage, of rows with shares (C, n) in classes of which each has some."""
    precision = precision if len(values) >= np.shape(values)[1] else np.float64  # the span is not found in single
    values, weights = np.asarray(values, float), shares.sum(axis=0)
    centre = np.average(values, axis=0, weights=None if (weights == 1).all() else weights)
    values = (values - centre).astype(precision, copy=False)
    axes = SpanRotation().fit(values).axes_
    moments = Moments.of_shares(values if axes is None else values @ axes, shares)
    moments = Moments(moments.weight, moments.sums, moments.products, values.shape[1])
    fitted = []
    for one in solved(moments, shrinkages, priors=priors, precision=precision):
        coefficients = one.coefficients if axes is None else one.coefficients @ axes.T
        fitted.append(Discriminant(coefficients, one.intercepts - coefficients @ centre))
    return fitted


def build(models: Models, params: Params, seed: int) -> ShrinkageLDA:
    """Unfitted estimator of a point of the grid."""
    return ShrinkageLDA(params["shrinkage"], params["priors"])


def grid(models: Models) -> list[dict]:
    """Every shrinkage with every kind of prior."""
    return [{"shrinkage": s, "priors": p} for p in models.class_priors for s in models.covariance_shrinkage]


def fixed(models: Models) -> dict:
    """Where nothing may be chosen: the middle shrinkage."""
    middle = len(models.covariance_shrinkage) // 2
    return {"shrinkage": models.covariance_shrinkage[middle], "priors": models.class_priors[0]}


def fit(params: Params, train, truth) -> tuple[np.ndarray, Discriminant]:
    """Classes, and the discriminant of one point of the grid."""
    classes, (one,) = _path(train, truth, [params["shrinkage"]], params["priors"])
    return classes, one


def decisions(models: Models, grid: Sequence[Params], train, truth, values) -> Iterator[Decision]:
    """Margins of each point of a grid; the covariance is computed once, and several points are only compared."""
    classes, codes = np.unique(truth, return_inverse=True)
    for margins in decisions_of_shares(grid, train, members(codes, len(classes)), values):
        yield classes, margins


def decisions_of_shares(grid: Sequence[Params], train, shares: np.ndarray, values) -> Iterator[np.ndarray]:
    """Margins (n, C) of each point of a grid, fitted on rows that belong to each class by a share.

    Parameters
    ----------
    grid : hyperparameters; one point is fitted in double precision, several are only compared
    train : (m, d)
    shares : (C, m), such as votes of listeners; every class has some
    values : (n, d), what is predicted
    """
    if len(grid) == 1:
        (one,) = _path_of_shares(train, shares, [grid[0]["shrinkage"]], grid[0]["priors"])
        yield one(values)
        return
    shrinkages = list(dict.fromkeys(params["shrinkage"] for params in grid))
    precision = precision_to_compare(shrinkages, np.shape(train)[1]) if len(shrinkages) > 1 else np.float64
    fitted = _path_of_shares(train, shares, shrinkages, "counts", precision)
    priors = np.log(shares.sum(axis=1) / shares.sum())
    margins = {shrinkage: one(values) for shrinkage, one in zip(shrinkages, fitted)}
    for params in grid:
        margin = margins[params["shrinkage"]]
        yield margin if params["priors"] == "counts" else margin - priors
