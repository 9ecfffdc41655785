"""Scores of every feature and model, on a random split and on new speakers, beside chance and human listeners."""

from __future__ import annotations

import pandas as pd

from ser_study.evaluation import summaries
from ser_study.experiments.benchmark import benchmark, hand_crafted
from ser_study.study import Study

SYSTEM = ["corpus", "feature", "model"]


def benchmark_scores(study: Study) -> pd.DataFrame:
    """Scores of every feature × model, one row an experiment and metric; computed where they are not cached."""
    return study.scores(benchmark(study.config, study.possible))


def split_pairs(scores: pd.DataFrame) -> pd.DataFrame:
    """UAR rows of one feature set, of the corpora and models that ran on both protocols.

    The feature set is the hand-crafted one with the best validation score on average over the corpora.
    """
    scores = hand_crafted(scores)
    pairs = summaries.inflation(scores, summaries.common_feature(scores))
    return pairs[pairs.groupby(["corpus", "model"])["protocol"].transform("nunique") == 2].reset_index(drop=True)


def gaps(scores: pd.DataFrame) -> pd.DataFrame:
    """One row a corpus, feature and model: random UAR, speaker-independent UAR, and the difference."""
    uar = summaries.uar(scores)
    wide = uar.pivot_table(index=SYSTEM, columns="protocol", values="value", sort=False)
    wide = wide.reindex(columns=["random", "speaker_independent"])
    wide = wide.assign(change=wide["speaker_independent"] - wide["random"]).reset_index().rename_axis(columns=None)
    return wide[wide["model"] != "dummy"].reset_index(drop=True)


def new_speaker_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """The UAR rows on new speakers."""
    return summaries.uar(scores[scores["protocol"] == "speaker_independent"])


def listeners(study: Study) -> pd.DataFrame:
    """Human reference of every selection that has listeners' answers clip by clip."""
    return summaries.listeners({name: part.clips for name, part in study.selections.items()})


def levels(study: Study) -> pd.DataFrame:
    """What a score on each selection is compared with, see ``summaries.levels``."""
    return summaries.levels({name: part.clips for name, part in study.selections.items()})
