"""The figure of time against performance: UAR against the time of one clip, with its Pareto front."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.chapters.testing import cost_text
from ser_study.plotting.marks import need
from ser_study.plotting.palette import CYCLE, GREY, MARKERS, PAPER, canvas, styled

TICKS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)  # ms


@styled
def pareto(table: pd.DataFrame) -> Figure | None:
    """UAR with its interval against milliseconds a clip on a log scale, one mark a system.

    Parameters
    ----------
    table : of ``costs.table``; empty: None
    """
    if table.empty:
        return None
    need(table, ("feature", "model", "ms", "uar", "low", "high", "front"), what="costs")
    figure, axes = canvas(1, 1, height=3.4, title=cost_text.title(table))
    ax = axes[0, 0]
    front = table[table["front"]].sort_values("ms")
    ax.plot(front["ms"], front["uar"], drawstyle="steps-post", color=GREY, linewidth=1.2, zorder=1)
    key = []
    for place, row in enumerate(table.itertuples()):
        colour, marker = CYCLE[place % len(CYCLE)], MARKERS[place % len(MARKERS)]
        style = {"color": colour, "marker": marker, "markersize": 8, "mew": 1.8, "linestyle": "none"}
        style["markerfacecolor"] = colour if row.front else PAPER
        if np.isfinite([row.low, row.high]).all():
            ax.plot([row.ms, row.ms], [row.low, row.high], color=colour, linewidth=1.2, alpha=0.6, zorder=2)
        ax.plot(row.ms, row.uar, zorder=3, **style)
        key.append(Line2D([], [], label=cost_text.system(row), **style))
    _time_axis(ax, table["ms"])
    ax.set_ylabel("UAR on new speakers (0–1)")
    ax.grid(True)
    ax.legend(handles=key, loc="center left", bbox_to_anchor=(1.01, 0.5))
    return figure


def _time_axis(ax: Axes, values: pd.Series) -> None:
    """A log axis with whole numbers, a little wider than the values."""
    low, high = 0.8 * values.min(), 1.25 * values.max()
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ticks = [step for step in TICKS if low <= step <= high]
    ax.set_xticks(ticks, [f"{step:,}" for step in ticks])
    ax.minorticks_off()
    ax.set_xlabel("from the file to the answer, one clip (ms)")
