"""Every model of the study by name: classical families, the student projects' and the networks."""

from __future__ import annotations

from collections.abc import Mapping

from ser_study.config import unknown
from ser_study.models import baseline_models, classical, deep, hierarchical, zoo
from ser_study.models.model import Model


def _merged(*parts: Mapping[str, Model]) -> dict[str, Model]:
    merged: dict[str, Model] = {}
    for part in parts:
        twice = merged.keys() & part.keys()
        if twice:
            raise ValueError(f"Models registered twice: {', '.join(sorted(twice))}; rename one of each.")
        merged |= part
    return merged


CLASSICAL: Mapping[str, Model] = _merged(classical.REGISTRY, zoo.REGISTRY)  # families with grids of their own
REGISTRY: Mapping[str, Model] = _merged(CLASSICAL, hierarchical.REGISTRY, baseline_models.REGISTRY, deep.REGISTRY)


def get(name: str) -> Model:
    """A registered model; ``ValueError`` with the known names otherwise."""
    if name not in REGISTRY:
        raise ValueError(unknown("model", name, REGISTRY))
    return REGISTRY[name]


def names(family: str = "") -> list[str]:
    """Names of the models of a family, or of all."""
    return [name for name, model in REGISTRY.items() if family in ("", model.family)]
