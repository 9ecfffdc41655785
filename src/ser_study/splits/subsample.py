"""Cut training sets to one size, so that protocols are compared at equal training size."""

from __future__ import annotations

import numpy as np
import pandas as pd


def subsample(folds: pd.DataFrame, classes: pd.Series, n: int, *, rng: np.random.Generator) -> pd.DataFrame:
    """Cut the training rows of each fold to ``n``, stratified by class; validation and test stay whole.

    Parameters
    ----------
    folds : folds table
    classes : class of each clip, indexed by ``clip_id``
    n : training rows to keep in each fold
    rng : random stream; another stream is another draw

    Returns
    -------
    Folds table. Each class keeps its share to within one row, and at least one row.

    Raises
    ------
    ValueError
        A fold has fewer than ``n`` training rows, or ``n`` is smaller than the number of classes.
    """
    keep = (folds["role"] != "train").to_numpy(copy=True)
    for (_, fold), rows in folds[~keep].groupby(["repeat", "fold"], sort=True):
        own = classes.reindex(rows["clip_id"]).to_numpy()
        names, counts = np.unique(own.astype(str), return_counts=True)
        if not len(names) <= n <= len(rows) or pd.isna(own).any():
            raise ValueError(
                f"Fold {fold} has {len(rows)} training rows in {len(names)} classes; cannot draw {n} of them."
            )
        for name, share in zip(names, _shares(counts, n), strict=True):
            drawn = rng.choice(np.flatnonzero(own == name), share, replace=False)
            keep[folds.index.get_indexer(rows.index[drawn])] = True
    return folds[keep].reset_index(drop=True)


def _shares(counts: np.ndarray, n: int) -> np.ndarray:
    """Split n in proportion to the counts: whole parts, then the largest remainders, none below one."""
    quota = counts * n / counts.sum()
    share = np.maximum(np.floor(quota).astype(int), 1)
    while share.sum() != n:
        step = 1 if share.sum() < n else -1
        room = share < counts if step > 0 else share > 1
        share[np.argmax(np.where(room, step * (quota - share), -np.inf))] += step
    return share
