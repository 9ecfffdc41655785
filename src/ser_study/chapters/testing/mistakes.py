"""What the systems get wrong: confusions beside those of listeners, the surest mistakes.

Conventions
-----------
Listeners' answers are known clip by clip where a corpus states its votes (``human_votes``); some state only which
share of the listeners chose the intended emotion (``human_recognition``). Where votes made the labels they are no
reference (``comparisons.LABELLED_BY_VOTE``). Correlations are Spearman's; clips of one speaker resemble each other, so
intervals resample speakers (``intervals.resample``). Ranks of clips are those of all clips in every resample.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from ser_study import config as settings
from ser_study.chapters.testing import declare
from ser_study.evaluation import intervals, metrics, mistakes
from ser_study.evaluation.comparisons import LABELLED_BY_VOTE, votes_of
from ser_study.evaluation.intervals import Interval, Resamples
from ser_study.features.column_names import mel_centres
from ser_study.features.inspection import analysis_of
from ser_study.schema import classes_in
from ser_study.study import Study
from ser_study.wording import listed, share, word

LISTENERS = "listeners"
MEASURES = {  # of ``agreement``
    "pairs": "class pairs confused",
    "pairs_beyond": "the same, less favourite answers",
    "clips": "clips missed",
    "clips_within": "clips missed, within each emotion",
}
AGREEMENT = ["corpus", "system", "measure", "value", "low", "high", "interval", "n", "n_speakers"]
SUREST = ["corpus", "clip", "intensity", "truth", "guesses", "listeners"]
NUMBER = 3  # surest mistakes of each corpus
PICTURES = 4


def predictions(study: Study) -> pd.DataFrame:
    """Test predictions of every system, its key in ``system``; without rows where nothing can be tested."""
    declared = declare.systems(study)
    rows = study.predict([one for kinds in declared.values() for one in kinds.values()])
    tables = [
        rows[one][rows[one]["role"] == "test"].assign(system=kind)
        for kinds in declared.values()
        for kind, one in kinds.items()
    ]
    columns = ["corpus", "system", "clip_id", "truth", "prediction"]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)


def judged(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """Predictions of clips that listeners judged, with the columns of ``mistakes.with_clips``."""
    if table.empty:
        return table.assign(listeners=None, human_votes=None)
    clips = study.clips()
    clips = clips[~clips["corpus"].isin(LABELLED_BY_VOTE) & clips["human_recognition"].notna()]
    return mistakes.with_clips(table[table["clip_id"].isin(clips["clip_id"])], clips)


def parts_of(table: pd.DataFrame) -> list[tuple[str, str, pd.DataFrame]]:
    """(selection, system, rows), with the classes of the selection alone."""
    return [
        (corpus, system, rows.dropna(axis="columns", how="all").reset_index(drop=True))
        for (corpus, system), rows in table.groupby(["corpus", "system"], sort=False)
    ]


def confusions(table: pd.DataFrame, study: Study) -> list[tuple[str, np.ndarray, list[str]]]:
    """(who, counts, classes) of the listeners of the first corpus with votes, then of every system on its clips.

    Parameters
    ----------
    table : of ``judged``
    """
    voted = table[table["human_votes"].fillna("") != ""] if len(table) else table
    panels: list[tuple[str, np.ndarray, list[str]]] = []
    for _, system, rows in parts_of(voted[voted["corpus"] == voted["corpus"].iloc[0]] if len(voted) else voted):
        classes = classes_in(rows)
        if not panels:
            panels.append((LISTENERS, _answers(rows, classes).sum(axis=0), classes))
        counts = metrics.confusion(rows["truth"], rows["prediction"], classes)
        panels.append((declare.TITLES[system], counts, classes))
    return panels


def _answers(rows: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    """Votes for each class in the row of the clip's true class, (n, C, C)."""
    votes = [votes_of(text, clip) for text, clip in zip(rows["human_votes"], rows["clip_id"])]
    counts = np.array([[vote.get(name, 0) for name in classes] for vote in votes], dtype=float)
    truth = metrics.encode(rows["truth"], classes, what="Truth")
    return np.eye(len(classes))[truth][:, :, None] * counts[:, None, :]


