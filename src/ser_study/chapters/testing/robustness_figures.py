"""Figures of degraded recordings: UAR against the level of each degradation."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.audio.degrade import CLEAN, DEGRADATIONS
from ser_study.chapters.testing import robustness_text as text
from ser_study.chapters.testing.robustness import TITLES
from ser_study.plotting.marks import chance_text, hide_rest, need
from ser_study.plotting.palette import INK, MARKERS, canvas, colours, styled
from ser_study.wording import sentence

COLOURS = dict(zip(TITLES, colours(TITLES.values()).values()))
SHAPES = dict(zip(TITLES, MARKERS))
COLUMNS = 3  # panels in a row


@styled
def curves(means: pd.DataFrame, chance: float) -> Figure | None:
    """UAR of every system, mean over selections, against the levels of each degradation: one panel a degradation.

    Parameters
    ----------
    means : of ``robustness.means``; without rows: None
    chance : UAR of guessing, a dotted line
    """
    kinds = [name for name in DEGRADATIONS if (means["degradation"] == name).any()]
    if not kinds:
        return None
    need(means, ("degradation", "level", "system", "uar"), what="robustness")
    columns = min(len(kinds), COLUMNS)
    rows = -(-len(kinds) // columns)
    figure, axes = canvas(rows, columns, height=1.1 + 1.75 * rows, title=text.title(means), sharey=True)
    for ax, kind in zip(axes.flat, kinds):
        _panel(ax, kind, means)
        ax.axhline(chance, color=INK, linestyle=":", linewidth=1.4, zorder=1.5)
    for ax in axes[:, 0]:
        ax.set_ylabel("UAR (0–1)")
        ax.set_ylim(0, 1)
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    hide_rest(axes, len(kinds))
    handles = [Line2D([], [], color=COLOURS[name], marker=SHAPES[name], markersize=5, label=TITLES[name])
               for name in TITLES if (means["system"] == name).any()]  # fmt: skip
    handles.append(Line2D([], [], color=INK, linestyle=":", linewidth=1.4, label=chance_text(chance)))
    figure.legend(handles=handles, loc="outside lower left", ncols=3)
    return figure


def _panel(ax: Axes, kind: str, means: pd.DataFrame) -> None:
    """One degradation: its levels side by side, the recordings as they are before or between them."""
    one, own = DEGRADATIONS[kind], means[means["degradation"] == kind]
    levels = list(dict.fromkeys(own["level"]))
    before = 0 if one.neutral is None else sum(level < one.neutral for level in levels)
    places = {level: place + (place >= before) for place, level in enumerate(levels)}
    ticks = [*map(_tick, levels[:before]), CLEAN, *map(_tick, levels[before:])]
    for system in TITLES:
        rows = own[own["system"] == system]
        as_read = means[(means["degradation"] == CLEAN) & (means["system"] == system)]
        line = pd.concat([as_read.assign(place=before), rows.assign(place=rows["level"].map(places))])
        line = line.sort_values("place")
        ax.plot(line["place"], line["uar"], color=COLOURS[system], marker=SHAPES[system], markersize=4.5)
    ax.set_xticks(range(len(ticks)), ticks)
    ax.set_xlim(-0.3, len(ticks) - 0.7)
    ax.set_xlabel(one.unit)
    ax.set_title(sentence(one.title))
    ax.grid(axis="y")


def _tick(level: float) -> str:
    return (f"{level:.0f}" if abs(level) >= 10 else f"{level:g}").replace("-", "−")
