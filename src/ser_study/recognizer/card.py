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
from ser_study.experiments import benchmark, execute, runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.features import made_with
from ser_study.recognizer.checks import described
from ser_study.recognizer.fitting import Fit, of_fold
from ser_study.store import Store, git

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
    one: Experiment,
    fit: Fit,
    selections: Mapping[str, Selection],
    *,
    config: Config,
    store: Store,
    fold: tuple[int, int] | None = None,
) -> dict[str, Any]:
    """The card of the head of an experiment, as plain values; its test scores are logged.

    Parameters
    ----------
    one, selections, config, store, fold : as for ``fitting.fit``
    fit : its head

    Notes
    -----
    Scores are those of the experiment on speakers that each of its folds left out. The threshold that the recogniser
    answers by is learned on validation rows, of ``fold`` alone where one is given; hyperparameters and the scale of the
    probabilities were chosen on the same rows, so it is a little optimistic. What a threshold brings on test rows is
    reported with one learned anew in each fold.
    """
    options = {"config": config, "store": store}
    declared = one in benchmark.published(config, benchmark.possible(selections, config), selections)
    scores = runner.scores([one], selections, **options, undeclared=not declared)
    predictions = runner.predictions(one, selections, **options)
    learned = predictions if fold is None else of_fold(predictions, *fold)
    right, confidence = abstention.right_and_confidence(learned[learned["role"] == "validation"])
    level = abstention.threshold(right, confidence, abstention.ANSWERS_AT)
    names, used = sorted({one.selection, *one.others}), {one.selection, *fit.params.get("others", ())}
    features = execute.feature_names(one)
    return {
        "name": one.name,
        "classes": list(fit.head.classes),
        "features": [described(name, config) for name in features],
        "threshold": level if np.isfinite(level) else None,
        "params": dict(fit.params),
        "n_train": fit.n_train,
        "corpora": [corpus_of(name, selections[name]) | {"trained_on": name in used} for name in names],
        "protocol": one.protocol,
        "scheme": one.scheme,
        "scores": scores_of(scores),
        "thresholds": abstention.coverage_by_aim(predictions),
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "made_with": {"ser_study": __version__, "commit": git(store.project, "rev-parse", "HEAD")}
        | made_with(features, config),
        "declaration": one.digest,
    }


def scores_of(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Metric → value with its interval, and over how many clips and speakers."""
    rows = table[table["metric"].isin(METRICS)].replace({np.nan: None})
    facts = ["value", "low", "high", "interval", "n", "n_speakers"]
    return {row["metric"]: {name: row[name] for name in facts} for row in rows.to_dict("records")}


def corpus_of(name: str, part: Selection) -> dict[str, Any]:
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
