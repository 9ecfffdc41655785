"""What a model of the study is: how its estimator is built, and the values that its search may try."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ser_study.config import Models

Params = Mapping[str, Any]
Decision = tuple[np.ndarray, np.ndarray]  # classes (k,), margins (n, k)


@dataclass(frozen=True)
class Model:
    """``build(models, params, seed)`` gives an unfitted estimator; ``grid`` and ``fixed`` its hyperparameters."""

    name: str
    title: str
    family: str  # baseline, linear, trees, discriminant, neighbours, kernel, network, deep
    build: Callable[[Models, Params, int], BaseEstimator]
    grid: Callable[[Models], list[dict]] = field(default=lambda models: [{}])
    fixed: Callable[[Models], dict] = field(default=lambda models: {})  # where nothing may be chosen
    uses: tuple[str, ...] = ()  # settings of config.Models it reads
    libraries: tuple[str, ...] = ()  # besides scikit-learn
    margins: bool = False  # it gives no probabilities: a temperature is fitted to its margins on validation rows
    standardised: bool = False  # scaled although its family needs no scaling, as in the student projects
    needs: Callable[[Params, np.ndarray], bool] = field(default=lambda params, counts: True)  # clips a class: enough?
    shared: Callable[..., Iterator[Decision]] | None = None  # ``decisions`` where points of a grid share work
    version: int = 0  # rises when the model gives other numbers

    def feasible(self, grid: Sequence[Params], truth: np.ndarray) -> list[Params]:
        """The points of a grid that training rows of these classes can feed."""
        counts = np.unique(truth, return_counts=True)[1]
        return [params for params in grid if self.needs(params, counts)]

    def decisions(self, models: Models, grid: Sequence[Params], seed: int, train, truth, values) -> Iterator[Decision]:
        """Fit on ``train`` (m, d) with classes ``truth`` (m,) at each point of a grid; margins of ``values`` (n, d).

        One point gives the same as building and fitting its estimator. Several are only compared: models whose points
        share work may compute these in single precision.
        """
        if self.shared:
            yield from self.shared(models, grid, train, truth, values)
            return
        for params in grid:
            estimator = self.build(models, params, seed).fit(train, truth)
            yield estimator.classes_, margins(estimator, values)


def margins(estimator: BaseEstimator, values: np.ndarray) -> np.ndarray:
    """Decision values of a fitted classifier, one column a class in the order of ``classes_``.

    A probability counts as its logarithm, so that a softmax of the result gives it back.
    """
    if hasattr(estimator, "predict_proba"):
        return np.log(np.clip(estimator.predict_proba(values), 1e-12, None))
    decision = estimator.decision_function(values)
    return np.stack([-decision, decision], axis=1) if decision.ndim == 1 else decision
