"""What the chosen systems get wrong: the mistakes they are surest of, and whether people hear those clips better.

No system that only hears a clip can be asked for an emotion that its listeners do not hear in it either. How often
people name the intended emotion is known clip by clip for some corpora (``human_recognition``); how a system does on
clips that people recognise, against clips that they do not, tells its own error from that of the material.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study import corpora
from ser_study.evaluation import metrics
from ser_study.experiments import material as materials
from ser_study.experiments.material import Material
from ser_study.store import Store
from ser_study.words import share, word

SUREST = ["corpus", "clip", "speaker", "intensity", "truth", "prediction", "probability", "listeners"]
HEARD = ["corpus", "recognised_by", "n", "accuracy", "uar", "listeners"]
EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # shares of the listeners


def surest(told: pd.DataFrame, gathered: Mapping[str, Material], *, number: int = 8) -> pd.DataFrame:
    """The mistakes with the highest probability of the wrong class, some of every corpus (columns ``SUREST``).

    Parameters
    ----------
    told : test predictions of one system a corpus, with columns ``corpus`` and ``p_<class>``
    gathered : material of these corpora
    number : mistakes shown of each corpus
    """
    joined = _with_clips(told, gathered)
    wrong = joined[joined["prediction"] != joined["truth"]].sort_values("probability", ascending=False, kind="stable")
    some = wrong.groupby("corpus", sort=False).head(number)
    order = {name: place for place, name in enumerate(gathered)}
    some = some.sort_values("corpus", key=lambda names: names.map(order), kind="stable")
    short = {name: _within_corpus(some[of]) for name, of in (("clip", "clip_id"), ("speaker", "speaker"))}
    return some.assign(**short)[SUREST].reset_index(drop=True)


def recordings(shown: pd.DataFrame, gathered: Mapping[str, Material], store: Store) -> list[tuple[Path, str, str]]:
    """File, corpus and description of each of these clips whose audio is here, to listen to."""
    found = []
    for name, rows in shown.groupby("corpus", sort=False):
        clips = gathered[name].clips.assign(clip=lambda table: _within_corpus(table["clip_id"]))
        for row in rows.merge(clips[["clip", "corpus", "path"]], on="clip", suffixes=("", "_of")).itertuples():
            path = corpora.root_of(row.corpus_of, store) / row.path
            said = f"{row.truth}, taken for {row.prediction} ({share(row.probability)})"
            found += [(path, row.corpus_of, said)] if path.is_file() else []
    return found


def by_listeners(told: pd.DataFrame, gathered: Mapping[str, Material]) -> pd.DataFrame:
    """Accuracy and UAR by the share of listeners who heard the intended emotion (columns ``HEARD``).

    ``listeners`` is the mean of that share. Only corpora whose listeners' answers are known clip by clip.
    """
    joined = _with_clips(told, gathered).dropna(subset=["listeners"])
    names = [f"{100 * low:.0f} to {100 * high:.0f} %" for low, high in zip(EDGES, EDGES[1:])]
    place = np.clip(np.searchsorted(EDGES, joined["listeners"], side="right") - 1, 0, len(names) - 1)
    rows = []
    for (corpus, at), part in joined.groupby(["corpus", place], sort=True):
        head = {"corpus": corpus, "recognised_by": names[at], "n": len(part), "accuracy": metrics.accuracy_of(part)}
        rows.append(head | {"uar": metrics.uar_of(part), "listeners": part["listeners"].mean()})
    return pd.DataFrame(rows, columns=HEARD)


def surest_words(shown: pd.DataFrame) -> str:
    """The surest mistake of all, and how often its listeners agree with the label."""
    if shown.empty:
        return "No clip is taken for another emotion."
    top = shown.loc[shown["probability"].idxmax()]
    text = (
        f"The surest mistake: {top['clip']} ({word(top['corpus'])}), {top['truth']}, is taken for {top['prediction']} "
        f"with probability {share(top['probability'])}."
    )
    known = shown.dropna(subset=["listeners"])
    if len(known):
        few = int((known["listeners"] < 0.5).sum())
        text += f" Of {len(known)} such clips with listeners, {few} were recognised by fewer than half of them."
    return text


def listener_words(table: pd.DataFrame) -> str:
    """How much of the error lies in clips that people do not recognise either."""
    said = []
    for corpus, rows in table.groupby("corpus", sort=False):
        low, high = rows.iloc[0], rows.iloc[-1]
        if len(rows) < 2:
            said.append(f"{word(corpus)}: all its clips were recognised by {low['recognised_by']} of the listeners")
            continue
        errors, few = rows["n"] * (1 - rows["accuracy"]), rows["listeners"] < 0.5
        mistaken = 100 * errors[few].sum() / errors.sum() if errors.sum() else 0.0
        said.append(
            f"{word(corpus)}: right on {share(low['accuracy'])} of the clips recognised by {low['recognised_by']} of "
            f"the listeners, on {share(high['accuracy'])} of those recognised by {high['recognised_by']}; "
            f"{mistaken:.0f} % of its mistakes, and {100 * rows['n'][few].sum() / rows['n'].sum():.0f} % of all "
            "clips, belong to the groups in which fewer than half of the answers are the intended one"
        )
    if not said:
        return "Nobody judged these clips one by one, so mistakes cannot be set beside what people hear."
    return f"{'; '.join(said)}. Mistakes on clips that people do not recognise either may lie in the recording."


def _within_corpus(names: pd.Series) -> pd.Series:
    """Names without the corpus before them: ``ravdess/05`` → ``05``."""
    return names.str.split("/", n=1).str[-1]


def _with_clips(told: pd.DataFrame, gathered: Mapping[str, Material]) -> pd.DataFrame:
    """Predictions with the probability of the answer given and what is known of each clip."""
    known = materials.all_clips(gathered).set_index("clip_id")[["speaker", "intensity", "human_recognition"]]
    columns = [name for name in told.columns if name.startswith("p_")]
    stated = told[columns].max(axis=1)
    joined = told.assign(probability=stated).join(known, on="clip_id")
    return joined.rename(columns={"human_recognition": "listeners"})
