"""Captions and sentences about labels from votes, computed from its table."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.chapters.testing.vote_scores import LISTENER
from ser_study.wording import Caption, listed, minus, share, signed, word

EMPTY = (
    "No selection of this run has listeners' votes clip by clip, new speakers to test on and three or more of them; "
    "CREMA-D has."
)
LABELS = {
    "intended": "intended labels",
    "plurality": "listeners' plurality",
    "votes": "shares of the votes",
}
REFERENCES = {"cross_entropy": "the votes themselves"}  # of ``LISTENER``; of any other measure one listener
UNITS = {  # of a change
    "uar_intended": "points of UAR on intended labels",
    "uar_plurality": "on the plurality",
    "cross_entropy": "nats of cross-entropy",
}


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """The table of ``vote_scores.table`` with names that readers know, one row a system and kind of labels."""
    named = table.drop(columns=["interval"])
    system = [f"{word(row.feature)}, {word(row.model)}" if row.feature else "–" for row in table.itertuples()]
    labels = [_trained_on(row) for row in table.itertuples()]
    named = named.assign(labels=labels, measure=named["measure"].map(word), system=system)
    first = ["corpus", "system", "labels", "measure"]
    return named[first + [name for name in named if name not in (*first, "feature", "model")]]


def _trained_on(row) -> str:
    """What a system was trained on, or who is no system."""
    return LABELS.get(row.labels) or REFERENCES.get(row.measure, "one listener")


def title(table: pd.DataFrame) -> str:
    """What shares of votes do to the scores on the plurality and on intended labels, over the systems."""
    changes = {
        on: 100 * _differences(table, "votes", measure)
        for on, measure in (("the plurality", "uar_plurality"), ("intended labels", "uar_intended"))
    }
    each = [f"{_range(points)} points on {on}" for on, points in changes.items() if len(points)]
    if not each:
        return "Trained on intended labels, and on listeners' votes"
    return f"Trained on shares of the votes, UAR changes by {listed(each)}"


def _range(points: np.ndarray) -> str:
    low, high = signed(points.min()), signed(points.max())
    return low if low == high else f"{low} to {high}"


def figure(table: pd.DataFrame) -> Caption:
    """Every system under each kind of labels, on three measures."""
    if table.empty:
        return Caption("vote_labels_figure", "", empty=EMPTY)
    words = (
        "New speakers, intervals over speakers. Each system is trained on what the actor intended, on the class most "
        "listeners chose (ties left out), and on the shares of their votes. The line is one listener; for the "
        "cross-entropy (in nats, less is better), the votes themselves, which no prediction goes below."
    )
    each = [
        f"{_system(row)}, trained on {LABELS[row.labels]}: {word(row.measure)} {share(row.value)}"
        for row in table[table["labels"] != LISTENER].itertuples()
    ]
    return Caption("vote_labels_figure", words, alt=f"{title(table)}. {'; '.join(each)}.", finding=finding(table))


def scores(table: pd.DataFrame) -> Caption:
    """The numbers, with paired differences."""
    words = (
        "Scores by what a system was trained on. Change: to the same system trained on intended labels, on the same "
        "clips, with the interval of the pairs. The plurality counts clips without a tie."
    )
    labels = {"labels": "trained on", "difference_low": "change, from", "difference_high": "change, to"}
    return Caption("vote_labels", words, empty=EMPTY, labels=labels, page_length=20)


def finding(table: pd.DataFrame) -> str:
    """What both kinds of votes change for every system, measure by measure."""
    lines = []
    for labels in ("plurality", "votes"):
        rows = table[table["labels"] == labels]
        parts = [_system_finding(some) for _, some in rows.groupby(["corpus", "feature", "model"], sort=False)]
        if parts:
            lines.append(f"- **Trained on {LABELS[labels]}** instead of intended labels: {'; '.join(parts)}.")
    return "\n".join(lines)


def _system_finding(rows: pd.DataFrame) -> str:
    """Changes of one system with their intervals."""
    words = []
    for row in rows.itertuples():
        factor, decimals = (1, 2) if row.measure == "cross_entropy" else (100, 1)
        low, high = (minus(factor * value, decimals) for value in (row.difference_low, row.difference_high))
        span = f" [{low}, {high}]" if row.difference_low == row.difference_low else ""
        words.append(f"{signed(factor * row.difference, decimals)}{span} {UNITS[row.measure]}")
    return f"{_system(rows.iloc[0])}, {listed(words)}"


def _system(row) -> str:
    return f"{word(row.feature)} with {word(row.model)}"


def _differences(table: pd.DataFrame, labels: str, measure: str) -> np.ndarray:
    rows = table[(table["labels"] == labels) & (table["measure"] == measure)]
    return rows["difference"].dropna().to_numpy(float)
