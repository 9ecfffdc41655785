"""Probabilities in one byte each: what a run computes its scores with, and what it publishes.

Conventions
-----------
Of a row of probabilities p, each is coded by its distance L = ln(max p / p) from the largest: code =
round(54 ln(1 + L)), and 255 for a probability of 0. Decoded, the weights exp(−(exp(code / 54) − 1)), 0 for 255, are
divided by their sum. The largest, and no other, has code 0, so the likeliest class stays the likeliest. Steps of L
grow as 1 + L, so that all float32 numbers fit: the odds against the largest are kept to 2 % where two classes are alike
and to 3 % where one is ten times less likely, and no probability moves by more than .006. Scores of decoded
probabilities are those of the published predictions.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

VERSION = 2  # rises when a probability gets another code
STEPS = 54  # codes a unit of ln(1 + L); the least float32 number, L = 103, has code 251
ZERO = 255  # code of a probability of 0
WEIGHTS = np.append(np.exp(-np.expm1(np.arange(ZERO) / STEPS)), 0.0)  # of each code, float64


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
    codes = np.minimum(np.round(STEPS * np.log1p(distance)), ZERO)
    return np.where(distance > 0, np.maximum(codes, 1), 0).astype(np.uint8)


def decode(codes: np.ndarray) -> np.ndarray:
    """Probabilities of codes: float32, shape (n, C), rows sum to one."""
    weights = WEIGHTS[codes]
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def rounded(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions with the probabilities that are published of them."""
    columns = [column for column in predictions.columns if column.startswith("p_")]
    if not columns or predictions.empty:
        return predictions
    values = decode(encode(predictions[columns].to_numpy(np.float32)))
    return predictions.assign(**{column: values[:, place] for place, column in enumerate(columns)})
