"""What every figure must satisfy, for the tests of the rooms that draw: legible, nothing over anything, light."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import combinations

from matplotlib.figure import Figure
from matplotlib.text import Text

from ser_study.plotting import palette

UNITS = r"\((0–1|%.*|number|standard deviations|s|Hz|kHz|clips|years.*)\)|\d+ (speakers|sentences)"


def texts_of(figure: Figure) -> list[Text]:
    """Every text that shows; none of a hidden panel or of a switched-off tick label."""
    figure.draw_without_rendering()
    hidden = {id(t) for ax in figure.axes if not ax.get_visible() for t in ax.findobj(Text)}
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        low, high = sorted(axis.get_view_interval())
        outside = [tick for tick in axis.get_major_ticks() if not low - 1e-9 <= tick.get_loc() <= high + 1e-9]
        hidden |= {id(label) for tick in outside for label in (tick.label1, tick.label2)}
    return [t for t in figure.findobj(Text) if t.get_visible() and t.get_text().strip() and id(t) not in hidden]


def check_overlap(figure: Figure) -> None:
    """No horizontal text lies over another."""
    level = [t for t in texts_of(figure) if t.get_rotation() == 0]
    boxes = [(t.get_text(), t.get_window_extent()) for t in level]
    clashes = []
    for (one, a), (two, b) in combinations(boxes, 2):
        wide, high = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        if wide > 2 and high > 0.25 * min(a.height, b.height):
            clashes.append((one, two))
    assert not clashes


def check_size(figure: Figure, svg: str) -> None:
    """Texts are large enough, and none sticks out: that would widen the tight drawing."""
    assert min(t.get_fontsize() for t in texts_of(figure)) >= palette.SMALL
    assert float(re.search(r'width="([\d.]+)pt"', svg)[1]) <= 72 * palette.WIDTH + 15


def check_svg(svg: str) -> None:
    """The drawing is small, keeps its letters, and leaves no colour to the browser."""
    assert len(svg.encode()) < 300_000
    assert "<text" in svg
    assert "sans-serif" in svg
    assert palette.INK in svg
    assert all("fill: " in style for style in re.findall(r"<text style=\"([^\"]*)\"", svg))


def check_units(figure: Figure) -> None:
    """Some axis says its unit."""
    labels = " | ".join(f"{ax.get_xlabel()} {ax.get_ylabel()}" for ax in figure.axes) + figure.get_supxlabel()
    assert re.search(UNITS, labels), labels


def check_figure(make: Callable[[], Figure]) -> None:
    """All of these, a title, and the same drawing when it is made again."""
    figure = make()
    drawing = palette.svg_text(figure)
    check_overlap(figure)
    check_size(figure, drawing)
    check_svg(drawing)
    check_units(figure)
    assert figure.get_suptitle()
    assert palette.svg_text(make()) == drawing
