"""What figures are drawn with: axes for rows and scores, intervals, tiles, lines and words in the margin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.patches import Rectangle

from ser_study.report.palette import INK, MAP, SMALL
from ser_study.schema import check_columns


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
    """A score with two decimals and no leading zero: ``.47``."""
    return "–" if not np.isfinite(value) else f"{value:.2f}".removeprefix("0").replace("-0", "−")


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
    return f"chance {chance:.3f}".replace(" 0.", " .").rstrip("0")


def whisker(ax: Axes, y: float, low: float, high: float, *, colour: str, width: float = 1.6) -> None:
    """A horizontal interval; nothing where none is known."""
    if np.isfinite(low) and np.isfinite(high):
        ax.plot([low, high], [y, y], color=colour, linewidth=width, solid_capstyle="butt", zorder=2, clip_on=False)


def tiles(
    ax: Axes,
    values: np.ndarray,
    *,
    limits: tuple[float, float],
    texts: np.ndarray | None = None,
    notes: np.ndarray | None = None,
    size: float = SMALL,
) -> PatchCollection:
    """A heat map of separate tiles, each with its own text in black or white, whichever reads better.

    Parameters
    ----------
    values : (rows, columns); NaN leaves the tile empty
    texts : (rows, columns) of str, or None
    notes : the same, written smaller below
    """
    n_rows, n_columns = values.shape
    places = [(row, column) for row in range(n_rows) for column in range(n_columns) if np.isfinite(values[row, column])]
    boxes = [Rectangle((column - 0.48, row - 0.48), 0.96, 0.96) for row, column in places]
    drawn = PatchCollection(boxes, cmap=MAP, linewidth=0)
    drawn.set_array([values[place] for place in places])
    drawn.set_clim(*limits)
    ax.add_collection(drawn)
    ax.set(xlim=(-0.5, n_columns - 0.5), ylim=(n_rows - 0.5, -0.5))
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)
    for row, column in places if texts is not None else ():
        middle = {"ha": "center", "va": "center", "color": _readable(drawn.to_rgba(values[row, column]))}
        ax.text(column, row - (0.16 if notes is not None else 0), texts[row, column], fontsize=size, **middle)
        if notes is not None:
            ax.text(column, row + 0.22, notes[row, column], fontsize=SMALL, **middle)
    return drawn


def _readable(colour: tuple[float, ...]) -> str:
    """Near-black or white, whichever stands out; pure black would be left out of the SVG and follow the page."""
    red, green, blue = (value**2.2 for value in colour[:3])
    return "#0a0a0a" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 else "#ffffff"


def tile_labels(ax: Axes, rows: Sequence[str], columns: Sequence[str], *, angle: float = 0.0) -> None:
    """Name the rows and columns of a heat map; an angle turns the column names."""
    turned = {} if angle == 0 else {"rotation": angle, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(range(len(columns)), columns, **(turned if angle != 90 else {"rotation": 90}))
    ax.set_yticks(range(len(rows)), rows)


def spread(values: Sequence[float], *, gap: float) -> np.ndarray:
    """Positions as near as simple pushing allows to ``values``, in the same order and at least ``gap`` apart."""
    order = np.argsort(values, kind="stable")
    placed = np.asarray(values, dtype=float)[order]
    for _ in range(200):
        overlap = np.clip(gap - np.diff(placed), 0, None)
        if overlap.max(initial=0) < 1e-9:
            break
        placed[:-1] -= overlap / 2
        placed[1:] += overlap / 2
    back = np.empty_like(placed)
    back[order] = placed
    return back
