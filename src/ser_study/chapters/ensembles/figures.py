"""Figures of ensembles: what votes add to the best single system, and gender first against emotion alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.chapters.ensembles import text
from ser_study.chapters.ensembles.gender import SYSTEMS
from ser_study.chapters.ensembles.votes import SINGLE
from ser_study.plotting.marks import above, beside, need, row_axis, score_axis, score_text, whisker
from ser_study.plotting.palette import GREY, INK, PAPER, STUDY_COLOURS, canvas, styled
from ser_study.wording import signed, word

COLOUR = STUDY_COLOURS["speaker_independent"]


@styled
def votes(table: pd.DataFrame) -> Figure | None:
    """Difference of every vote to the best single system in points, with its interval: one row a vote.

    Parameters
    ----------
    table : of ``votes.table``; None where no vote is in it
    """
    voted = table[table["difference"].notna()]
    if voted.empty:
        return None
    need(voted, ("corpus", "system", "uar", "difference", "low", "high"), what="votes")
    single = table[table["system"] == SINGLE].set_index("corpus")["uar"]
    corpora = list(dict.fromkeys(voted["corpus"]))
    figure, axes = canvas(1, 1, height=1.2 + 0.25 * (len(voted) + 1.6 * len(corpora)), title=text.votes_title(table))
    ax, y, ticks = axes[0, 0], 0.0, {}
    for corpus in corpora:
        beside(
            ax, y, f"{word(corpus)}, best single system {score_text(single[corpus])}", x=0, shift=4, fontweight="bold"
        )
        for row in voted[voted["corpus"] == corpus].itertuples():
            y += 1
            _difference(ax, y, row)
            ticks[y] = row.system
        y += 1.6
    row_axis(ax, list(ticks.values()), places=list(ticks))
    ax.set_ylim(y - 0.9, -0.7)
    ax.axvline(0, color=INK, linewidth=1.2, zorder=1.5)
    reach = 1.05 * float(np.nanmax(np.abs(100 * voted[["low", "high", "difference"]].to_numpy(float))))
    ax.set_xlim(-reach, reach)
    ax.set_xlabel("vote − best single system, UAR on new speakers (points)")
    above(ax, "points", shift=46, ha="right")
    above(ax, "UAR", shift=92, ha="right")
    return figure


def _difference(ax: Axes, y: float, row) -> None:
    points = 100 * row.difference
    whisker(ax, y, 100 * row.low, 100 * row.high, colour=COLOUR, width=2)
    ax.plot(points, y, "o", color=COLOUR, markersize=6.5, zorder=3)
    beside(ax, y, signed(points), shift=46, ha="right", fontweight="bold")
    beside(ax, y, score_text(row.uar), shift=92, ha="right")


@styled
def emotions(table: pd.DataFrame) -> Figure | None:
    """UAR of emotion alone, gender × emotion and gender first, with intervals; one panel a selection of RAVDESS.

    Parameters
    ----------
    table : of ``gender.emotions``; empty: None
    """
    if table.empty:
        return None
    need(table, ("corpus", "system", "value", "low", "high"), what="gender and emotion")
    parts = list(table.groupby("corpus", sort=False))
    height = 1.2 + len(parts) * (0.55 + 0.27 * len(SYSTEMS))
    figure, axes = canvas(len(parts), 1, height=height, title=text.emotions_title(table), sharex=True)
    for ax, (corpus, rows) in zip(axes.flat, parts):
        for y, row in enumerate(rows.itertuples()):
            given = row.system == "oracle"
            colour = GREY if given else COLOUR
            whisker(ax, y, row.low, row.high, colour=colour, width=2)
            face = PAPER if given else colour
            ax.plot(row.value, y, "o", color=colour, markerfacecolor=face, markersize=6.5, mew=1.6, zorder=3)
            beside(ax, y, score_text(row.value), shift=34, ha="right")
        row_axis(ax, [SYSTEMS[name] for name in rows["system"]])
        score_axis(ax)
        ax.set_title(word(corpus))
    for ax in axes.flat[:-1]:
        ax.set_xlabel("")
    key = [
        Line2D([], [], color=COLOUR, marker="o", label="system, with interval over speakers"),
        Line2D([], [], color=GREY, marker="o", markerfacecolor="none", mew=1.6, label="true gender given, no system"),
    ]
    figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure
