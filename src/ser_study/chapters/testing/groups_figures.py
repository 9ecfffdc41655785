"""Figure of subgroups: gaps between groups of speakers and clips, of a system and of listeners."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.chapters.testing import groups_text as text
from ser_study.plotting.marks import above, beside, need, row_axis, whisker
from ser_study.plotting.palette import GREY, INK, PAPER, STUDY_COLOURS, canvas, styled
from ser_study.wording import signed, word

COLOUR = STUDY_COLOURS["speaker_independent"]
LISTENERS = {"marker": "D", "color": INK, "markerfacecolor": PAPER, "markersize": 4.5, "linestyle": "none", "zorder": 3}
SHIFT = 0.28  # of the listeners below the system, in rows


@styled
def gaps(table: pd.DataFrame) -> Figure | None:
    """Gap in UAR of each pair of groups in points, with its interval, the listeners' own below it: one row a pair.

    Parameters
    ----------
    table : of ``groups.gaps``; None where nothing in it is drawn, see ``groups_text.drawn_rows``
    """
    drawn = text.drawn_rows(table)
    if drawn.empty:
        return None
    need(drawn, ("corpus", "system", "difference", "low", "high", "p_holm"), what="subgroups")
    corpora = list(dict.fromkeys(drawn["corpus"]))
    figure, axes = canvas(1, 1, height=1.3 + 0.27 * (len(drawn) + 1.6 * len(corpora)), title=text.gaps_title(table))
    ax, y, ticks = axes[0, 0], 0.0, {}
    for corpus in corpora:
        rows = drawn[drawn["corpus"] == corpus]
        beside(ax, y, f"{word(corpus)}, {rows['system'].iloc[0]}", x=0, shift=4, fontweight="bold")
        for row in rows.itertuples():
            y += 1
            _row(ax, y, row)
            ticks[y] = text.pair(row)
        y += 1.6
    row_axis(ax, list(ticks.values()), places=list(ticks))
    ax.set_ylim(y - 0.9, -0.7)
    ax.axvline(0, color=INK, linewidth=1.2, zorder=1.5)
    limits = drawn[["low", "high", "difference", "listeners_low", "listeners_high"]].to_numpy(float)
    reach = 1.05 * max(float(np.nanmax(np.abs(100 * limits))), 1)
    ax.set_xlim(-reach, reach)
    ax.set_xlabel("gap in UAR on new speakers (points)")
    above(ax, "system", shift=46, ha="right")
    above(ax, "listeners", shift=100, ha="right")
    figure.legend(handles=_key(), loc="outside lower left", ncols=3)
    return figure


def _row(ax: Axes, y: float, row) -> None:
    """A system's gap, filled where it is tested, and the listeners'."""
    tested = row.p_holm == row.p_holm
    colour = COLOUR if tested else GREY
    whisker(ax, y, 100 * row.low, 100 * row.high, colour=colour, width=2 if tested else 1)
    face = colour if tested else PAPER
    ax.plot(100 * row.difference, y, "o", color=colour, markerfacecolor=face, markersize=6.5, mew=1.5, zorder=3)
    weight = "bold" if tested and row.p_holm < text.ALPHA else "normal"
    beside(ax, y, signed(100 * row.difference), shift=46, ha="right", fontweight=weight)
    if row.listeners_difference == row.listeners_difference:
        low, high = 100 * row.listeners_low, 100 * row.listeners_high
        whisker(ax, y + SHIFT, low, high, colour=INK, width=1)
        ax.plot(
            100 * row.listeners_difference, y + SHIFT, "D", color=INK, markerfacecolor=PAPER, markersize=4.5, zorder=3
        )
        beside(ax, y, signed(100 * row.listeners_difference), shift=100, ha="right")


def _key() -> list[Line2D]:
    return [
        Line2D([], [], color=COLOUR, marker="o", linewidth=2, label="system; bold: beyond chance"),
        Line2D([], [], color=GREY, marker="o", markerfacecolor="none", mew=1.5, label="too few speakers to claim"),
        Line2D([], [], color=INK, marker="D", markerfacecolor="none", markersize=4.5, label="listeners, same clips"),
    ]
