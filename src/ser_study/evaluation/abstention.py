"""Answering only when sure: how often a system is right above a confidence, and how much it answers there.

Conventions
-----------
``right`` is boolean and ``confidence`` float, both of shape (n,): whether the likeliest class is true, and its
probability. *Coverage* is the share of clips that are answered. A threshold is learned on validation rows and reported
on test rows.
"""

from __future__ import annotations

import numpy as np


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
