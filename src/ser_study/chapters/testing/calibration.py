"""Does a system know when it is wrong? Probabilities against truth, and answering only when sure.

Conventions
-----------
Temperatures and thresholds are learned fold by fold on validation rows, whose speakers are neither in training nor in
test. A selection of two speakers has none to spare, so nothing is learned for it. The experiments scale the margins of
a linear discriminant on the same rows already (``training.temperature``), so a further temperature differs from 1 only
where that scale was at its limit. ``system`` holds the systems' titles, see ``declare.TITLES``.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import training
from ser_study.chapters.testing import declare
from ser_study.evaluation import abstention, intervals, probabilities
from ser_study.evaluation.intervals import Resamples
from ser_study.evaluation.predictions import Predictions, experiments, pooled
from ser_study.experiments.experiment import Experiment
from ser_study.schema import classes_in, probability_columns
from ser_study.study import Study
from ser_study.wording import voices

PARTS = ("reliability", "resolution", "uncertainty", "within")
SCORES = (
    *("corpus", "system", "log_loss", "low", "high", "ece", "ece_if_calibrated", "overconfidence"),
    *("temperature", "log_loss_after", "ece_after", "n", "n_speakers"),
)
BRIER = ("corpus", "system", "brier", "low", "high", *PARTS)
BINS = ("corpus", "system", "confidence", "accuracy", "low", "high", "n")
CURVES = ("corpus", "system", "coverage", "accuracy")
ANSWERS = (
    *("corpus", "system", "aim", "coverage", "coverage_low", "coverage_high", "accuracy", "low", "high"),
    *("accuracy_of_all", "n_answered", "note"),
)
NO_VALIDATION = "no validation speaker"
NEVER = "never that sure"


def predictions(study: Study) -> dict[tuple[str, str], pd.DataFrame]:
    """(selection, title of the system) → predictions of every system of the chapter."""
    chosen = _experiments(study)
    tables = study.predict(chosen.values())
    return {key: tables[one] for key, one in chosen.items()}


def _experiments(study: Study) -> dict[tuple[str, str], Experiment]:
    """(selection, title of the system) → experiment."""
    chosen = declare.systems(study)
    return {(name, declare.TITLES[kind]): one for name, kinds in chosen.items() for kind, one in kinds.items()}


def learns(rows: pd.DataFrame, n_speakers: int) -> bool:
    """Whether every fold has validation rows, of speakers who are in neither training nor test."""
    has_rows = rows["role"].eq("validation").groupby([rows[name] for name in abstention.FOLD]).any()
    return n_speakers >= declare.MIN_SPEAKERS and bool(has_rows.all())


def temperatures(rows: pd.DataFrame) -> pd.Series:
    """Temperature that gives the smallest log loss on the validation rows of each fold, by repeat and fold."""
    classes = classes_in(rows)
    columns = probability_columns(classes)
    order = np.argsort(classes)
    learned = {}
    for fold, part in rows[rows["role"] == "validation"].groupby(abstention.FOLD):
        logs = probabilities.log_probabilities(part[columns].to_numpy(float))[:, order]
        learned[fold] = 1 / training.temperature(logs, part["truth"].to_numpy(str), np.array(classes)[order])
    return pd.Series(learned, dtype=float)


def tempered(rows: pd.DataFrame, learned: pd.Series) -> pd.DataFrame:
    """Test rows with the probabilities that the temperatures of their folds give."""
    columns = probability_columns(classes_in(rows))
    parts = []
    for fold, part in rows[rows["role"] == "test"].groupby(abstention.FOLD):
        scaled = probabilities.tempered(part[columns].to_numpy(float), 1 / learned[fold])
        parts.append(part.assign(**dict(zip(columns, scaled.T))))
    return pd.concat(parts, ignore_index=True)


def scores(study: Study, tables: dict[tuple[str, str], pd.DataFrame]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Log loss and ECE with what a further temperature adds (``SCORES``), and the Brier score with its parts
    (``BRIER``), one row a selection and system.

    Parameters
    ----------
    tables : of ``predictions``
    """
    chosen = _experiments(study)
    scored = study.scores(chosen.values())
    rows, parts = [], []
    for (name, system), table in tables.items():
        own = scored[scored["experiment"] == chosen[name, system].name].set_index("metric")
        head = {"corpus": name, "system": system}
        facts = own.loc["log_loss", ["low", "high", "n", "n_speakers"]].to_dict()
        values = own["value"][["log_loss", "ece", "ece_if_calibrated"]].to_dict()
        rows.append(head | values | facts | _confidence(name, table, study))
        values = {part: own["value"].get(f"brier_{part}") for part in PARTS} | {"brier": own.loc["brier", "value"]}
        values["within"] = values["brier"] - values["reliability"] + values["resolution"] - values["uncertainty"]
        parts.append(head | values | own.loc["brier", ["low", "high"]].to_dict())
    return pd.DataFrame(rows, columns=list(SCORES)), pd.DataFrame(parts, columns=list(BRIER))


