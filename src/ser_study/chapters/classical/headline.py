"""The system of each corpus that validation speakers choose, its scores, and its predictions."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ser_study import features, schema
from ser_study.chapters.classical.tables import SYSTEM
from ser_study.evaluation import choice, metrics, predictions
from ser_study.evaluation.summaries import uar, validation_scores
from ser_study.experiments.benchmark import benchmark, hand_crafted
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.published import LABELS
from ser_study.study import Study

HEADLINE_COLUMNS = [*SYSTEM, "value", "low", "high", "interval", "n", "n_speakers", "chosen_by"]
PROBABILITY_METRICS = ("log_loss", "brier", "ece", "ece_if_calibrated")
OWN_SPEAKERS, OTHER_CORPORA = "its own validation speakers", "the other corpora"


def chosen_systems(study: Study, scores: pd.DataFrame) -> pd.DataFrame:
    """The headline table with the column ``nested``: UAR when each fold chooses its own system."""
    systems = headline(scores)
    return systems.assign(nested=systems["corpus"].map(nested(study)))


def headline(scores: pd.DataFrame) -> pd.DataFrame:
    """The hand-crafted system of each corpus with the best score on validation speakers, and what it scores on test.

    A corpus without validation speakers of its own (TESS) takes the system that does best, on average,
    on the validation speakers of the other corpora.
    """
    scores = hand_crafted(scores)
    honest = scores[scores["protocol"] == "speaker_independent"]
    validation = validation_scores(scores)
    test = uar(honest).set_index(SYSTEM)
    rows = []
    for corpus in dict.fromkeys(honest["corpus"]):
        own = validation[validation["corpus"] == corpus]
        if own.empty:
            candidates = test.loc[corpus].index
            mean = validation.groupby(["feature", "model"])["value"].agg(["mean", "size"])
            mean = mean[(mean["size"] == mean["size"].max()) & mean.index.isin(candidates)]
            if mean.empty:
                continue
            feature, model = mean["mean"].idxmax()
        else:
            feature, model = own.loc[own["value"].idxmax(), ["feature", "model"]]
        system = {"corpus": corpus, "feature": feature, "model": model}
        chosen_by = OTHER_CORPORA if own.empty else OWN_SPEAKERS
        rows.append(test.loc[(corpus, feature, model)].to_dict() | system | {"chosen_by": chosen_by})
    return pd.DataFrame(rows, columns=HEADLINE_COLUMNS)


def nested(study: Study) -> dict[str, float]:
    """UAR on test when the system is chosen anew in each fold, by that fold's validation speakers alone."""
    scores = {}
    for name, part in study.selections.items():
        declared = benchmark(study.config, study.only([name]).possible)
        candidates = [
            e
            for e in declared
            if e.protocol == "speaker_independent" and e.model != "dummy" and not features.is_pretrained(e.feature)
        ]
        if part.n_speakers < 3 or not candidates:
            continue
        chosen = choice.nested_choice({one.name: rows for one, rows in study.predict(candidates, read=LABELS).items()})
        scores[name] = metrics.uar_of(chosen[chosen["role"] == "test"])
    return scores


def test_predictions(study: Study, systems: pd.DataFrame) -> pd.DataFrame:
    """Predictions of the chosen systems for clips of new speakers, with ``p_<class>`` of each class."""
    experiments = [
        Experiment(one.corpus, "speaker_independent", one.feature, one.model) for one in systems.itertuples()
    ]
    tables = [study.predictions(experiment) for experiment in experiments]
    if not tables:
        return pd.DataFrame(columns=[*schema.PREDICTION_COLUMNS, *predictions.EXTRA_COLUMNS])
    return pd.concat([table[table["role"] == "test"] for table in tables], ignore_index=True)


def overall(scores: pd.DataFrame, systems: pd.DataFrame) -> pd.DataFrame:
    """Every score of right and wrong predictions of the chosen systems, and their mean AUC; one row a system."""
    return _metrics(scores, systems, (*metrics.COUNT_METRICS, "auc"))


def probabilities(scores: pd.DataFrame, systems: pd.DataFrame) -> pd.DataFrame:
    """Log loss, Brier score and ECE of the chosen systems."""
    return _metrics(scores, systems, PROBABILITY_METRICS)


def _metrics(scores: pd.DataFrame, systems: pd.DataFrame, names: Iterable[str]) -> pd.DataFrame:
    """Some metrics of the systems on new speakers, one row a system; a metric that no system has is left out."""
    rows = scores[scores["protocol"] == "speaker_independent"].merge(systems[SYSTEM], on=SYSTEM)
    wide = rows.pivot_table(index=SYSTEM, columns="metric", values="value", sort=False)
    return wide[[name for name in names if name in wide]].reset_index().rename_axis(columns=None)
