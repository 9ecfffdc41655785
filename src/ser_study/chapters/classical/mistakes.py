"""What the chosen systems get wrong: their most confident mistakes, and whether people recognise those clips.

A system that only hears a clip can hardly recognise an emotion that its listeners do not hear in it. Some corpora
tell for every clip how many listeners recognised the intended emotion (``human_recognition``); comparing a system
on clips that people recognise and on clips that they do not separates its own errors from those of the recording.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from ser_study import corpora
from ser_study.evaluation import metrics
from ser_study.study import Study
from ser_study.wording import share

MISTAKE_COLUMNS = ["corpus", "clip", "speaker", "intensity", "truth", "prediction", "probability", "listeners"]
LISTENER_COLUMNS = ["corpus", "recognised_by", "n", "accuracy", "uar", "listeners"]
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # shares of the listeners


def most_confident(predictions: pd.DataFrame, study: Study, *, number: int = 8) -> pd.DataFrame:
    """The mistakes with the highest probability of the wrong class, some of every corpus (``MISTAKE_COLUMNS``).

    Parameters
    ----------
    predictions : test predictions of one system a corpus, with columns ``corpus`` and ``p_<class>``
    number : mistakes of each corpus
    """
    table = _with_clips(predictions, study)
    wrong = table[table["prediction"] != table["truth"]].sort_values("probability", ascending=False, kind="stable")
    some = wrong.groupby("corpus", sort=False).head(number)
    order = {name: place for place, name in enumerate(study.selections)}
    some = some.sort_values("corpus", key=lambda names: names.map(order), kind="stable")
    some = some.assign(clip=_within_corpus(some["clip_id"]), speaker=_within_corpus(some["speaker"]))
    return some[MISTAKE_COLUMNS].reset_index(drop=True)


def recordings(mistakes: pd.DataFrame, study: Study) -> list[tuple[Path, str, str]]:
    """File, corpus and description of each of these clips whose audio is here, for ``Exhibits.sounds``."""
    sounds = []
    for name, rows in mistakes.groupby("corpus", sort=False):
        clips = study.clips(name)[["clip_id", "corpus", "path"]]
        clips = clips.assign(clip=_within_corpus(clips["clip_id"])).rename(columns={"corpus": "clip_corpus"})
        for row in rows.merge(clips, on="clip").itertuples():
            path = corpora.root_of(row.clip_corpus, study.store) / row.path
            description = f"{row.truth}, taken for {row.prediction} ({share(row.probability)})"
            sounds += [(path, row.clip_corpus, description)] if path.is_file() else []
    return sounds


def by_listeners(predictions: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Accuracy and UAR by the share of listeners who recognised the clip (``LISTENER_COLUMNS``).

    ``listeners`` is the mean of that share. Only corpora whose listeners' answers are known clip by clip.
    """
    table = _with_clips(predictions, study).dropna(subset=["listeners"])
    names = [f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in zip(EDGES, EDGES[1:])]
    bins = np.clip(np.searchsorted(EDGES, table["listeners"], side="right") - 1, 0, len(names) - 1)
    rows = []
    for (corpus, place), part in table.groupby(["corpus", bins], sort=True):
        head = {"corpus": corpus, "recognised_by": names[place], "n": len(part)}
        scores = {"accuracy": metrics.accuracy_of(part), "uar": metrics.uar_of(part)}
        rows.append(head | scores | {"listeners": part["listeners"].mean()})
    return pd.DataFrame(rows, columns=LISTENER_COLUMNS)


def _within_corpus(names: pd.Series) -> pd.Series:
    """Names without the corpus before them: ``ravdess/05`` → ``05``."""
    return names.str.split("/", n=1).str[-1]


def _with_clips(predictions: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Predictions with the probability of the predicted class and what is known of each clip."""
    known = study.clips().set_index("clip_id")[["speaker", "intensity", "human_recognition"]]
    probability = predictions.filter(regex="^p_").max(axis=1)
    table = predictions.assign(probability=probability).join(known, on="clip_id")
    return table.rename(columns={"human_recognition": "listeners"})
