"""Published scores beside ours in one figure; None where there is nothing to draw."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from ser_study.chapters.systems import published_text as text
from ser_study.chapters.systems.published import LIGHTS, LISTENERS
from ser_study.plotting.marks import above, beside, row_axis, score_axis, score_text, whisker
from ser_study.plotting.palette import GREY, INK, PAPER, STUDY_COLOURS, canvas, styled
from ser_study.wording import word

MARKS = {"green": "o", "amber": "^", "red": "X", LISTENERS: "d"}
METRICS = {"uar": "UAR", "accuracy": "acc."}
SHIFTS = {"metric": 38, "published": 74, "ours": 112}  # pt right of the axes
ROW, FRAME = 0.21, 0.62  # in: a row, and what a panel has above and below its rows


@styled
def scores(rows: pd.DataFrame) -> Figure | None:
    """One panel a corpus, one row a published score of ``published.table``: green first, listeners last."""
    if rows.empty:
        return None
    order = {name: place for place, name in enumerate(MARKS)}
    rows = rows.assign(mark=rows["light"].mask(rows["kind"] == LISTENERS, LISTENERS))
    panels = [
        (corpus, part.sort_values("mark", key=lambda marks: marks.map(order), kind="stable"))
        for corpus, part in rows.groupby("corpus", sort=False)
    ]
    heights = [FRAME + ROW * len(part) for _, part in panels]
    grid = {"sharex": True, "height_ratios": heights}
    figure, axes = canvas(len(panels), 1, height=1.2 + sum(heights), title=text.title(rows), **grid)
    for ax, (corpus, part) in zip(axes[:, 0], panels):
        _panel(ax, part)
        ax.set_title(word(corpus))
        score_axis(ax, metric="UAR or accuracy")
        ax.tick_params(labelbottom=True)
        ax.set_xlabel(ax.get_xlabel() if ax is axes[-1, 0] else "")
    figure.legend(handles=_key(rows), loc="outside lower left", ncols=2, handletextpad=0.6)
    return figure


def _panel(ax: Axes, part: pd.DataFrame) -> None:
    _ours(ax, part)
    for y, row in enumerate(part.itertuples()):
        whisker(ax, y, row.low, row.high, colour=_colour(row.mark))
        ax.add_line(_dot(row.mark, [row.value], [y]))
        beside(ax, y, METRICS[row.metric], shift=SHIFTS["metric"], ha="right")
        beside(ax, y, score_text(row.value), shift=SHIFTS["published"], ha="right")
        beside(ax, y, score_text(row.ours), shift=SHIFTS["ours"], ha="right", fontweight="bold")
    row_axis(ax, [f"{system} ({source})" for system, source in zip(part["system"], part["source"])])
    above(ax, "published", shift=SHIFTS["published"], ha="right")
    above(ax, "ours", shift=SHIFTS["ours"], ha="right", fontweight="bold")


def _ours(ax: Axes, part: pd.DataFrame) -> None:
    """Our score and its interval, as far down as it stays the same; nothing beside rows without ours."""
    runs = part["ours"].ne(part["ours"].shift()).cumsum().to_numpy()
    for run in np.unique(runs):
        places = np.flatnonzero(runs == run)
        one, span = part.iloc[places[0]], (places[0] - 0.5, places[-1] + 0.5)
        if np.isfinite(one["ours"]):
            ax.plot([one["ours"]] * 2, span, color=INK, linewidth=1.6, solid_capstyle="butt", zorder=2)
        if np.isfinite(one["ours_low"]) and np.isfinite(one["ours_high"]):
            ax.fill_betweenx(span, one["ours_low"], one["ours_high"], color=GREY, alpha=0.3, linewidth=0, zorder=1)


def _colour(mark: str) -> str:
    return STUDY_COLOURS.get(mark, INK)


def _dot(mark: str, x: list[float], y: list[float], *, label: str = "") -> Line2D:
    """The mark of a light or of listeners, as in the key; amber and listeners are hollow."""
    face = PAPER if mark in ("amber", LISTENERS) else _colour(mark)
    style = {"markerfacecolor": face, "markersize": 7, "mew": 1.5, "linestyle": "none", "clip_on": False}
    return Line2D(x, y, color=_colour(mark), marker=MARKS[mark], label=label, zorder=3, **style)


def _key(rows: pd.DataFrame) -> list[Line2D | Patch]:
    """The marks that are in the figure, and ours where it is."""
    words = {light: f"{light}: {meaning}" for light, meaning in LIGHTS.items()} | {LISTENERS: LISTENERS}
    marks = [_dot(mark, [], [], label=words[mark]) for mark in MARKS if mark in set(rows["mark"])]
    if rows["ours"].notna().any():
        marks.append(Line2D([], [], color=INK, linewidth=1.6, label="ours"))
        marks.append(Patch(color=GREY, alpha=0.3, linewidth=0, label="95 % interval of ours"))
    return marks
