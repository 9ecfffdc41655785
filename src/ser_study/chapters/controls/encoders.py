"""Encoders under control: random weights in their place, who speaks and what in their vectors, their training data."""

from __future__ import annotations

import io

import numpy as np
import pandas as pd

from ser_study.chapters.controls import declare, identification
from ser_study.config import registry
from ser_study.download import weights
from ser_study.evaluation import summaries
from ser_study.experiments import selections
from ser_study.experiments.published import LABELS
from ser_study.study import Study

SCORES = ["corpus", "feature", "kind", "encoder", "random", "low_random", "high_random"]
SCORES += ["speaker_independent", "low", "high", "interval", "gap", "n"]
SUMMARY = ["corpus", "feature", "draws", "random", "speaker_independent", "gap", "speakers", "sentences", "n"]
DATA = ["encoder", "training_data", "labels", "overlap", "licence", "source"]


def scores(study: Study) -> pd.DataFrame:
    """UAR on random and on speaker folds of every kind of vectors, and the gap between them (``SCORES``)."""
    declared = declare.encoders(study)
    table = summaries.uar(study.scores(declared, read=LABELS))
    rows, names = [], {one.name: (one, made) for one, made in declared.items()}
    for (corpus, feature), pair in table.groupby(["corpus", "feature"], sort=False):
        by = pair.set_index("protocol")
        _, made = names[pair["experiment"].iloc[0]]
        leaky, honest = (by.loc[protocol] for protocol in declare.PAIR)
        rows.append((corpus, feature, made.kind, made.encoder, leaky["value"], leaky["low"], leaky["high"],
                     honest["value"], honest["low"], honest["high"], honest["interval"],
                     leaky["value"] - honest["value"], honest["n"]))  # fmt: skip
    return pd.DataFrame(rows, columns=SCORES)


def chance(study: Study) -> dict[str, float]:
    """UAR of guessing on each selection."""
    return selections.chance_levels(study.selections)


def summary(table: pd.DataFrame, identified: pd.DataFrame) -> pd.DataFrame:
    """Mean over draws of random weights, with what speakers and sentences are identified by (``SUMMARY``).

    Parameters
    ----------
    table : of ``scores``
    identified : of ``identification.scores``
    """
    if table.empty:
        return pd.DataFrame(columns=SUMMARY)
    wide = identified.pivot(index=["corpus", "feature"], columns="what", values="recall")
    wide = wide.reindex(columns=list(identification.TASKS)).reset_index()
    joined = table.merge(wide, on=["corpus", "feature"], how="left")
    joined = joined.assign(feature=[declare.group_of(row) for row in joined.itertuples()])
    numbers = ["random", "speaker_independent", "gap", *identification.TASKS]
    grouped = joined.groupby(["corpus", "feature"], sort=False)
    means = grouped[numbers].mean().assign(draws=grouped.size(), n=grouped["n"].first()).reset_index()
    return means[SUMMARY]


def training_data() -> pd.DataFrame:
    """What each registered encoder was trained on, as far as its publishers say (``DATA``)."""
    stated = pd.read_csv(io.StringIO(registry("encoders.csv")))
    known = weights.CATALOGUE
    stated = stated.assign(licence=[known[name].licence for name in stated["encoder"]])
    return stated.assign(encoder=[known[name].title.partition(",")[0] for name in stated["encoder"]])[DATA]


def above_chance(recall: pd.Series, classes: pd.Series) -> np.ndarray:
    """Recall between chance (0) and certainty (1), whatever the number of classes."""
    return ((recall - 1 / classes) / (1 - 1 / classes)).to_numpy(float)
