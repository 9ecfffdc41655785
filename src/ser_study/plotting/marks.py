"""What figures are drawn with: axes for rows and scores, intervals, lines and words in the margin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ser_study.plotting.palette import INK
from ser_study.schema import check_columns
from ser_study.wording import share


def need(table: pd.DataFrame, columns: Iterable[str], *, what: str) -> None:
    """Raise ``ValueError`` where a table lacks a column or has no row; no empty picture is ever drawn."""
    check_columns(table, columns, what=what)
    if table.empty:
        raise ValueError(f"The {what} table has no rows; there is nothing to draw. Check what it was filtered by.")


def row_axis(ax: Axes, labels: Sequence[str], *, places: Sequence[float] | None = None) -> None:
    """Write one label a row, the first on top, and leave only a light grid across."""
    ax.set_yticks(range(len(labels)) if places is None else places, labels)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")


def score_axis(ax: Axes, *, metric: str = "UAR") -> None:
    """A horizontal axis for a score between 0 and 1."""
    ax.set_xlim(0, 1.02)
    ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
    ax.set_xlabel(f"{metric} (0–1)")


def score_text(value: float) -> str:
    """A score as tables and sentences print it, so that a page does not round it twice: ``.473``."""
    return share(value)


def beside(ax: Axes, y: float, text: str, *, shift: float = 5.0, x: float = 1.0, **style) -> None:
    """Write in the margin of a row: ``shift`` points right of the right edge (``x=1``) or left edge (``x=0``)."""
    ax.annotate(text, (x, y), (shift, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                **{"va": "center", **style})  # fmt: skip


def above(ax: Axes, text: str, *, shift: float = 5.0, **style) -> None:
    """Write over the right margin, as the heading of what ``beside`` writes."""
    ax.annotate(text, (1, 1), (shift, 1), xycoords="axes fraction", textcoords="offset points", va="bottom", **style)


def chance_line(ax: Axes, chance: float | None) -> None:
    """An upright dotted line at chance, labelled above the axes; nothing where chance is unknown."""
    if chance is not None:
        ax.axvline(chance, color=INK, linestyle=":", linewidth=1.4, zorder=1.5)
        ax.annotate(chance_text(chance), (chance, 1), (0, 1), xycoords=("data", "axes fraction"),
                    textcoords="offset points", ha="center", va="bottom")  # fmt: skip


def hide_rest(axes: np.ndarray, used: int) -> None:
    """Hide the panels after the first ``used`` ones."""
    for ax in axes.flat[used:]:
        ax.set_visible(False)


def chance_text(chance: float) -> str:
    """Chance needs a third decimal: one in eight is ``.125``."""
    return f"chance {share(chance)}".rstrip("0")


def whisker(ax: Axes, y: float, low: float, high: float, *, colour: str, width: float = 1.6) -> None:
    """A horizontal interval; nothing where none is known."""
    if np.isfinite(low) and np.isfinite(high):
        ax.plot([low, high], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2, clip_on=False)


def readable(colour: tuple[float, ...]) -> str:
    """Near-black or white, whichever has the higher contrast, at least 4.5 on any colour (relative luminance, WCAG 2).

    Pure black would be left out of the SVG and follow the page.
    """
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in colour[:3]]
    luminance = sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear))
    return "#010101" if luminance > 0.1798 else "#ffffff"
