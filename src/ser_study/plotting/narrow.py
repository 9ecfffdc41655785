"""A figure rearranged for a telephone: its panels one under the other, its type as large as before.

Conventions
-----------
``stack`` changes a figure that was laid out for a full text column. Not all survive it: pictures (spectrograms,
waveforms) and tables of many columns are no wider than they must be, and keep their one drawing, which scrolls.
Names of rows that would leave too little room for the rows stand above them.
"""

from __future__ import annotations

import math
import textwrap

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.gridspec import GridSpec
from matplotlib.legend import Legend
from matplotlib.text import Annotation, Text
from matplotlib.transforms import ScaledTranslation

from ser_study.plotting.palette import SMALL, STYLE

SCREEN = 358  # px between the margins of a telephone
LEAST = 11  # px, the smallest type there
WIDTH = SCREEN / LEAST * SMALL / 72 - 0.2  # in; the margin of a drawing is a tenth of an inch on each side
LETTER = 5.2  # pt, the mean width of one of ``SMALL`` size
ROOM = 120  # pt that rows need
ROW = 27  # pt from one row to the next where its name stands above it
LEAST_PANEL = 80  # pt, the width of the narrowest panel
LEAST_TILE = 8  # pt, that of the narrowest tile of a heat map


def stack(figure: Figure) -> bool:
    """Rearrange a figure for a telephone, and say whether what came of it is legible.

    Parameters
    ----------
    figure : of ``palette.canvas``, laid out; it is changed

    Returns
    -------
    False where panels are pictures, where a text lies over another or sticks out, or a panel is too narrow; the figure
    is of no use then.
    """
    panels = [ax for ax in figure.axes if ax.get_subplotspec() is not None and ax.get_visible()]
    if not panels or any(ax.images for ax in panels):
        return False
    with rc_context(STYLE):
        heights = [_height(ax) for ax in panels]
        first = panels[0].get_subplotspec().get_gridspec()
        rest = figure.get_figheight() - sum(_height(ax) for ax in panels[:: first.ncols])
        _wrap_title(figure)
        extra = _restack_legend(figure)
        if first.ncols > 1:
            _one_column(figure, panels, heights)
            _drop_hidden(figure, panels)
        for place, ax in enumerate(panels):
            heights[place] *= _names_above(ax)
        beside = max(rest, 0.8) / first.nrows * len(panels)
        figure.set_size_inches(WIDTH, sum(heights) + beside + extra)
        legible = _legible(figure, panels)
        figure.set_layout_engine("none")  # it is settled
        return legible


def _height(ax: Axes) -> float:
    """Of a panel, in inches; one with square tiles takes the width there is."""
    height = ax.get_position().height * ax.figure.get_figheight()
    return height if ax.get_aspect() == "auto" else min(height, WIDTH - 1.0)


def _wrap_title(figure: Figure) -> None:
    title = figure._suptitle
    if title is not None:
        title.set_text(textwrap.fill(" ".join(title.get_text().split()), int(WIDTH * 10.2)))


def _one_column(figure: Figure, panels: list[Axes], heights: list[float]) -> None:
    """One panel a row, each with the labels that it had in common with its neighbours."""
    grid = GridSpec(len(panels), 1, figure=figure, height_ratios=heights)
    old = [ax.get_subplotspec() for ax in panels]
    lead = {spec.rowspan.start: ax for ax, spec in reversed(list(zip(panels, old)))}
    last = {spec.colspan.start: ax for ax, spec in zip(panels, old)}
    for place, (ax, spec) in enumerate(zip(panels, old)):
        ax.set_subplotspec(grid[place])
        ax.tick_params(labelleft=True, labelbottom=True)
        row, column = lead[spec.rowspan.start], last[spec.colspan.start]
        if not ax.get_ylabel() and row.get_ylabel():
            ax.set_ylabel(row.get_ylabel())
        if not ax.get_xlabel() and column.get_xlabel():
            ax.set_xlabel(column.get_xlabel())


def _drop_hidden(figure: Figure, panels: list[Axes]) -> None:
    """Panels that are not visible have no place in the one column, though a colour bar may stand beside them, too."""
    for ax in figure.axes:
        if ax.get_subplotspec() is not None and ax not in panels:
            ax.set_subplotspec(panels[-1].get_subplotspec())
            ax.set_in_layout(False)


