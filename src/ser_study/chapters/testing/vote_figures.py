"""The figure of labels from votes: three measures side by side, one row a kind of labels."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser_study.chapters.testing import vote_text
from ser_study.chapters.testing.vote_scores import LISTENER, MEASURES
from ser_study.plotting.marks import beside, need, row_axis, score_text, whisker
from ser_study.plotting.palette import CYCLE, INK, MARKERS, PAPER, canvas, styled
from ser_study.wording import word

PAPER_BOX = {"facecolor": PAPER, "edgecolor": "none", "pad": 1}  # hides the grid behind a heading
LABELS = {"intended": 0, "plurality": 1, "votes": 2}


@styled
def scores(table: pd.DataFrame) -> Figure | None:
    """Scores with intervals of every system, trained on each kind of labels; one panel a measure.

    Parameters
    ----------
    table : of ``vote_scores.table``; empty: None
    """
    if table.empty:
        return None
    need(table, ("corpus", "feature", "model", "labels", "measure", "value", "low", "high"), what="labels from votes")
    systems = list(table[table["labels"] != LISTENER].groupby(["corpus", "feature", "model"], sort=False))
    height = 1.3 + len(systems) * (0.35 + 0.27 * len(LABELS))
    figure, axes = canvas(1, len(MEASURES), height=height, title=vote_text.title(table), sharey=True)
    places, ticks = [], []
    for number, ((corpus, feature, model), rows) in enumerate(systems):
        top = number * (len(LABELS) + 1.3)
        places += [top + place for place in LABELS.values()]
        ticks += [vote_text.LABELS[name] for name in LABELS]
        beside(axes[0, 0], top - 0.85, f"{word(corpus)}: {word(feature)}, {word(model)}", x=0, shift=-104,
               fontweight="bold", bbox=PAPER_BOX)  # fmt: skip
        for ax, measure in zip(axes.flat, MEASURES):
            _rows(ax, top, rows[rows["measure"] == measure])
    row_axis(axes[0, 0], ticks, places=places)
    axes[0, 0].set_ylim(places[-1] + 0.6, -1.3)
    for ax, measure in zip(axes.flat, MEASURES):
        _dress(ax, measure, table)
    return figure


def _rows(ax: Axes, top: float, rows: pd.DataFrame) -> None:
    """One mark a kind of labels, its score in the margin."""
    for row in rows.itertuples():
        place = LABELS[row.labels]
        whisker(ax, top + place, row.low, row.high, colour=CYCLE[place], width=2)
        ax.plot(row.value, top + place, MARKERS[place], color=CYCLE[place], markersize=6, zorder=3)
        beside(ax, top + place, score_text(row.value), shift=2)


def _dress(ax: Axes, measure: str, table: pd.DataFrame) -> None:
    """Heading and axis of a panel, and what listeners reach; each panel has its own stretch of the axis."""
    ax.set_title(word(measure))
    ax.set_xlabel("nats, less is better" if measure == "cross_entropy" else "UAR (0–1)")
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(True, axis="x")
    ax.locator_params(axis="x", nbins=4)
    reference = table[(table["labels"] == LISTENER) & (table["measure"] == measure)]["value"].unique()
    for value in reference:
        ax.axvline(value, color=INK, linestyle=":", linewidth=1.4, zorder=1.5)
