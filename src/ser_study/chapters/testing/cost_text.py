"""Captions and sentences about time against performance, computed from its table."""

from __future__ import annotations

import pandas as pd

from ser_study.models import registry
from ser_study.wording import Caption, interval, listed, number, percent, share, voices, word

EMPTY = "No selection of this run has sound, new speakers to test on and three or more of them, so nothing is timed."


def system(row) -> str:
    """Feature and model of a row."""
    return f"{word(row.feature)}, {word(row.model)}"


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of ``costs.table`` with one column for the system; what all rows share is in the caption."""
    named = table.drop(columns=["feature", "model", "corpus", "interval", "n_train", "processor"])
    named.insert(0, "system", [system(row) for row in table.itertuples()])
    return named.assign(front=table["front"].map({True: "yes", False: "no"}))


def title(table: pd.DataFrame) -> str:
    """Which systems are on the front."""
    front = table[table["front"]].sort_values("ms")
    if len(front) == 1:
        return f"{system(next(front.itertuples()))} is both among the fastest and the best"
    fast, best = front.iloc[0], front.loc[front["uar"].idxmax()]
    points, times = 100 * (best["uar"] - fast["uar"]), best["ms"] / fast["ms"]
    return f"{system(best)}: {points:.1f} points more than {system(fast)}, at {times:.1f} times the time"


def pareto(table: pd.DataFrame) -> Caption:
    """UAR against the time of one clip."""
    if table.empty:
        return Caption("time_pareto", "", empty=EMPTY)
    first = table.iloc[0]
    words = (
        f"UAR on new speakers of {word(first['corpus'])} against the time from the audio file to the answer, on one "
        f"core of {first['processor']}. Bars are intervals{voices(first['interval'])}; filled marks, joined by the "
        "line, are on the Pareto front, where times that differ by less than a twentieth count as alike."
    )
    each = [f"{system(row)}: {share(row.uar)}, {_ms(row.ms)} ms" for row in table.itertuples()]
    return Caption("time_pareto", words, alt=f"{title(table)}. {'; '.join(each)}.", finding=finding(table))


def costs(table: pd.DataFrame) -> Caption:
    """All costs side by side."""
    where = "" if table.empty else (
        f" {word(table.iloc[0]['corpus'])}, {_training(table)}; one core of {table.iloc[0]['processor']}."
    )  # fmt: skip
    words = (
        "What every system costs: extraction and answer are medians over clips, training is one fit of the first fold, "
        "memory is the peak of a process that reads a clip and answers, the study's own libraries included."
    )
    if "model" in table and _is_deep(table).any():
        words += " Networks from scratch were trained on all cores."
    words += where
    labels = {
        **{"ms": "file to answer, ms", "extract_ms": "features, ms", "predict_ms": "answer, ms"},
        **{"fit_s": "training, s", "model_kb": "model, kB"},
        **{"weights_mb": "encoder weights, MB", "memory_mb": "peak memory, MB", "front": "on the front"},
    }
    return Caption("time_costs", words, empty=EMPTY, labels=labels, only_csv=("batch_ms",))


def finding(table: pd.DataFrame) -> str:
    """The systems on the front, and which part of the time goes into features."""
    front = table[table["front"]].sort_values("ms")
    each = [f"{system(row)} ({interval(row.uar, row.low, row.high)}, {_ms(row.ms)} ms)" for row in front.itertuples()]
    slow = table.loc[table["fit_s"].idxmax()]
    return (
        f"On the Pareto front: {listed(each)}. Of the time of a clip, {_features_take(table)}; the longest training is "
        f"that of {system(slow)} with {number(slow['fit_s'], 1)} s."
    )


def _is_deep(table: pd.DataFrame) -> pd.Series:
    """Which rows are networks trained from scratch."""
    return table["model"].map(lambda name: registry.get(name).family == "deep").astype(bool)


def _features_take(table: pd.DataFrame) -> str:
    """The least share of the time that goes into features, networks from scratch apart: theirs goes into answers."""
    part, deep = table["extract_ms"] / table["ms"], _is_deep(table)
    if deep.all() or not deep.any():
        return f"features take {percent(part.min())} or more"
    each = [
        f"{percent(part[row.Index])} with a network from scratch ({system(row)})" for row in table[deep].itertuples()
    ]
    return f"features take {percent(part[~deep].min())} or more, except {listed(each)}"


def _training(table: pd.DataFrame) -> str:
    """How many clips are trained on; networks from scratch keep some of them to stop by."""
    every, deep = table.iloc[0]["n_train"], table[_is_deep(table)]
    fewer = deep.loc[deep["n_train"] < every, "n_train"]
    counts = listed(f"{n:,.0f}" for n in sorted(set(fewer)))
    apart = f" (of which a network from scratch learns from {counts} and stops by the others)" if counts else ""
    return f"{every:,.0f} training clips{apart}"


def _ms(value: float) -> str:
    return number(value, 0 if value >= 10 else 1)
