"""Answering only when sure: how often a system is right above a confidence, and how much it answers there.

Conventions
-----------
``right`` is boolean and ``confidence`` float, both of shape (n,): whether the likeliest class is true, and its
probability. *Coverage* is the share of clips that are answered. A threshold is learned on validation rows and reported
on test rows: every fold learns its own, on its own validation rows, whose speakers it does not test.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.schema import classes_in, probability_columns

AIMS = (0.8, 0.9, 0.95)  # shares of right answers that a threshold is learned for
ANSWERS_AT = 0.8  # the aim whose threshold a recogniser answers by
FOLD = ["repeat", "fold"]


def risk_coverage(right: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Thresholds, falling, and at each the coverage and the accuracy of what is answered.

    One entry for each different confidence; a clip is answered when its confidence is at least the threshold.
    """
    order = np.argsort(-confidence, kind="stable")
    last = np.append(np.flatnonzero(np.diff(confidence[order])), len(order) - 1)  # of equal confidences
    answered = last + 1
    return confidence[order][last], answered / len(order), np.cumsum(right[order])[last] / answered


def threshold(right: np.ndarray, confidence: np.ndarray, aim: float) -> float:
    """The least confidence above which a share ``aim`` of the answers is right, so that as many as can be are answered.

    Returns
    -------
    A confidence; infinite where no answer, however sure, is right that often.

    Raises
    ------
    ValueError
        There is no clip to learn from.
    """
    if not len(right):
        raise ValueError("No validation clip to learn a threshold from.")
    levels, _, accuracy = risk_coverage(right, confidence)
    reached = np.flatnonzero(accuracy >= aim)
    return float(levels[reached[-1]]) if len(reached) else float("inf")


def answered(right: np.ndarray, confidence: np.ndarray, level: float | np.ndarray) -> tuple[float, float]:
    """Coverage, and accuracy of what is answered (NaN where nothing is), at a threshold, or one for each clip (n,)."""
    sure = confidence >= level
    return float(sure.mean()), float(right[sure].mean()) if sure.any() else float("nan")


def right_and_confidence(rows: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Whether each prediction is right, and its probability."""
    proba = rows[probability_columns(classes_in(rows))].to_numpy(float)
    return (rows["prediction"] == rows["truth"]).to_numpy(), proba.max(axis=1)


def fold_thresholds(predictions: pd.DataFrame, aim: float) -> pd.Series:
    """The threshold that each fold learns on its validation rows, by repeat and fold.

    Raises
    ------
    ValueError
        A fold has no validation row to learn from.
    """
    levels = {
        fold: threshold(*right_and_confidence(rows[rows["role"] == "validation"]), aim)
        for fold, rows in predictions.groupby(FOLD)
    }
    return pd.Series(levels, dtype=float)


def levels_of(rows: pd.DataFrame, thresholds: pd.Series) -> np.ndarray:
    """The threshold of the fold of each row, shape (n,)."""
    return thresholds.loc[pd.MultiIndex.from_frame(rows[FOLD])].to_numpy()


def coverage_by_aim(predictions: pd.DataFrame) -> list[dict[str, float | None]]:
    """What answering only when sure brings on test rows, for each aim.

    Parameters
    ----------
    predictions : of one experiment, with validation and test rows

    Returns
    -------
    One row an aim: ``aim``, ``coverage`` and ``accuracy`` of the test rows that are answered (None where none is).
    """
    test = predictions[predictions["role"] == "test"]
    right, confidence = right_and_confidence(test)
    table = []
    for aim in AIMS:
        coverage, accuracy = answered(right, confidence, levels_of(test, fold_thresholds(predictions, aim)))
        table.append({"aim": aim, "coverage": coverage, "accuracy": accuracy if coverage else None})
    return table
