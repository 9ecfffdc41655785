"""Wrong predictions, the surest first, and where they can be listened to."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ser_study import corpora
from ser_study.store import Store
from ser_study.wording import share, word

KNOWN = ["speaker", "intensity", "human_recognition", "human_votes"]  # what a clips table adds to a prediction


def with_clips(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Predictions with the probability of the predicted class and, from the clips table, ``speaker``, ``intensity``,
    ``listeners`` (share of them that recognised the clip) and ``human_votes``."""
    probability = predictions.filter(regex="^p_").max(axis=1)
    table = predictions.assign(probability=probability).join(clips.set_index("clip_id")[KNOWN], on="clip_id")
    return table.rename(columns={"human_recognition": "listeners"})


def most_confident(predictions: pd.DataFrame, clips: pd.DataFrame, *, number: int) -> pd.DataFrame:
    """The mistakes with the highest probability of the wrong class, ``number`` of each corpus, the surest first.

    Parameters
    ----------
    predictions : test predictions of one system a corpus, with columns ``corpus`` and ``p_<class>``
    clips : clips table

    Returns
    -------
    Rows of ``with_clips``, corpora in the order of ``predictions``; ``clip`` and ``speaker`` are names within the
    corpus (``ravdess/05`` → ``05``).
    """
    table = with_clips(predictions, clips)
    wrong = table[table["prediction"] != table["truth"]].sort_values("probability", ascending=False, kind="stable")
    order = {name: place for place, name in enumerate(dict.fromkeys(table["corpus"]))}
    some = wrong.groupby("corpus", sort=False).head(number)
    some = some.sort_values("corpus", key=lambda names: names.map(order), kind="stable")
    some = some.assign(clip=_within_corpus(some["clip_id"]), speaker=_within_corpus(some["speaker"]))
    return some.reset_index(drop=True)


def recordings(mistakes: pd.DataFrame, clips: pd.DataFrame, store: Store) -> list[tuple[Path, str, str]]:
    """File, corpus and description of each of these clips whose audio is here, for ``Exhibits.sounds``.

    Parameters
    ----------
    mistakes : of ``most_confident``
    clips : clips table
    """
    known, sounds = clips.set_index("clip_id")[["corpus", "path"]], []
    for row in mistakes.itertuples():
        corpus, name = known.loc[row.clip_id]
        path = corpora.root_of(corpus, store) / name
        description = f"{word(row.truth)}, taken for {word(row.prediction)} ({share(row.probability)})"
        sounds += [(path, corpus, description)] if path.is_file() else []
    return sounds


def _within_corpus(names: pd.Series) -> pd.Series:
    return names.str.split("/", n=1).str[-1]
