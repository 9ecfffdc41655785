"""Networks: one table, one scikit-learn-like classifier. Keras is imported when a network is built.

``REGISTRY`` holds a row a network beside the classical models; ``classifier`` makes one with settings
of its own. A network has nothing to choose on validation rows: it is stopped by them.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from sklearn.base import BaseEstimator

from ser_study.config import Models, Training
from ser_study.models.deep.estimator import HISTORY, KerasClassifier, held_out
from ser_study.models.deep.network import Network
from ser_study.models.deep.table import NETWORKS, get
from ser_study.models.model import Model, Params

__all__ = [
    "HISTORY",
    "NETWORKS",
    "REGISTRY",
    "VERSION",
    "KerasClassifier",
    "Network",
    "classifier",
    "declaration",
    "get",
    "held_out",
]

VERSION = 2  # rises when a network, its preparation or its training gives other numbers


def classifier(
    name: str,
    params: Params | None = None,
    seed: int = 0,
    training: Training | None = None,
    class_weight: str = "",
) -> KerasClassifier:
    """Unfitted classifier of a network; ``ValueError`` for an unknown network or setting."""
    get(name).settings(params)
    return KerasClassifier(name, dict(params or {}), seed, training, class_weight)


def declaration(name: str) -> dict[str, Any]:
    """What a network's predictions depend on besides data, seed and ``config.training``: plain values."""
    network = get(name)
    return {"version": VERSION, "preparation": network.preparation, "params": network.settings()}


def _build(models: Models, params: Params, seed: int, *, name: str) -> BaseEstimator:
    return classifier(name, params, seed, class_weight=models.class_weight)


REGISTRY: Mapping[str, Model] = {
    name: Model(name, network.title, "deep", partial(_build, name=name), uses=("class_weight",), libraries=("keras",))
    for name, network in NETWORKS.items()
}
