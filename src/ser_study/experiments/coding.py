"""Probabilities in one byte each: what a run computes its scores with, and what it publishes.

Conventions
-----------
Of a row of probabilities p, each is coded by its distance L = ln(max p / p) from the largest: code =
round(64 ln(1 + L)), at most 255. Decoded, the weights exp(−(exp(code / 64) − 1)) are divided by their sum. The largest
has code 0; steps of L grow as 1 + L, so that the odds against the largest are kept to 0.8 % where two classes are
alike and to 2.6 % where one is ten times less likely, and no probability moves by more than .005. Coding what was
decoded gives the same codes: scores computed on decoded probabilities are those of the published predictions.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

STEPS = 64  # codes a unit of ln(1 + L)
LARGEST = 255  # the code of a probability of 0, too


def encode(proba: np.ndarray) -> np.ndarray:
    """Codes of probabilities.

    Parameters
    ----------
    proba : float array, shape (n, C)

    Returns
    -------
    uint8 array, shape (n, C).
    """
    with np.errstate(divide="ignore"):
        distance = np.log(proba.max(axis=1, keepdims=True, initial=0.0) / proba.astype(np.float64))
    return np.minimum(np.round(STEPS * np.log1p(distance)), LARGEST).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Probabilities of codes: float32, shape (n, C), rows sum to one."""
    weights = np.exp(-np.expm1(np.arange(LARGEST + 1) / STEPS))[codes]
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def rounded(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with the probabilities that are published of them."""
    columns = [column for column in predictions.columns if column.startswith("p_")]
    if not columns or predictions.empty:
        return predictions
    values = decode(encode(predictions[columns].to_numpy(np.float32)))
    return predictions.assign(**{column: values[:, place] for place, column in enumerate(columns)})
