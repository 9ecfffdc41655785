"""Figures of the chapter: every kind of system on new speakers, beside chance and listeners."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.chapters.systems import text
from ser_study.plotting.marks import beside, chance_text, need, row_axis, score_axis, score_text, whisker
from ser_study.plotting.palette import GREY, INK, STUDY_COLOURS, canvas, styled
from ser_study.wording import word

COLOUR = STUDY_COLOURS["speaker_independent"]
OTHER = STUDY_COLOURS["summary"]


@styled
def systems(table: pd.DataFrame, levels: pd.DataFrame) -> Figure | None:
    """UAR of every kind of system on new speakers with its interval: one panel a corpus, one row a kind.

    Parameters
    ----------
    table : of ``tables.scores``; without a system: None
    levels : of ``tables.levels``
    """
    compared = table[table["system"] != "dummy"]
    if compared.empty:
        return None
    need(compared, ("corpus", "system", "uar", "uar_low", "uar_high"), what="systems")
    parts = list(compared.groupby("corpus", sort=False))
    known = levels.set_index("corpus")
    ratios = [0.9 + 0.26 * len(rows) for _, rows in parts]
    title = text.systems_title(table)
    figure, axes = canvas(
        len(parts), 1, height=1 + sum(ratios), title=title, sharex=True, gridspec_kw={"height_ratios": ratios}
    )
    for ax, (corpus, rows) in zip(axes.flat, parts):
        for y, row in enumerate(rows.itertuples()):
            colour = COLOUR if row.system == "best_system" else OTHER
            whisker(ax, y, row.uar_low, row.uar_high, colour=colour, width=2)
            ax.plot(row.uar, y, "o", color=colour, markersize=6.5, zorder=3)
            weight = "bold" if row.system == "best_system" else "normal"
            beside(ax, y, score_text(row.uar), shift=34, ha="right", fontweight=weight)
        row_axis(ax, [word(name) for name in rows["system"]])
        score_axis(ax)
        ax.set_title(word(corpus), loc="left", pad=15)  # above the names of the levels
        _levels(ax, known.loc[corpus])
    for ax in axes.flat[:-1]:
        ax.set_xlabel("")
    figure.legend(handles=_key(), loc="outside lower left", ncols=4)
    return figure


def _levels(ax: Axes, level: pd.Series) -> None:
    """Chance, and one listener where they are known, as upright lines named at their tops."""
    ax.axvline(level["chance"], color=INK, linestyle=":", linewidth=1.4, zorder=1.5)
    _over(ax, level["chance"], chance_text(level["chance"]))
    if level["listener"] == level["listener"]:
        ax.axvline(level["listener"], color=GREY, linewidth=1.4, zorder=1.5)
        _over(ax, level["listener"], f"listener {score_text(level['listener'])}")


def _over(ax: Axes, x: float, label: str) -> None:
    ax.annotate(label, (x, 1), (0, 1), xycoords=("data", "axes fraction"), textcoords="offset points",
                ha="center", va="bottom")  # fmt: skip


def _key() -> list[Line2D]:
    dot = {"marker": "o", "markersize": 6.5, "linewidth": 2}
    return [
        Line2D([], [], color=OTHER, label="one kind of system, with interval", **dot),
        Line2D([], [], color=COLOUR, label="best of all kinds", **dot),
        Line2D([], [], color=GREY, linewidth=1.4, label="one listener"),
        Line2D([], [], color=INK, linewidth=1.4, linestyle=":", label="chance"),
    ]
