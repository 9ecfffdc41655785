"""A fitted linear system as plain arrays: all that is needed to predict with it, and nothing that runs code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp


@dataclass(frozen=True)
class Discriminant:
    """Linear functions of the columns: coefficients (C, d) and intercepts (C,)."""

    coefficients: np.ndarray
    intercepts: np.ndarray

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Log-posteriors but for a constant of each row, (n, C); those of a row do not depend on what other rows are
        there, bit for bit, as they would in a product of matrices."""
        rows, columns = np.ascontiguousarray(values), np.ascontiguousarray(self.coefficients)
        if rows.shape[1] != columns.shape[1]:  # one column alone would count for all
            raise ValueError(f"Values have {rows.shape[1]} columns; the coefficients have {columns.shape[1]}.")
        return np.einsum("nd,cd->nc", rows, columns) + self.intercepts


def probabilities(margins: np.ndarray) -> np.ndarray:
    """Softmax of margins (n, C), as float32: the form in which predictions are kept."""
    return np.exp(margins - logsumexp(margins, axis=1, keepdims=True)).astype(np.float32)


@dataclass(frozen=True)
class LinearHead:
    """Columns (d,) are centred and scaled, then a linear function gives the margins of C classes."""

    classes: tuple[str, ...]
    centre: np.ndarray
    deviation: np.ndarray
    coefficients: np.ndarray  # (C, d)
    intercepts: np.ndarray  # (C,)
    scale: float  # of the margins, so that their softmax is calibrated

    def margins(self, values: np.ndarray) -> np.ndarray:
        """Margins (n, C) of values (n, d); ``ValueError`` where these have another number of columns."""
        values = np.asarray(values, np.float64)
        if values.shape[1:] != self.centre.shape:  # one column alone would count for all
            raise ValueError(f"Values have shape {values.shape}; this head takes {len(self.centre)} columns.")
        prepared = (values - self.centre) / self.deviation
        return Discriminant(self.coefficients, self.intercepts)(prepared) * self.scale

    def probabilities(self, values: np.ndarray) -> np.ndarray:
        """Probabilities (n, C), float32, of values (n, d)."""
        return probabilities(self.margins(values))
