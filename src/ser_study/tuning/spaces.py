"""Search spaces as data: what a parameter may be, and the space of a whole model."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ser_study.config import Config

Params = Mapping[str, Any]
When = tuple[str, tuple]  # (another parameter, its values for which this one exists)


@dataclass(frozen=True)
class Choice:
    """One of several values: text, numbers, truth values or None."""

    values: tuple
    when: When | None = None


@dataclass(frozen=True)
class Whole:
    """A whole number from ``low`` to ``high``, both included."""

    low: int
    high: int
    when: When | None = None


@dataclass(frozen=True)
class Real:
    """A number from ``low`` to ``high``; ``log``: uniform in its logarithm."""

    low: float
    high: float
    log: bool = False
    when: When | None = None


Dimensions = Mapping[str, Choice | Whole | Real]  # a parameter comes after those its ``when`` names


@dataclass(frozen=True)
class Published:
    """What the published search says of itself; ``score`` is its best cross-validated score."""

    trials: int
    score: float = math.nan
    params: Params = field(default_factory=dict)
    cost: str = ""  # as stated


@dataclass(frozen=True)
class Space:
    """The search of one model: dimensions, estimator, and how a trial is scored.

    ``build(params, seed, config)`` gives an unfitted classifier that takes rows and integer classes.
    ``published`` is what the original search found; ``variants`` are the augmented copies trained on.
    """

    name: str
    title: str
    system: str  # student system ("000" … "004")
    scheme: str  # label scheme
    feature: str
    dimensions: Dimensions
    build: Callable[[Params, int, Config], Any]
    published: Published
    metric: str = "accuracy"
    n_folds: int = 5
    method: str = "tpe"  # "random": scikit-learn's RandomizedSearchCV
    prefix: str = ""  # "random" only: before the parameters' names inside a pipeline
    variants: tuple[int, ...] = (0,)
    libraries: tuple[str, ...] = ()  # besides scikit-learn
    most: int = 0  # finished trials at most, where one takes minutes; 0: as many as ``tuning.trials``


def n_points(dimensions: Dimensions) -> int | None:
    """Number of points of a grid; None where a parameter is a range or depends on another."""
    if any(not isinstance(one, Choice) or one.when for one in dimensions.values()):
        return None
    return math.prod(len(one.values) for one in dimensions.values())


def points(dimensions: Dimensions) -> list[dict[str, Any]]:
    """Every point of a grid, the last parameter running fastest.

    Raises
    ------
    ValueError
        A parameter is a range or depends on another.
    """
    if n_points(dimensions) is None:
        raise ValueError(f"The space of {', '.join(dimensions)} is no grid; give every parameter a list of values.")
    values = (one.values for one in dimensions.values())
    return [dict(zip(dimensions, combination)) for combination in itertools.product(*values)]


def suggest(trial: Any, dimensions: Dimensions) -> dict[str, Any]:
    """Parameters of a trial, asked of it one by one; those whose condition does not hold are absent."""
    params: dict[str, Any] = {}
    for name, one in dimensions.items():
        if one.when and params.get(one.when[0]) not in one.when[1]:
            continue
        if isinstance(one, Choice):
            params[name] = trial.suggest_categorical(name, list(one.values))
        elif isinstance(one, Whole):
            params[name] = trial.suggest_int(name, one.low, one.high)
        else:
            params[name] = trial.suggest_float(name, one.low, one.high, log=one.log)
    return params
