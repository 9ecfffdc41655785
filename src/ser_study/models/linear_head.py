"""A fitted linear system as plain arrays: all that is needed to predict with it, and nothing that runs code."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ser_study.models.discriminant import Discriminant
from ser_study.models.model import probabilities


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
