"""Predictions as plain values for JSON: what is no number is null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ser_study.recognizer import Recognizer
from ser_study.wording import word

CORPUS_FACTS = ("selection", "title", "licence", "citation", "language", "clips", "speakers", "trained_on")


def as_json(content: Mapping[str, Any]) -> str:
    """The text of an answer; ``ValueError`` for a number that JSON has not."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def number(value: float, digits: int = 6) -> float | None:
    """A number of few digits, or None for NaN and infinity."""
    return round(float(value), digits) if math.isfinite(value) else None


def by_class(classes: Sequence[str], probabilities: Sequence[float]) -> dict[str, float] | None:
    """Class → probability, or None without any."""
    values = {name: number(value) for name, value in zip(classes, probabilities, strict=True)}
    return None if None in values.values() else values


def window(row: Any, classes: Sequence[str], probabilities: Sequence[float]) -> dict[str, Any]:
    """A window of a stream or a row of a timeline.

    Parameters
    ----------
    row : has ``start``, ``end``, ``speech``, ``level``, ``emotion`` and ``confidence``
    """
    return {
        "start": number(row.start, 3),
        "end": number(row.end, 3),
        "speech": number(row.speech, 3),
        "level": number(row.level, 1),
        "emotion": str(row.emotion),
        "confidence": number(row.confidence),
        "probabilities": by_class(classes, probabilities),
    }


def model(recognizer: Recognizer) -> dict[str, Any]:
    """What the card says to readers, for the page and beside every prediction."""
    card = recognizer.card
    corpora = [{name: one.get(name) for name in CORPUS_FACTS} for one in card.get("corpora", [])]
    return {
        "name": str(card.get("name", "")),
        "title": word(str(card.get("name", ""))),
        "classes": list(recognizer.classes),
        "threshold": card["threshold"],
        "features": recognizer.features,
        "scores": card.get("scores", {}),
        "scores_by_corpus": _shortened(card.get("scores_by_corpus")),
        "scores_of_unknown_corpus": _shortened(card.get("scores_of_unknown_corpus")),
        "coverage": card.get("thresholds", []),
        "protocol": card.get("protocol"),
        "corpora": corpora,
        "intended_use": card.get("intended_use", ""),
        "limits": card.get("limits", ""),
    }


def _shortened(scores: Mapping[str, Mapping[str, Any]] | None) -> dict[str, Any]:
    """Corpus → its mean recall and interval, of a card that has them."""
    return {name: one["uar"] for name, one in (scores or {}).items() if "uar" in one}


def model_summary(recognizer: Recognizer) -> dict[str, Any]:
    """The same in a few lines, for each answer."""
    whole = model(recognizer)
    score = whole["scores"].get("uar") or {}
    return {
        **{key: whole[key] for key in ("name", "classes", "threshold", "intended_use", "limits")},
        "uar": {key: score.get(key) for key in ("value", "low", "high")},
    }
