"""Small tables read from scores: the UAR rows, random beside new speakers, listeners of several selections.

Every function takes tables and returns tables; nothing is trained here.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study.evaluation import comparisons


def uar(scores: pd.DataFrame) -> pd.DataFrame:
    """The UAR rows of a scores table."""
    return scores[scores["metric"] == "uar"].reset_index(drop=True)


def listeners(clips: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Human reference of every selection that has listeners' labels clip by clip."""
    tables = []
    for name, own in clips.items():
        table = comparisons.human_reference(own, sorted(own["emotion"].unique()))
        tables.append(table.assign(corpus=name))
    known = [table for table in tables if len(table)]
    return pd.concat(known, ignore_index=True).infer_objects() if known else tables[0]


def listener_lines(reference: pd.DataFrame) -> dict[str, float]:
    """One line a corpus for figures: the UAR of a single listener."""
    return reference.groupby("corpus", sort=False)["uar"].first().dropna().to_dict()


def levels(clips: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """What a score on each selection is compared with: ``corpus, speakers, emotions, chance, listener``.

    ``chance`` is the UAR of guessing, ``listener`` that of a single human listener, empty where none judged the clips.
    """
    listener = listener_lines(listeners(clips))
    rows = [
        (name, own["speaker"].nunique(), n := own["emotion"].nunique(), 1 / n, listener.get(name))
        for name, own in clips.items()
    ]
    return pd.DataFrame(rows, columns=["corpus", "speakers", "emotions", "chance", "listener"]).astype(
        {"listener": float}
    )


def inflation(benchmark: pd.DataFrame, feature: str) -> pd.DataFrame:
    """Random against speaker-independent UAR of every corpus and model on one feature; corpora without both, as
    where no speaker is named, are left out."""
    chosen = uar(benchmark)
    chosen = chosen[(chosen["feature"] == feature) & (chosen["model"] != "dummy")]
    both = chosen.groupby(["corpus", "model"])["protocol"].transform("nunique") == 2
    return chosen[both].reset_index(drop=True)


def validation_scores(benchmark: pd.DataFrame) -> pd.DataFrame:
    """UAR on validation *speakers*, by which systems are chosen; two-speaker corpora have none to spare."""
    honest = (benchmark["protocol"] == "speaker_independent") & (benchmark["n_speakers"] >= 3)
    return benchmark[honest & (benchmark["metric"] == "uar_validation")]


def common_feature(benchmark: pd.DataFrame) -> str:
    """Of the feature sets that ran on every corpus, the one with the best validation score on average."""
    best = validation_scores(benchmark).groupby(["corpus", "feature"])["value"].max().unstack()
    everywhere = best.dropna(axis=1)
    return str(everywhere.mean().idxmax()) if everywhere.shape[1] else str(benchmark["feature"].iloc[0])


def variance_shares(values: np.ndarray, groups: pd.Series) -> np.ndarray:
    """Share of each column's variance that lies between the groups (η²), shape (d,)."""
    names, code = np.unique(groups.astype(str).to_numpy(), return_inverse=True)
    counts = np.bincount(code)[:, None]
    means = np.stack([np.bincount(code, weights=column, minlength=len(names)) for column in values.T], axis=1) / counts
    overall = values.mean(axis=0)
    between = (counts * (means - overall) ** 2).sum(axis=0)
    total = ((values - overall) ** 2).sum(axis=0)
    return np.divide(between, total, out=np.zeros_like(between), where=total > 0)
