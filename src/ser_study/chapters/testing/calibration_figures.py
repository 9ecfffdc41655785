"""Figures of calibration and abstention: confidence against accuracy, and accuracy against coverage."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.chapters.testing import calibration_text as text
from ser_study.chapters.testing.declare import TITLES
from ser_study.plotting.marks import hide_rest, need
from ser_study.plotting.palette import GREY, INK, MARKERS, PAPER, canvas, colours, styled
from ser_study.wording import word

COLOURS = colours(TITLES.values())
MARKS = dict(zip(TITLES.values(), MARKERS))
TICKS = ([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
COLUMNS = 3
HOLLOW = {"markerfacecolor": PAPER, "markersize": 7, "mew": 1.6, "linestyle": "none", "zorder": 3, "clip_on": False}


@styled
def reliability(bins: pd.DataFrame, scores: pd.DataFrame) -> Figure | None:
    """Accuracy against mean confidence in bins of equal size: one panel a selection, one line a system.

    Parameters
    ----------
    bins : of ``calibration.reliability``; empty: None
    scores : of ``calibration.scores``, for the title
    """
    if bins.empty:
        return None
    need(bins, ("corpus", "system", "confidence", "accuracy", "low", "high"), what="reliability")
    figure, axes = _panels(bins, _reliability_panel, title=text.reliability_title(scores))
    for ax in axes:
        ax.plot([0, 1], [0, 1], color=INK, linestyle=":", linewidth=1.4, zorder=1.5)
    _label(axes, "mean confidence (0–1)", "accuracy (0–1)")
    line = Line2D([], [], color=INK, linestyle=":", linewidth=1.4, label="calibrated")
    figure.legend(handles=[*_key(bins), line], loc="outside lower left", ncols=4)
    return figure


def _reliability_panel(ax: Axes, rows: pd.DataFrame, system: str) -> None:
    colour = COLOURS[system]
    ax.vlines(rows["confidence"], rows["low"], rows["high"], color=colour, linewidth=1, alpha=0.6, zorder=1)
    ax.plot(rows["confidence"], rows["accuracy"], color=colour, marker=MARKS[system], markersize=4, linewidth=1.2)


@styled
def coverage(curves: pd.DataFrame, answers: pd.DataFrame) -> Figure | None:
    """Accuracy of what is answered against the share of clips answered: one panel a selection, one line a system.

    Parameters
    ----------
    curves : of ``calibration.curves``; empty: None
    answers : of ``calibration.answers``; hollow marks show where the thresholds learned on validation speakers end
    """
    if curves.empty:
        return None
    need(curves, ("corpus", "system", "coverage", "accuracy"), what="coverage")
    figure, axes = _panels(curves, _curve, title=text.coverage_title(answers))
    for ax, corpus in zip(axes, dict.fromkeys(curves["corpus"])):
        reached = answers[(answers["corpus"] == corpus) & answers["accuracy"].notna()]
        for row in reached.itertuples():
            ax.plot(row.coverage, row.accuracy, color=COLOURS[row.system], marker=MARKS[row.system], **HOLLOW)
        for aim in sorted(set(answers["aim"])):
            ax.axhline(aim, color=GREY, linewidth=0.8, linestyle=":", zorder=1)
    _label(axes, "share of clips answered (0–1)", "accuracy of the answers (0–1)")
    hollow = Line2D([], [], color=INK, marker="o", markerfacecolor="none", mew=1.6, linestyle="none", label="threshold")
    aims = Line2D([], [], color=GREY, linestyle=":", linewidth=0.8, label="aims")
    figure.legend(handles=[*_key(curves), hollow, aims], loc="outside lower left", ncols=5)
    return figure


def _curve(ax: Axes, rows: pd.DataFrame, system: str) -> None:
    ax.plot(rows["coverage"], rows["accuracy"], color=COLOURS[system], linewidth=1.6)


def _panels(table: pd.DataFrame, draw: Callable, *, title: str) -> tuple[Figure, list[Axes]]:
    """One square panel a selection with 0–1 axes, its lines drawn by ``draw(ax, rows, system)``."""
    corpora = list(dict.fromkeys(table["corpus"]))
    n_rows = -(-len(corpora) // COLUMNS)
    figure, axes = canvas(n_rows, COLUMNS, height=2.9 * n_rows + 0.9, title=title)
    for ax, corpus in zip(axes.flat, corpora):
        own = table[table["corpus"] == corpus]
        for system, rows in own.groupby("system", sort=False):
            draw(ax, rows, system)
        ax.set(xlim=(0, 1.02), ylim=(0, 1.02))
        ax.set_xticks(*TICKS)
        ax.set_yticks(*TICKS)
        ax.grid()
        ax.set_aspect("equal")
        ax.set_title(word(corpus))
    hide_rest(axes, len(corpora))
    return figure, list(axes.flat[: len(corpora)])


def _label(axes: list[Axes], x: str, y: str) -> None:
    """Axis labels at the left edge and under the lowest panel of each column only."""
    for place, ax in enumerate(axes):
        ax.set_ylabel(y if place % COLUMNS == 0 else "")
        ax.set_xlabel(x if place + COLUMNS >= len(axes) else "")


def _key(table: pd.DataFrame) -> list[Line2D]:
    used = [name for name in TITLES.values() if name in set(table["system"])]
    return [Line2D([], [], color=COLOURS[name], marker=MARKS[name], markersize=5, label=name) for name in used]