def agreement(table: pd.DataFrame, study: Study) -> pd.DataFrame:
    """How far systems and listeners fail alike (``AGREEMENT``): ρ of each of ``MEASURES`` with its interval.

    ``pairs`` correlates how often each true class is taken for each other one; ``pairs_beyond`` takes from each rate
    what that answer is given to other classes on average, since a favourite answer alone makes two tables alike.
    ``clips`` correlates a clip's error with the share of listeners who miss it, ``clips_within`` with the mean rank
    of each emotion taken off both.

    Parameters
    ----------
    table : of ``judged``
    """
    rows = []
    for corpus, system, part in parts_of(table):
        drawn = resamples(part, f"agreement/{corpus}", study)
        voted = "human_votes" in part and (part["human_votes"].fillna("") != "").all()
        spans = _pairs(part, drawn, study) if voted else {}
        spans |= _clips(part, drawn, study)
        facts = {"corpus": corpus, "system": system, "n": len(part), "n_speakers": part["speaker"].nunique()}
        rows += [facts | {"measure": MEASURES[name]} | span for name, span in spans.items()]
    return pd.DataFrame(rows, columns=AGREEMENT)


def resamples(part: pd.DataFrame, purpose: str, study: Study) -> Resamples:
    """Resamples of the speakers of some predictions, of their clips where no speaker is known."""
    truth = metrics.encode(part["truth"], sorted(part["truth"].unique()), what="Truth")
    options = {"n_bootstrap": study.config.evaluation.n_bootstrap, "rng": settings.rng(study.config, purpose)}
    speakers = part["speaker"] if "speaker" in part else [None] * len(part)
    return intervals.resample(truth, list(speakers), **options)


def by_unit(drawn: Resamples, values: np.ndarray) -> np.ndarray:
    """Sums over the clips of each unit, (n, …) → (units, …)."""
    sums = np.zeros((drawn.weights.shape[1], *values.shape[1:]))
    np.add.at(sums, drawn.unit, values)
    return sums


def span_of(
    sums: np.ndarray, drawn: Resamples, score: Callable[[np.ndarray], np.ndarray], study: Study, name: str = "value"
) -> dict[str, Any]:
    """A score of summed values, (b, …) → (b,), and its interval."""
    value = float(score(sums.sum(axis=0, keepdims=True))[0])
    stacked = (drawn.weights @ sums.reshape(len(sums), -1)).reshape(-1, *sums.shape[1:])
    level = study.config.evaluation.level
    span = intervals.limits(value, score(stacked), drawn.kind, level=level, bounds=(-1.0, 1.0))
    span = span if value == value else Interval(np.nan, np.nan, drawn.kind)
    return {name: value, "low": span.low, "high": span.high, "interval": span.kind}


def _pairs(part: pd.DataFrame, drawn: Resamples, study: Study) -> dict[str, dict]:
    classes = classes_in(part)
    code = {name: metrics.encode(part[name], classes, what=name) for name in ("truth", "prediction")}
    size, k = np.eye(len(classes)), len(classes)
    own = size[code["truth"]][:, :, None] * size[code["prediction"]][:, None, :]
    sums = by_unit(drawn, np.stack([own, _answers(part, classes)], axis=1))

    off = ~np.eye(k, dtype=bool)

    def rho(stack: np.ndarray, *, beyond: bool) -> np.ndarray:
        rates = metrics.row_normalised(stack) * off  # (b, 2, C, C): how often each class is taken for each other
        favourite = rates.sum(axis=2, keepdims=True) / max(k - 1, 1)
        ranks = stats.rankdata((rates - favourite if beyond else rates)[..., off].round(12), axis=-1)
        return _correlation(ranks[:, 0], ranks[:, 1])

    return {
        "pairs": span_of(sums, drawn, lambda stack: rho(stack, beyond=False), study),
        "pairs_beyond": span_of(sums, drawn, lambda stack: rho(stack, beyond=True), study),
    }


def _correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Pearson's r of each row, (b, m) → (b,); NaN where one side does not vary."""
    a, b = (side - side.mean(axis=1, keepdims=True) for side in (a, b))
    below = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    return np.divide((a * b).sum(axis=1), below, out=np.full(len(a), np.nan), where=below > 1e-9)


def _clips(part: pd.DataFrame, drawn: Resamples, study: Study) -> dict[str, dict]:
    sides = pd.DataFrame({"own": part["prediction"] != part["truth"], "people": 1 - part["listeners"]}).rank()
    inside = sides - sides.groupby(part["truth"]).transform("mean")

    def moments(table: pd.DataFrame) -> np.ndarray:
        a, b = table["own"].to_numpy(float), table["people"].to_numpy(float)
        return by_unit(drawn, np.stack([np.ones(len(a)), a, b, a * a, b * b, a * b], axis=1))

    return {
        "clips": span_of(moments(sides), drawn, _from_moments, study),
        "clips_within": span_of(moments(inside), drawn, _from_moments, study),
    }


