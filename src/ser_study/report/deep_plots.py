"""How networks learn: loss on training and on valid rows, epoch by epoch."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ser_study.report.marks import hide_rest, need
from ser_study.report.palette import INK, STUDY_COLOURS, canvas, styled
from ser_study.words import word

COLUMNS = ("experiment", "network", "epoch", "loss", "valid_loss", "best")
PANELS = 4  # across


@styled
def learning_curves(table: pd.DataFrame, *, title: str) -> Figure:
    """One panel a network: training loss, valid loss, and the epoch whose weights are kept.

    Parameters
    ----------
    table : of ``deep_study.learning_curves``; of several trainings of a network the first is drawn

    Raises
    ------
    ValueError
        A column is missing or there is no row.
    """
    need(table, COLUMNS, what="learning curves")
    drawn = [(name, rows) for name, rows in table.groupby("network", sort=False)]
    columns = min(PANELS, len(drawn))
    n_rows = -(-len(drawn) // columns)
    figure, axes = canvas(n_rows, columns, height=0.9 + 1.75 * n_rows, title=title)
    for ax, (name, rows) in zip(axes.flat, drawn):
        _panel(ax, rows)
        ax.set_title(word(name), fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel("loss (nats)")
    hide_rest(axes, len(drawn))
    key = [
        Line2D([], [], color=STUDY_COLOURS["train"], label="training"),
        Line2D([], [], color=STUDY_COLOURS["valid"], label="valid"),
        Line2D([], [], color=INK, marker="o", linestyle="none", markersize=5, label="weights kept"),
    ]
    figure.legend(handles=key, loc="outside lower left", ncols=3)
    return figure


def _panel(ax: Axes, rows: pd.DataFrame) -> None:
    first = [column for column in ("experiment", "draw", "repeat", "fold") if column in rows]
    one = rows[(rows[first] == rows[first].iloc[0]).all(axis=1)]
    ax.plot(one["epoch"], one["loss"], color=STUDY_COLOURS["train"], linewidth=1.4)
    ax.plot(one["epoch"], one["valid_loss"], color=STUDY_COLOURS["valid"], linewidth=1.4)
    best = one[one["best"]]
    ax.plot(best["epoch"], best["valid_loss"], "o", color=INK, markersize=4.5, zorder=3)
    top = np.nanmax([one["loss"].iloc[: max(2, len(one))].quantile(0.95), one["valid_loss"].quantile(0.9)])
    ax.set_ylim(0, 1.1 * float(top))
    ax.set_xlim(left=min(1, one["epoch"].min()))
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.grid(axis="y")
