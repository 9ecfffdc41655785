"""Figures of networks: how each learns, what changes between settings, and what a score costs."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from ser_study.chapters.networks import text
from ser_study.plotting.marks import above, beside, hide_rest, need, row_axis, score_axis, score_text
from ser_study.plotting.palette import GREY, INK, PAPER, SPARE_COLOURS, STUDY_COLOURS, canvas, styled
from ser_study.wording import minus, word

CURVE_COLUMNS = ("experiment", "network", "epoch", "loss", "validation_loss", "best")
PANELS = 4  # across
TRAIN, VALIDATION = STUDY_COLOURS["train"], STUDY_COLOURS["validation"]


@styled
def learning_curves(curves: pd.DataFrame) -> Figure:
    """One panel a network: training loss, validation loss, and the epoch whose weights are kept.

    Parameters
    ----------
    curves : of ``tables.learning_curves``; of several trainings of a network the first is drawn

    Raises
    ------
    ValueError
        A column is missing or there is no row.
    """
    need(curves, CURVE_COLUMNS, what="learning curves")
    networks = [(name, rows) for name, rows in curves.groupby("network", sort=False)]
    columns = min(PANELS, len(networks))
    n_rows = -(-len(networks) // columns)
    title = text.learning_curves_title(curves)
    figure, axes = canvas(n_rows, columns, height=0.9 + 1.75 * n_rows, title=title)
    for ax, (name, rows) in zip(axes.flat, networks):
        _curve_panel(ax, rows)
        ax.set_title(word(name), fontsize=9)
    for ax in axes[:, 0]:
        ax.set_ylabel("loss (nats)")
    hide_rest(axes, len(networks))
    key = [
        Line2D([], [], color=TRAIN, label="training"),
        Line2D([], [], color=VALIDATION, label="validation"),
        Line2D([], [], color=INK, marker="o", linestyle="none", markersize=5, label="weights kept"),
    ]
    figure.legend(handles=key, loc="outside lower left", ncols=3)
    return figure


def _curve_panel(ax: Axes, rows: pd.DataFrame) -> None:
    place = [column for column in ("experiment", "draw", "repeat", "fold") if column in rows]
    one = rows[(rows[place] == rows[place].iloc[0]).all(axis=1)]
    ax.plot(one["epoch"], one["loss"], color=TRAIN, linewidth=1.4)
    ax.plot(one["epoch"], one["validation_loss"], color=VALIDATION, linewidth=1.4)
    best = one[one["best"]]
    ax.plot(best["epoch"], best["validation_loss"], "o", color=INK, markersize=4.5, zorder=3)
    ax.set_ylim(0, 1.05 * float(np.nanmax(one[["loss", "validation_loss"]].to_numpy(float))))
    ax.set_xlim(left=min(1, one["epoch"].min()))
    ax.set_xlabel("epoch")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True, min_n_ticks=1))
    ax.grid(axis="y")


@styled
def regularisation(table: pd.DataFrame) -> Figure | None:
    """One row a setting: accuracy on training rows (hollow) and on validation rows (filled), and the gap in points.

    Parameters
    ----------
    table : of ``tables.regularisation``; empty: None
    """
    if table.empty:
        return None
    need(table, ("changed", "accuracy", "validation_accuracy", "gap", "uar", "difference"), what="regularisation")
    figure, axes = canvas(1, 1, height=1.5 + 0.3 * len(table), title=text.regularisation_title(table))
    ax = axes[0, 0]
    for y, row in enumerate(table.itertuples()):
        ends = [row.validation_accuracy, row.accuracy]
        ax.plot(ends, [y, y], color=GREY, alpha=0.45, linewidth=5, solid_capstyle="butt", zorder=1)
        for value, colour, face, shift in zip(ends, (VALIDATION, TRAIN), (VALIDATION, PAPER), (96, 42)):
            ax.plot(value, y, "o", color=colour, markerfacecolor=face, markersize=7, mew=1.8, zorder=3, clip_on=False)
            beside(ax, y, score_text(value), shift=shift, ha="right")
        beside(ax, y, minus(100 * row.gap), shift=146, ha="right", fontweight="bold")
    row_axis(ax, table["changed"].tolist())
    score_axis(ax, metric="accuracy")
    for heading, shift in (("training", 42), ("valid-\nation", 96), ("gap\n(points)", 146)):
        above(ax, heading, shift=shift, ha="right")
    key = [
        Line2D(
            [], [], color=TRAIN, marker="o", linestyle="none", markerfacecolor="none", mew=1.8, label="training rows"
        ),
        Line2D([], [], color=VALIDATION, marker="o", linestyle="none", label="validation rows"),
    ]
    figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure


@styled
def costs(table: pd.DataFrame) -> Figure | None:
    """Accuracy against the time of one clip from its file to the answer, one mark a system; time on a log scale.

    Parameters
    ----------
    table : of ``costs.table``; empty: None
    """
    if table.empty:
        return None
    import seaborn

    need(table, ("feature", "model", "accuracy", "extract_ms", "predict_ms"), what="costs")
    drawn = table.assign(
        system=[f"{word(row.feature)}, {word(row.model)}" for row in table.itertuples()],
        ms=table["extract_ms"] + table["predict_ms"],
    )
    figure, axes = canvas(1, 1, height=3.0, title=text.costs_title(table))
    ax = axes[0, 0]
    tones = list(SPARE_COLOURS[: len(drawn)])
    seaborn.scatterplot(drawn, x="ms", y="accuracy", hue="system", style="system", s=110, palette=tones, ax=ax)
    ax.set_xscale("log")
    ticks = [step for step in (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000) if _near(step, drawn["ms"])]
    ax.set_xticks(ticks, [f"{step:,}" for step in ticks])
    ax.minorticks_off()
    ax.set(xlabel="file to answer, one clip (ms)", ylabel="accuracy (0–1)")
    ax.grid()
    seaborn.move_legend(ax, "center left", bbox_to_anchor=(1.01, 0.5), title="", frameon=False)
    return figure


def _near(step: float, values: pd.Series) -> bool:
    """Whether a tick lies within the values, or not far from them."""
    return values.min() / 2 <= step <= values.max() * 2
