"""Linear support vector machine on a matrix of inner products, one class against one.

With hundreds of columns or more, the products of all rows are smaller than the rows, are computed once for all values
of C, and the machine that compares classes in pairs does better than one against the rest (method §1).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC, LinearSVC

from ser_study.config import Models
from ser_study.models.model import Decision, Params, margins

MAX_ROWS = 8_000  # beyond, the matrix outgrows memory and the machine in primal form takes over
PER_COLUMN = "/columns"


class GramSVM(ClassifierMixin, BaseEstimator):
    """``SVC(kernel="linear")`` by way of the Gram matrix; beyond ``MAX_ROWS`` rows ``LinearSVC``.

    Parameters
    ----------
    C : inverse strength of the penalty; ``"5/columns"`` is five, divided by the number of columns: so it means as much
        for 88 of them as for thousands, because the products of scaled rows grow with that number
    class_weight : None or "balanced"
    seed : of ``LinearSVC``

    Attributes
    ----------
    classes_ : sorted class names
    """

    def __init__(self, C: float | str = 1.0, class_weight: str | None = None, seed: int = 0):
        self.C = C
        self.class_weight = class_weight
        self.seed = seed

    def fit(self, values: np.ndarray, truth: np.ndarray, sample_weight: np.ndarray | None = None) -> GramSVM:
        """Fit on values (n, d), class names (n,) and weights (n,)."""
        values = np.asarray(values, float)
        self.rows_ = values if len(values) <= MAX_ROWS else None
        c = self.C if not isinstance(self.C, str) else float(self.C.removesuffix(PER_COLUMN)) / values.shape[1]
        if self.rows_ is None:
            machine = LinearSVC(C=c, max_iter=300, tol=1e-3, random_state=self.seed)
            self.machine_ = machine.set_params(class_weight=self.class_weight).fit(values, truth, sample_weight)
        else:
            self.machine_ = _machine(c, self.class_weight).fit(values @ values.T, truth, sample_weight)
        self.classes_ = self.machine_.classes_
        return self

    def decision_function(self, values: np.ndarray) -> np.ndarray:
        """Margins (n, C) in the order of ``classes_``; of two classes (n,)."""
        return self.machine_.decision_function(values if self.rows_ is None else values @ self.rows_.T)

    def predict(self, values: np.ndarray) -> np.ndarray:
        """Class names, shape (n,)."""
        return self.machine_.predict(values if self.rows_ is None else values @ self.rows_.T)


def _machine(c: float, class_weight: str | None) -> SVC:
    return SVC(C=c, kernel="precomputed", class_weight=class_weight, cache_size=500)


def build(models: Models, params: Params, seed: int) -> GramSVM:
    """Unfitted estimator of a point of the grid, or of the fixed strength."""
    return GramSVM(params["C"], models.class_weight or None, seed)


def fixed(models: Models) -> Params:
    """The strength where none is chosen: ``svm_c_fixed`` shared among the columns."""
    return {"C": f"{models.svm_c_fixed:g}{PER_COLUMN}"}


def decisions(models: Models, grid: Sequence[Params], train, truth, values) -> Iterator[Decision]:
    """Margins of each point of a grid; the products are computed once."""
    if len(train) > MAX_ROWS or len(grid) == 1:
        for params in grid:
            estimator = build(models, params, 0).fit(train, truth)
            yield estimator.classes_, margins(estimator, values)
        return
    inside, outside = train @ train.T, values @ train.T
    for params in grid:
        machine = _machine(params["C"], models.class_weight or None).fit(inside, truth)
        decided = machine.decision_function(outside)
        yield machine.classes_, np.stack([-decided, decided], axis=1) if decided.ndim == 1 else decided
