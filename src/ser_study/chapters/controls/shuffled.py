"""Shuffled labels: what is left to score when no label means anything."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from ser_study.chapters.controls import declare
from ser_study.evaluation import metrics, summaries
from ser_study.experiments import selections
from ser_study.experiments.published import COUNTS, LABELS
from ser_study.models import registry
from ser_study.study import Study
from ser_study.wording import word

TOLERANCE = 0.01  # of a mean over repeats about chance
HONEST, LEAKY = "at chance", "above chance"
COLUMNS = ["corpus", "protocol", "model", "shuffle", "draw", "value"]
SUMMARY = ["corpus", "protocol", "model", "shuffle", "repeats", "mean", "lowest", "highest", "chance", "difference"]
SUMMARY += ["expected", "holds"]
KEYS = ["corpus", "protocol", "model", "shuffle"]
# in the ``attrs`` of the scores; clips: the most of one corpus, or 0
FEATURE, MODEL, CLIPS = "feature", "model", "clips"
IN_WORDS = ["corpus", "split", "mean", "lowest", "highest", "chance", "difference", "expected", "holds", "repeats"]


def chance(study: Study) -> dict[str, float]:
    """UAR of guessing on each selection."""
    return selections.chance_levels(study.selections)


def scores(study: Study) -> pd.DataFrame:
    """UAR of every repeat (``COLUMNS``); its ``attrs`` name the system of the ladder that all but networks are, and how
    many clips of a larger corpus were taken."""
    rows, declared = [], declare.shuffled(study)
    for one, predictions in study.predict(declared, read=COUNTS).items():
        head = (one.selection, declare.step_of(one), one.model, one.shuffle)
        for draw, part in predictions[predictions["role"] == "test"].groupby("draw"):
            rows.append((*head, draw, metrics.uar_of(part)))
    table, ladder = pd.DataFrame(rows, columns=COLUMNS), study.config.ladder
    most = max((one.clips for one in declared), default=0)
    table.attrs.update({FEATURE: ladder.feature, MODEL: ladder.model, CLIPS: most})
    return table


def true_scores(study: Study) -> pd.DataFrame:
    """UAR of the same systems with their true labels: ``corpus, protocol, value``."""
    declared = declare.true_labels(study) if study.config.controls.shuffles else []
    steps = {one.name: declare.step_of(one) for one in declared}
    table = summaries.uar(study.scores(declared, read=LABELS))
    return table.assign(protocol=table["experiment"].map(steps))[["corpus", "protocol", "value"]]


def in_words(short: pd.DataFrame) -> pd.DataFrame:
    """The summary as readers see it: one name for a split, how labels were shuffled, and a network where it was one."""
    names = [row_name(*row) for row in short[["protocol", "shuffle", "model"]].itertuples(index=False)]
    return short.drop(columns=["protocol", "shuffle", "model"]).assign(split=names)[IN_WORDS]


def row_name(protocol: str, shuffle: str, model: str) -> str:
    """A row of the control: its split, and what differs from labels shuffled within speakers under a linear model."""
    deep = registry.get(model).family == "deep"
    return word(protocol) + ", over all clips" * (shuffle == declare.GLOBAL) + f", {word(model)}" * deep


def summary(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Mean and range of the repeats beside chance, and whether they are where they must be (``SUMMARY``)."""
    return short_of(table, chance(study))


def short_of(table: pd.DataFrame, chance: Mapping[str, float]) -> pd.DataFrame:
    """``summary`` where chance is known.

    The range holds 95 % of the repeats. A protocol without a leak holds when its mean is within ``TOLERANCE`` of
    chance; a leak shows when its whole range lies above chance.
    """
    grouped = table.groupby(KEYS, sort=False)["value"]
    short = grouped.agg(
        repeats="size", mean="mean", lowest=lambda v: v.quantile(0.025), highest=lambda v: v.quantile(0.975)
    ).reset_index()
    short = short.assign(chance=short["corpus"].map(chance).astype(float))
    short = short.assign(difference=short["mean"] - short["chance"])
    leaky = short["protocol"].isin(declare.STEP_OF_LEAK.values())
    holds = (short["difference"].abs() <= TOLERANCE).where(~leaky, short["lowest"] > short["chance"])
    return short.assign(expected=leaky.map({True: LEAKY, False: HONEST}), holds=holds.astype(bool))[SUMMARY]
