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
from ser_study.evaluation import metrics, mistakes
from ser_study.study import Study

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
    return mistakes.most_confident(predictions, study.clips(), number=number)[MISTAKE_COLUMNS]


def recordings(confident: pd.DataFrame, study: Study) -> list[tuple[Path, str, str]]:
    """File, corpus and description of each of these clips whose audio is here, for ``Exhibits.sounds``."""
    clip_id = [f"{corpora.corpus_of(row.corpus)}/{row.clip}" for row in confident.itertuples()]
    return mistakes.recordings(confident.assign(clip_id=clip_id), study.clips(), study.store)


def by_listeners(predictions: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Accuracy and UAR by the share of listeners who recognised the clip (``LISTENER_COLUMNS``).

    ``listeners`` is the mean of that share. Only corpora whose listeners' answers are known clip by clip.
    """
    table = mistakes.with_clips(predictions, study.clips()).dropna(subset=["listeners"])
    names = [f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in zip(EDGES, EDGES[1:])]
    bins = np.clip(np.searchsorted(EDGES, table["listeners"], side="right") - 1, 0, len(names) - 1)
    rows = []
    for (corpus, place), part in table.groupby(["corpus", bins], sort=True):
        head = {"corpus": corpus, "recognised_by": names[place], "n": len(part)}
        scores = {"accuracy": metrics.accuracy_of(part), "uar": metrics.uar_of(part)}
        rows.append(head | scores | {"listeners": part["listeners"].mean()})
    return pd.DataFrame(rows, columns=LISTENER_COLUMNS)