def _restack_legend(figure: Figure) -> float:
    """Legends below the figure, in as many columns as fit; the inches that takes."""
    extra = 0.0
    for legend in [*figure.legends, *(ax.get_legend() for ax in figure.axes)]:
        if legend is None or (legend.axes is not None and _inside(legend)):
            continue
        names = [text.get_text() for text in legend.get_texts()]
        longest = LETTER * max(map(len, names), default=0) + 36
        columns = max(1, min(len(names), int(72 * WIDTH // longest)))
        handles, title = list(legend.legend_handles), legend.get_title().get_text()
        legend.remove()
        figure.legend(handles, names, loc="outside lower left", ncols=columns, title=title or None,
                      alignment="left", handletextpad=0.4)  # fmt: skip
        extra += 0.16 * math.ceil(len(names) / columns)
    return extra


def _inside(legend: Legend) -> bool:
    """Whether the legend of a panel lies on it, not beside it."""
    box, panel = legend.get_window_extent(), legend.axes.get_window_extent()
    return box.x0 < panel.x1


def _names_above(ax: Axes) -> float:
    """Put the names of rows above their rows where they leave no room; the factor by which the panel grows."""
    is_rows = ax.yaxis_inverted() and not ax.spines["left"].get_visible()
    if not is_rows or any(isinstance(drawn, QuadMesh) for drawn in ax.collections):
        return 1.0
    labels = ax.get_yticklabels()
    longest = max((len(line) for label in labels for line in label.get_text().split("\n")), default=0)
    right = max((note.xyann[0] for note in _margin(ax, 1)), default=0)
    if LETTER * longest + right + ROOM <= 72 * WIDTH:
        return 1.0
    up = ScaledTranslation(0, 6 / 72, ax.figure.dpi_scale_trans)
    ax.tick_params(axis="y", pad=0)
    for label in ax.get_yticklabels():
        label.set_text(label.get_text().replace("\n", " "))
        label.set(ha="left", va="bottom", transform=label.get_transform() + up)
    ax.set_yticks(ax.get_yticks(), [label.get_text() for label in labels])
    starts: dict[float, float] = {}  # of what stands in a row, one after the other
    for note in _margin(ax, 0):
        note.xyann = (starts.get(note.xy[1], 0.0), note.xyann[1])
        note.set_in_layout(False)  # it may run into the right margin
        starts[note.xy[1]] = note.xyann[0] + 1.5 * LETTER * len(note.get_text()) + 8
    low, high = sorted(ax.get_ylim())
    step = 72 * _height(ax) / (high - low)
    ax.set_ylim(high, low - 0.3)
    return max(1.0, ROW / step)


def _margin(ax: Axes, edge: float) -> list[Annotation]:
    """What ``marks.beside`` and ``marks.above`` wrote at the left (0) or the right (1) edge."""
    notes = [text for text in ax.texts if isinstance(text, Annotation) and isinstance(text.xycoords, tuple)]
    return [note for note in notes if note.xycoords == ("axes fraction", "data") and note.xy[0] == edge]


def _legible(figure: Figure, panels: list[Axes]) -> bool:
    """Whether panels and tiles have some width, nothing sticks out and no text lies over another."""
    figure.draw_without_rendering()
    widths = [72 * WIDTH * ax.get_position().width for ax in panels]
    tiles = [width / drawn.get_array().shape[1] for ax, width in zip(panels, widths) for drawn in ax.collections
             if isinstance(drawn, QuadMesh)]  # fmt: skip
    if (
        min(widths) < LEAST_PANEL
        or min(tiles, default=LEAST_TILE) < LEAST_TILE
        or figure.get_tightbbox().width > WIDTH + 0.02
    ):
        return False
    boxes = np.array([text.get_window_extent().extents for text in _texts(figure)])  # (n, 4): x0, y0, x1, y1
    if boxes[:, 2].max() > figure.bbox.x1 + 1:
        return False
    wide = np.minimum.outer(boxes[:, 2], boxes[:, 2]) - np.maximum.outer(boxes[:, 0], boxes[:, 0])
    high = np.minimum.outer(boxes[:, 3], boxes[:, 3]) - np.maximum.outer(boxes[:, 1], boxes[:, 1])
    least = np.minimum.outer(boxes[:, 3] - boxes[:, 1], boxes[:, 3] - boxes[:, 1])
    return not np.triu((wide > 2) & (high > 0.25 * least), 1).any()


def _texts(figure: Figure) -> list[Text]:
    """Texts that show and are level or upright; no labels of ticks beyond an axis."""
    outside = set()
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if not low - 1e-9 <= tick.get_loc() <= high + 1e-9 or not axis.axes.get_visible():
                outside |= {id(tick.label1), id(tick.label2)}
    hidden = {id(text) for ax in figure.axes if not ax.get_visible() for text in ax.findobj(Text)} | outside
    texts = [text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()]
    return [text for text in texts if id(text) not in hidden and text.get_rotation() in (0, 90)]