def _from_moments(sums: np.ndarray) -> np.ndarray:
    """Pearson's r from n and the sums of a, b, a², b² and ab, (b, 6) → (b,)."""
    n, a, b, aa, bb, ab = (sums / np.maximum(sums[:, :1], 1e-12)).T
    variances = np.stack([aa - a * a, bb - b * b])
    scale = np.maximum(np.stack([aa, bb]), 1e-12)
    known = (variances > 1e-9 * scale).all(axis=0)
    below = np.sqrt(np.prod(np.maximum(variances, 0), axis=0))
    return np.divide(ab - a * b, below, out=np.full(len(n), np.nan), where=known & (below > 0))


def surest(table: pd.DataFrame, study: Study, *, number: int = NUMBER) -> pd.DataFrame:
    """The mistakes of the last system of each corpus with the highest probability, and what listeners answered.

    Parameters
    ----------
    table : of ``predictions``

    Returns
    -------
    Rows of ``mistakes.most_confident`` with ``guesses`` (the three likeliest classes), ``listeners`` in words, and
    ``shared``: whether no class has more votes than the wrong one (empty without votes).
    """
    if table.empty:
        return pd.DataFrame(columns=[*SUREST, "clip_id", "prediction", "probability", "shared"], dtype=object)
    last = table.groupby("corpus")["system"].transform(lambda kinds: max(kinds, key=list(declare.TITLES).index))
    some = mistakes.most_confident(table[table["system"] == last], study.clips(), number=number)
    proba = some.filter(regex="^p_").rename(columns=lambda name: word(name.removeprefix("p_")))
    best = [row.dropna().sort_values(ascending=False, kind="stable").head(3) for _, row in proba.iterrows()]
    guesses = [", ".join(f"{name} {share(value)}" for name, value in row.items()) for row in best]
    answers = {
        "listeners": [_in_words(row) for row in some.itertuples()],
        "shared": [_is_shared(row) for row in some.itertuples()],
    }
    return some.assign(guesses=guesses, **{name: pd.Series(values, dtype=object) for name, values in answers.items()})


def _in_words(row: Any) -> str | None:
    """What listeners answered: ``6 neutral, 3 sad``, or the share that recognised the clip; None where unknown."""
    if isinstance(row.human_votes, str) and row.human_votes:
        votes = sorted(votes_of(row.human_votes, row.clip_id).items(), key=lambda item: (-item[1], item[0]))
        return listed(f"{count:.0f} {word(name)}" for name, count in votes if count)
    return f"{100 * row.listeners:.0f} % recognised it" if row.listeners == row.listeners else None


def _is_shared(row: Any) -> bool | None:
    if not (isinstance(row.human_votes, str) and row.human_votes):
        return None
    votes = votes_of(row.human_votes, row.clip_id)
    return votes.get(row.prediction, 0) == max(votes.values())


def recordings(some: pd.DataFrame, study: Study) -> list[tuple[Path, str, str]]:
    """File, corpus and description of the surest mistakes whose audio is here, for ``Exhibits.sounds``."""
    return mistakes.recordings(some, study.clips(), study.store) if len(some) else []


def pictures(some: pd.DataFrame, study: Study, *, number: int = PICTURES) -> list[dict[str, Any]]:
    """Spectrograms of the surest mistakes whose audio is here, one of each corpus before a second one.

    Parameters
    ----------
    some : of ``surest``

    Returns
    -------
    Recordings as ``plotting.spectrograms`` takes them, with ``corpus, clip, truth, prediction, probability``.
    """
    if some.empty:
        return []
    known, items = study.clips().set_index("clip_id", drop=False), []
    turns = some.assign(turn=some.groupby("corpus").cumcount())
    for row in turns.sort_values(["turn", "probability"], ascending=[True, False], kind="stable").itertuples():
        if len(items) == number:
            break
        analysis = analysis_of(known.loc[row.clip_id], config=study.config, store=study.store)
        if analysis is not None:
            facts = {name: getattr(row, name) for name in ("corpus", "clip", "truth", "prediction", "probability")}
            bands = mel_centres(analysis.sample_rate, analysis.settings)
            items.append(facts | {"time": analysis.times, "mel_db": analysis.mel_db, "mel_hz": bands})
    return items
