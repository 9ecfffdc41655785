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
        f" {word(table.iloc[0]['corpus'])}, {table.iloc[0]['n_train']:,.0f} training clips; one core of "
        f"{table.iloc[0]['processor']}."
    )  # fmt: skip
    words = (
        "What every system costs: extraction and answer are medians over clips, training is one fit of the first fold, "
        "memory is the peak of a process that reads a clip and answers, the study's own libraries included."
    )
    if "model" in table and any(registry.get(name).family == "deep" for name in table["model"]):
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
    least = (table["extract_ms"] / table["ms"]).min()
    slow = table.loc[table["fit_s"].idxmax()]
    return (
        f"On the Pareto front: {listed(each)}. Of the time of a clip, features take {percent(least)} or more; the "
        f"longest training is that of {system(slow)} with {number(slow['fit_s'], 1)} s."
    )


def _ms(value: float) -> str:
    return number(value, 0 if value >= 10 else 1)
