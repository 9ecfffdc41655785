"""What a manager asks first: what is found, how many alarms are false, and what holds elsewhere.

Conventions
-----------
One system stands for all: the largest that is here. Everything is read from the tables of the other sections and from
the predictions on new speakers. An alarm is a clip that is predicted to be of ``ALARM``.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study.chapters.testing import declare
from ser_study.evaluation import metrics
from ser_study.schema import classes_in
from ser_study.study import Study

ALARM = "angry"
AIM = 0.9  # of the answers that are given, a share that is meant to be right
LINE, CROWD = ("telephone", 8.0), ("babble", 10.0)  # conditions that calls bring
COLUMNS = [
    *("corpus", "uar", "prevalence", "recall", "false_alarms", "coverage", "accuracy", "telephone", "babble", "n"),
    *("n_degraded", "n_speakers"),
]


def system(tables: Mapping[tuple[str, str], pd.DataFrame]) -> str:
    """Title of the largest system that some selection has; empty without any."""
    titles = {title for _, title in tables}
    return next((title for title in reversed(declare.TITLES.values()) if title in titles), "")


def table(
    study: Study, tables: Mapping[tuple[str, str], pd.DataFrame], answers: pd.DataFrame, degraded: pd.DataFrame
) -> pd.DataFrame:
    """One row a selection (``COLUMNS``) for the largest system.

    Parameters
    ----------
    tables : of ``calibration.predictions``
    answers : of ``calibration.answers``
    degraded : of ``robustness.table``

    Returns
    -------
    ``prevalence``: share of ``ALARM`` among the clips; ``recall``: share of these that is found; ``false_alarms``:
    share of the alarms that is wrong, NaN without an alarm; ``coverage, accuracy``: at the threshold for ``AIM``;
    ``telephone, babble``: change of UAR over ``n_degraded`` clips. What was not measured is NaN.
    """
    name, rows = system(tables), []
    for (selection, title), predictions in tables.items():
        if title == name:
            row = {"corpus": selection, "n_speakers": study.selections[selection].n_speakers}
            row |= alarms(predictions[predictions["role"] == "test"])
            chosen = answers[(answers["corpus"] == selection) & (answers["system"] == name) & (answers["aim"] == AIM)]
            row |= chosen[["coverage", "accuracy"]].iloc[0].to_dict() if len(chosen) else {}
            for column, condition in (("telephone", LINE), ("babble", CROWD)):
                row |= _change(degraded, selection, name, condition, column)
            rows.append(row)
    return pd.DataFrame(rows).reindex(columns=COLUMNS)


def alarms(test: pd.DataFrame) -> dict[str, float]:
    """UAR, and how ``ALARM`` is found, over all test rows; NaN where the corpus has no such class."""
    classes = classes_in(test)
    counts = metrics.confusion(test["truth"], test["prediction"], classes)
    row = {"uar": float(metrics.uar(counts)), "n": test["clip_id"].nunique()}
    if ALARM not in classes:
        return row
    place, total = classes.index(ALARM), counts.sum()
    raised = counts[:, place].sum()
    return row | {
        "prevalence": float(counts[place].sum() / total),
        "recall": float(metrics.recall_per_class(counts)[place]),
        "false_alarms": float(1 - counts[place, place] / raised) if raised else np.nan,
    }


def _change(degraded: pd.DataFrame, selection: str, title: str, condition: tuple[str, float], column: str) -> dict:
    """Change of UAR under a condition, and of how many clips; empty where it was not tried."""
    kind = next((kind for kind, one in declare.TITLES.items() if one == title), "")
    own = degraded[(degraded["corpus"] == selection) & (degraded["system"] == kind)]
    own = own[(own["degradation"] == condition[0]) & (own["level"] == condition[1])]
    return {column: float(own["change"].iloc[0]), "n_degraded": int(own["n"].iloc[0])} if len(own) else {}