def _confidence(name: str, table: pd.DataFrame, study: Study) -> dict[str, float]:
    """How much surer than right a system is, and its scores with a temperature; these are empty where none is learned.

    ``temperature`` is the median over folds.
    """
    part = study.selections[name]
    one = tested(table, part.clips)
    surplus = float(one.proba.max(axis=1).mean() - (one.prediction == one.truth).mean())
    if not learns(table, part.n_speakers):
        return {"overconfidence": surplus}
    learned = temperatures(table)
    after = tested(tempered(table, learned), part.clips)
    return {
        "overconfidence": surplus,
        "temperature": float(learned.median()),
        "log_loss_after": float(probabilities.clip_log_loss(after.truth, after.proba).mean()),
        "ece_after": probabilities.ece(after.truth, after.proba, bins=study.config.evaluation.calibration_bins),
    }


def tested(table: pd.DataFrame, clips: pd.DataFrame) -> Predictions:
    """Test rows as arrays, one row a clip."""
    return pooled(next(experiments(table, clips)))


def resamples(one: Predictions, study: Study, purpose: str) -> Resamples:
    """The resamples of the tested clips, for intervals over speakers."""
    random = settings.rng(study.config, f"testing/{purpose}/{one.facts['corpus']}")
    return intervals.resample(one.truth, one.speaker, n_bootstrap=study.config.evaluation.n_bootstrap, rng=random)


def reliability(study: Study, tables: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Mean confidence and accuracy in equal-mass bins of confidence, with intervals (``BINS``)."""
    rows, level = [], study.config.evaluation.level
    for (name, system), one in _tested(study, tables):
        drawn, right = resamples(one, study, "bins"), one.prediction == one.truth
        bin_of = probabilities.confidence_bins(one.proba, bins=study.config.evaluation.calibration_bins)
        for place in range(bin_of.max() + 1):
            inside = bin_of == place
            accuracy, span = intervals.share(right, inside, drawn, level=level)
            confidence = float(one.proba.max(axis=1)[inside].mean())
            rows.append((name, system, confidence, accuracy, span.low, span.high, int(inside.sum())))
    return pd.DataFrame(rows, columns=list(BINS))


def curves(study: Study, tables: dict[tuple[str, str], pd.DataFrame], *, points: int = 100) -> pd.DataFrame:
    """Accuracy of what is answered at each coverage, the surest clips first (``CURVES``).

    Parameters
    ----------
    points : of each curve, at most; coverages below 2 % are left out, where a few clips decide
    """
    frames = []
    for (name, system), one in _tested(study, tables):
        _, coverage, accuracy = abstention.risk_coverage(one.prediction == one.truth, one.proba.max(axis=1))
        wanted = np.searchsorted(coverage, np.linspace(0.02, 1, points)).clip(max=len(coverage) - 1)
        wanted = np.unique(wanted)
        cells = {"corpus": name, "system": system, "coverage": coverage[wanted], "accuracy": accuracy[wanted]}
        frames.append(pd.DataFrame(cells))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=list(CURVES))


def _tested(study: Study, tables: dict) -> Iterator[tuple[tuple[str, str], Predictions]]:
    for (name, system), table in tables.items():
        yield (name, system), tested(table, study.selections[name].clips)


def answers(study: Study, tables: dict[tuple[str, str], pd.DataFrame]) -> pd.DataFrame:
    """What a threshold for 80, 90 and 95 % right answers, learned on validation speakers, brings on test speakers.

    Returns
    -------
    One row a selection, system and aim (``ANSWERS``): coverage and accuracy with intervals over speakers. Without
    validation speakers both are empty, and ``note`` says so; where no fold is ever sure enough, accuracy is.
    """
    rows = []
    for (name, system), table in tables.items():
        part = study.selections[name]
        head = {"corpus": name, "system": system}
        for aim in abstention.AIMS:
            if learns(table, part.n_speakers):
                rows.append(head | {"aim": aim} | answered(table, part.clips, aim, study))
            else:
                rows.append(head | {"aim": aim, "note": NO_VALIDATION})
    return pd.DataFrame(rows, columns=list(ANSWERS))


def answered(table: pd.DataFrame, clips: pd.DataFrame, aim: float, study: Study) -> dict:
    """Coverage and accuracy of test rows at the thresholds of their folds, with intervals over the test speakers.

    Parameters
    ----------
    table : predictions of one experiment, with validation and test rows
    clips : clips table of the tested selection
    aim : share of right answers among the validation rows that are answered
    """
    thresholds = abstention.fold_thresholds(table, aim)
    test = table[table["role"] == "test"]
    right, confidence = abstention.right_and_confidence(test)
    sure = confidence >= abstention.levels_of(test, thresholds)
    one = next(experiments(test, clips))
    drawn, level = resamples(one, study, "answers"), study.config.evaluation.level
    coverage, around = intervals.share(sure, np.ones(len(sure), bool), drawn, level=level)
    accuracy, span = intervals.share(right, sure, drawn, level=level)
    note = voices(drawn.kind).strip(" ()") if sure.any() else NEVER
    return {
        **{"coverage": coverage, "coverage_low": around.low, "coverage_high": around.high},
        **{"accuracy": accuracy, "low": span.low, "high": span.high, "note": note},
        **{"accuracy_of_all": float(right.mean()), "n_answered": int(sure.sum())},
    }
