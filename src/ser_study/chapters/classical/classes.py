"""The chosen systems class by class and speaker by speaker: confusions, precision and recall, ROC curves."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.evaluation import tables
from ser_study.study import Study

CLASS_COLUMNS = ["corpus", "class", "n", "precision", "recall", "low", "high", "interval", "f1", "auc"]
SPEAKER_COLUMNS = ["corpus", "speaker", "gender", "n", "n_classes", "uar", "accuracy"]
ROC_COLUMNS = ["corpus", "class", "auc", "false_positive_rate", "true_positive_rate"]
MAX_POINTS = 200  # of a ROC curve; thousands of steps finer than a line would only fill the page


def confusions(predictions: pd.DataFrame, study: Study) -> list[tuple[str, np.ndarray, list[str]]]:
    """(selection, counts, classes) of each system; classes in the order of its probabilities.

    Parameters
    ----------
    predictions : test predictions of one system a corpus, ``headline.test_predictions``
    """
    if predictions.empty:
        return []
    panels = []
    for name, cells in tables.confusion_table(predictions, study.clips()).groupby("corpus", sort=False):
        classes = list(dict.fromkeys(cells["truth"]))
        panels.append((name, cells["count"].to_numpy(int).reshape(len(classes), len(classes)), classes))
    return panels


def by_class(predictions: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Precision, recall with its interval, F1 and AUC of every class (``CLASS_COLUMNS``)."""
    if predictions.empty:
        return pd.DataFrame(columns=CLASS_COLUMNS)
    random = settings.rng(study.config, settings.SCORES)
    return tables.per_class(predictions, study.clips(), evaluation=study.config.evaluation, rng=random)[CLASS_COLUMNS]


def roc_points(predictions: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Points of the ROC curve of every class against the others (``ROC_COLUMNS``), about ``MAX_POINTS`` a curve; no
    rows where systems state no probabilities."""
    if predictions.empty:
        return pd.DataFrame(columns=ROC_COLUMNS)
    return thinned(tables.roc(predictions, study.clips())[ROC_COLUMNS])


def thinned(points: pd.DataFrame) -> pd.DataFrame:
    """At most ``MAX_POINTS`` of each curve (``corpus``, ``class``), and its first and last."""
    place = ((points["false_positive_rate"] + points["true_positive_rate"]) * MAX_POINTS / 2).astype(int)  # never falls
    curve = points.groupby(["corpus", "class"], sort=False).ngroup()
    chosen = (place.diff() != 0) | (curve.diff() != 0) | (curve.diff(-1) != 0)
    return points[chosen].reset_index(drop=True)


def by_speaker(predictions: pd.DataFrame, study: Study) -> pd.DataFrame:
    """UAR and accuracy of every speaker over the classes that this speaker has (``SPEAKER_COLUMNS``)."""
    if predictions.empty:
        return pd.DataFrame(columns=SPEAKER_COLUMNS)
    clips = study.clips()
    scores = tables.speaker_scores(predictions, clips)
    gender = clips.drop_duplicates("speaker").set_index("speaker")["gender"]
    return scores.assign(gender=scores["speaker"].map(gender))[SPEAKER_COLUMNS]
