"""The card of a recogniser: what it was fitted on, how well it hears new speakers, and what it is not for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser_study import __version__, corpora
from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import abstention
from ser_study.experiments import execute, runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.recognizer.fitting import Fit
from ser_study.recognizer.recognizer import described
from ser_study.schema import classes_in, probability_columns
from ser_study.store import Store, git

AIMS = (0.8, 0.9, 0.95)  # shares of right answers that a threshold is learned for
ANSWERS_AT = 0.8  # the aim whose threshold a recogniser answers by
INTENDED_USE = (
    "Research and teaching: the likely emotion of one short clip of acted speech, of a speaker who need not be known."
)
LIMITS = (
    "Fitted on actors who were told what to express, recorded in studios. It says nothing about what a person feels, "
    "and was tested neither on spontaneous speech nor on languages other than those of its corpora. Not for decisions "
    "about people."
)
METRICS = ("uar", "accuracy", "log_loss", "ece", "ece_if_calibrated")


def card_of(
    one: Experiment, fit: Fit, selections: Mapping[str, Selection], *, config: Config, store: Store
) -> dict[str, Any]:
    """The card of the head of an experiment, as plain values; its test scores are logged.

    Parameters
    ----------
    one : an experiment on new speakers; its scores, and the thresholds of its validation rows, are those of the card
    fit : its head
    selections, config, store : as for ``fitting.fit``
    """
    options = {"config": config, "store": store}
    predictions = runner.predict([one], selections, **options)[one]
    chances = thresholds(predictions)
    (level,) = [row["threshold"] for row in chances if row["aim"] == ANSWERS_AT]
    names = sorted({one.selection, *one.others})
    return {
        "name": one.name,
        "classes": list(fit.head.classes),
        "features": [described(name, config) for name in execute.feature_names(one)],
        "threshold": min(level, 1.0),
        "params": dict(fit.params),
        "n_train": fit.n_train,
        "corpora": [_corpus(name, selections[name]) for name in names],
        "protocol": one.protocol,
        "scheme": one.scheme,
        "scores": _scores(runner.scores([one], selections, **options)),
        "thresholds": chances,
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "made_with": {"ser_study": __version__, "commit": git(store.project, "rev-parse", "HEAD")}
        | execute.made_with(execute.feature_names(one), config),
        "declaration": one.digest,
    }


def thresholds(predictions: pd.DataFrame) -> list[dict[str, float]]:
    """For each aim the threshold that validation rows teach, and what it brings on them and on test rows.

    Parameters
    ----------
    predictions : of one experiment, with validation and test rows

    Returns
    -------
    One table row an aim: ``aim, threshold``, and coverage and accuracy of ``validation`` and ``test`` rows.
    """
    rows = {role: _right_and_sure(predictions[predictions["role"] == role]) for role in ("validation", "test")}
    table = []
    for aim in AIMS:
        level = abstention.threshold(*rows["validation"], aim)
        row = {"aim": aim, "threshold": min(level, 1.0)}
        for role, (right, confidence) in rows.items():
            coverage, accuracy = abstention.answered(right, confidence, level)
            row |= {f"{role}_coverage": coverage, f"{role}_accuracy": accuracy if coverage else None}
        table.append(row)
    return table


def _right_and_sure(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether each prediction is right, and how sure it is."""
    proba = rows[probability_columns(classes_in(rows))].to_numpy(float)
    return (rows["prediction"] == rows["truth"]).to_numpy(), proba.max(axis=1)


def _scores(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Metric → value with its interval, and over how many clips and speakers."""
    rows = table[table["metric"].isin(METRICS)].replace({np.nan: None})
    facts = ["value", "low", "high", "interval", "n", "n_speakers"]
    return {row["metric"]: {name: row[name] for name in facts} for row in rows.to_dict("records")}


def _corpus(name: str, part: Selection) -> dict[str, Any]:
    """What a corpus is, and under which licence."""
    info = corpora.module(corpora.corpus_of(name)).INFO
    return {
        "selection": name,
        "title": info.title,
        "licence": info.licence,
        "citation": info.citation,
        "language": info.language,
        "clips": len(part.clips),
        "speakers": int(part.n_speakers),
        "digest": settings.fingerprint(part.digest)[:12],
    }
