"""How similarly two feature sets describe the same clips.

References
----------
Kornblith S, Norouzi M, Lee H, Hinton G (2019). Similarity of neural network representations revisited. ICML.
Song L, Smola A, Gretton A, Bedo J, Borgwardt K (2012). Feature selection via dependence maximization. JMLR 13:
1393-1434 (the estimator of HSIC without bias, which more columns than clips need).
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd

from ser_study.chapters.features.tables import FeatureSets
from ser_study.wording import word

MAX_CLIPS = 1000  # compared
COLUMNS = ["corpus", "first", "second", "cka", "clips"]


def similarity(sets: FeatureSets) -> pd.DataFrame:
    """Linear CKA of every two feature sets on the same clips, one row a selection and pair (``COLUMNS``).

    Of more than 1,000 clips an evenly spaced sample is taken from the sorted names, which spreads it over speakers,
    sentences and emotions. Columns are standardised first, so that no unit outweighs another.
    """
    rows = []
    for selection in dict.fromkeys(selection for selection, _ in sets):
        here = {feature: values for (name, feature), values in sets.items() if name == selection}
        for one, two in combinations(here, 2):
            clips = np.intersect1d(here[one].clip_id.astype(str), here[two].clip_id.astype(str))
            if len(clips) > MAX_CLIPS:
                clips = clips[np.linspace(0, len(clips) - 1, MAX_CLIPS).round().astype(int)]
            cka = linear_cka(here[one].rows(clips), here[two].rows(clips)) if len(clips) > 3 else np.nan
            rows.append((word(selection), word(one), word(two), cka, len(clips)))
    return pd.DataFrame(rows, columns=COLUMNS)


def linear_cka(one: np.ndarray, two: np.ndarray) -> float:
    """Centred kernel alignment of two descriptions of the same n ≥ 4 clips, (n, d) and (n, e), without bias.

    1: the same geometry up to rotation; 0: unrelated (a little below 0 by chance). NaN where one is constant.
    """
    first, second = _gram(one), _gram(two)
    scale = _hsic(first, first) * _hsic(second, second)
    return float(_hsic(first, second) / np.sqrt(scale)) if scale > 0 else float("nan")


def _gram(values: np.ndarray) -> np.ndarray:
    """Inner products of standardised rows, zero on the diagonal, (n, d) → (n, n)."""
    values = values.reshape(len(values), -1).astype(float)
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0))[:, spread > 1e-9] / spread[spread > 1e-9]
    gram = scaled @ scaled.T
    np.fill_diagonal(gram, 0.0)
    return gram


def _hsic(first: np.ndarray, second: np.ndarray) -> float:
    """Hilbert–Schmidt independence criterion without bias (Song et al. 2012, equation 4), up to its factor."""
    n = len(first)
    whole = first.sum() * second.sum() / ((n - 1) * (n - 2))
    return float((first * second).sum() + whole - 2 / (n - 2) * (first.sum(axis=0) @ second.sum(axis=0)))
