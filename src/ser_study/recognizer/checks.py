"""Whether a card, its head and this package go together; a recogniser that would answer wrongly is refused."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ser_study import config as settings
from ser_study import features
from ser_study.config import Config
from ser_study.models.linear_head import LinearHead

UNSURE = "unsure"  # the answer below the threshold
LONGEST = 600.0  # s; no setting of a bundle may ask for a longer signal
LARGEST = 2**20  # of any other number among them


def is_names(classes: Any) -> bool:
    """Whether these are names of emotions, as plain words."""
    return isinstance(classes, list) and all(
        isinstance(name, str) and name.strip() and name.isprintable() and name != UNSURE for name in classes
    )


def described(name: str, config: Config) -> dict[str, Any]:
    """All that the values of a feature depend on, as plain values."""
    return settings.as_dict(features.get(name).settings(config))


def restored(card: Mapping[str, Any]) -> Config:
    """Settings with the sections that the features of a card were made with.

    Raises
    ------
    ValueError
        This package has no such features, or makes them with other settings, weights or code.
    """
    try:
        known = {one["feature"]: dict(one) for one in card["features"]}
        changes = {}
        for name, one in known.items():
            own = features.get(name)
            for section in (own.audio, *own.options):
                values = one["audio" if section == own.audio else section]
                changes |= {f"{section}.{key}": _within(key, value) for key, value in values.items()}
        config = settings.load("full", changes)
        differing = [name for name, one in known.items() if described(name, config) != one]
        if not known or len(known) != len(card["features"]):
            raise ValueError("none, or one of them twice")
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as error:
        raise ValueError(f"This version of ser_study cannot make the recogniser's features ({error}).") from error
    if differing:
        raise ValueError(
            f"This version of ser_study makes {', '.join(differing)} with other settings, weights or code than the "
            "recogniser was fitted on; fit and export it again."
        )
    return config


def _within(key: str, value: Any) -> Any:
    most = LONGEST if "length" in key and not key.startswith(("trim", "hop")) else LARGEST
    if isinstance(value, (int, float)) and not abs(value) <= most:
        raise ValueError(f"{key} of {value!r}, more than {most:g}")
    return value


def check(head: LinearHead, card: Mapping[str, Any], config: Config) -> None:
    """Refuse a head that does not fit its card, and features that cannot be had here.

    Raises
    ------
    ValueError
        With what does not fit.
    """
    _check_shapes(head, card, config)
    for name, array in (("deviation", head.deviation), ("scale", head.scale)):
        if not (np.asarray(array) > 0).all():
            raise ValueError(f"The recogniser's {name} must be above 0; the least is {np.min(array)}.")
    numbers = (head.centre, head.deviation, head.coefficients, head.intercepts, head.scale)
    if not all(np.isfinite(array).all() for array in numbers):
        raise ValueError("The recogniser holds values that are no finite numbers; fit it again.")
    threshold = card.get("threshold")
    if threshold is not None and (type(threshold) not in (int, float) or not 0 <= threshold <= 1):
        raise ValueError(f"The threshold of the recogniser is {threshold!r}; it must be between 0 and 1, or none.")
    for one in (features.get(known["feature"]) for known in card["features"]):
        if one.apart:
            raise ValueError(f"{one.title} can be made in a process of its own only; choose another feature.")
        if not one.is_here():
            fetch = f"Fetch its weights with: ser-study download {one.weights}."
            raise ValueError(f"The recogniser's feature {one.name} cannot be had here. {one.lacks() or fetch}")
    _warn_of_versions(card, config)


def _check_shapes(head: LinearHead, card: Mapping[str, Any], config: Config) -> None:
    names = list(head.classes)
    width = sum(features.width(known["feature"], config=config) for known in card["features"])
    shapes = [np.shape(array) for array in (head.centre, head.deviation, head.intercepts, head.coefficients)]
    wanted = [(width,), (width,), (len(names),), (len(names), width)]
    if shapes != wanted or len(set(names)) != len(names) or len(names) < 2 or names != card["classes"]:
        raise ValueError(
            f"The recogniser's classes ({', '.join(names)}), its {width} columns and its arrays of {shapes} do not go "
            "together; export it again."
        )


def _warn_of_versions(card: Mapping[str, Any], config: Config) -> None:
    """Say so where other libraries would make the features than those that made the training clips'."""
    before, now = card.get("made_with"), features.made_with([known["feature"] for known in card["features"]], config)
    changed = [name for name, version in now.items() if not isinstance(before, dict) or before.get(name) != version]
    if changed:
        warnings.warn(
            f"The recogniser was made with other versions of {', '.join(changed)}; its probabilities may differ in the "
            "last digits.",
            stacklevel=4,
        )
