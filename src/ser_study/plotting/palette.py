"""Colours, words and the empty canvas that every figure starts from.

Conventions
-----------
A figure is shown on white and on near-black alike. So text, axes and ticks are drawn in ``INK`` and the
background in ``PAPER``; the page turns the first into its own text colour and the second into nothing.
All other colours have a contrast of at least 3:1 on both backgrounds, which leaves only middle tones.
Hues start from Okabe–Ito and were spread apart under simulated deuteranopia and protanopia (Machado 2009).
Colour is never the only cue: classes stand on a labelled axis, models also differ by marker.
``STYLE`` is the one theme of the study; seaborn draws in it as matplotlib does (``theme``, ``styled``).
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
from cycler import cycler
from matplotlib import rc_context
from matplotlib.figure import Figure

INK = "#1b1b1f"
PAPER = "#fffffe"
GREY = "#808080"
SMALL = 9.0  # pt, the smallest text of any figure
WIDTH = 8.8  # in, a full text column
MAP = "cividis"

EMOTION_COLOURS = {
    "neutral": "#766b6b",
    "calm": "#28a2a8",
    "happy": "#c78600",
    "sad": "#0a8ce4",
    "angry": "#bd3800",
    "fearful": "#9f3faa",
    "disgust": "#2f9b52",
    "surprised": "#f03c96",
    "bored": "#766733",
    "excited": "#dc735d",
    "frustrated": "#d90e3b",
    "other": "#6e96c0",
}
STUDY_COLOURS = {  # models, features, protocols, roles, genders and lights
    "dummy": "#808080",
    "logistic": "#0a8ce4",
    "linear_svm": "#d0571a",
    "forest": "#2f9b52",
    "lightgbm": "#9f3faa",
    "means184": "#c78600",
    "summary": "#28a2a8",
    "egemaps": "#0a8ce4",
    "compare": "#9f3faa",
    "random_augmented": "#bd3800",
    "random": "#dc6a2a",
    "take_disjoint": "#b98a00",
    "sentence_independent": "#28a2a8",
    "speaker_independent": "#0a7fd0",
    "speaker_and_sentence": "#7a5ac8",
    "leave_one_speaker_out": "#3f74b5",
    "cross_corpus": "#9f3faa",
    "train": "#0a6fb8",
    "validation": "#b98a00",
    "test": "#d0480f",
    "unused": "#808080",
    "female": "#a04fb4",
    "male": "#2a9d8f",
    "unknown": "#808080",
    "green": "#2f9b52",  # how far a published score can be trusted
    "amber": "#b98a00",
    "red": "#d0480f",
}
SPARE_COLOURS = ("#f03c96", "#766733", "#28a2a8", "#c78600", "#6e96c0", "#d90e3b")
CYCLE = ("#0a8ce4", "#d0571a", "#2f9b52", "#9f3faa", "#c78600", "#28a2a8", "#808080")
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
STYLE = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans", "Segoe UI", "Helvetica Neue", "Arial"],  # the first sets the layout everywhere
    "font.size": SMALL,
    "axes.titlesize": 9.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.labelsize": SMALL,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.linewidth": 0.8,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "figure.facecolor": "none",
    "figure.dpi": 160,
    "text.color": INK,
    "text.parse_math": False,  # a name such as A$$1 is a name
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "grid.color": GREY,
    "grid.alpha": 0.3,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "svg.fonttype": "none",
    "svg.hashsalt": "ser_study",
    "image.interpolation": "nearest",
    "axes.prop_cycle": cycler(color=CYCLE),  # what seaborn and pandas colour by
    "patch.edgecolor": INK,
    "boxplot.flierprops.markersize": 3,
}
BOXES = {"linecolor": INK, "linewidth": 1, "saturation": 1, "fliersize": 2}  # box and violin plots of seaborn

LADDER = (  # protocols from the leakiest to the strictest
    "random_augmented",
    "random",
    "take_disjoint",
    "sentence_independent",
    "speaker_independent",
    "speaker_and_sentence",
)
BESIDE_LADDER = ("leave_one_speaker_out", "cross_corpus")  # not comparable with the steps before them
PROTOCOLS = (*LADDER, *BESIDE_LADDER)
INTENSITIES = ("low", "normal", "medium", "strong", "high", "unspecified", "unknown")  # the weakest first


def theme() -> AbstractContextManager:
    """The style of the study for all that is drawn inside, with matplotlib or seaborn; the caller's comes back after.

    >>> with theme():                                                   # doctest: +SKIP
    ...     seaborn.boxplot(clips, x="duration", y="emotion", **BOXES)
    """
    return rc_context(STYLE)


def styled(draw: Callable[..., Figure | None]) -> Callable[..., Figure | None]:
    """Decorates every function that draws: in the style of the study, and with the table behind the figure.

    That table is ``figure.data``: what the function has put there, otherwise the first table that it was given.
    """

    @wraps(draw)
    def drawn(*args: Any, **kwargs: Any) -> Figure | None:
        with theme():
            figure = draw(*args, **kwargs)
        if figure is not None and not hasattr(figure, "data"):
            tables = [value for value in (*args, *kwargs.values()) if isinstance(value, pd.DataFrame)]
            figure.data = tables[0] if tables else None
        return figure

    return drawn


def svg_text(figure: Figure, salt: str = "ser_study") -> str:
    """The figure as SVG text, the same every time it is drawn; this also settles its layout.

    Matplotlib derives the ids of clipping paths from the panels' places, whose last bits differ between two
    runs of the layout solver; here they are numbered.

    Parameters
    ----------
    figure : drawn in ``STYLE``
    salt : makes the other ids differ from those of other figures on a page
    """
    drawing = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with rc_context(STYLE | {"svg.hashsalt": salt}):
        figure.savefig(drawing, format="svg", bbox_inches="tight", metadata=nothing)
    text = drawing.getvalue()
    clips = dict.fromkeys(re.findall(r'clip-path="url\(#(\w+)\)"', text))
    numbers = {old: f"clip{number}" for number, old in enumerate(clips)}
    return re.sub(r'(clip-path="url\(#|<clipPath id=")(\w+)', lambda match: match[1] + numbers[match[2]], text)


def colours(names: Iterable[str]) -> dict[str, str]:
    """A fixed colour for each known name; others take the spare colours in their order of appearance."""
    known = EMOTION_COLOURS | STUDY_COLOURS
    others = [name for name in dict.fromkeys(names) if name not in known]
    spare = {name: SPARE_COLOURS[i % len(SPARE_COLOURS)] for i, name in enumerate(others)}
    return {name: known.get(name, spare.get(name)) for name in dict.fromkeys(names)}


def class_colour(name: str) -> str:
    """Colour of a class; ``angry_female`` has the colour of ``angry``."""
    return EMOTION_COLOURS.get(str(name).partition("_")[0], GREY)


def canvas(
    rows: int, columns: int, *, height: float, title: str, width: float = WIDTH, **grid
) -> tuple[Figure, np.ndarray]:
    """An empty figure with its title, and its axes as an array of shape (rows, columns).

    Parameters
    ----------
    height, width : size in inches
    title : the finding, in words; wrapped to the width
    grid : further options of ``Figure.subplots``
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **grid)
    if title:
        lines = textwrap.fill(title, int(width * 10.8))
        figure.suptitle(lines, x=0.004, ha="left", fontsize=11, fontweight="bold")
    for ax in axes.flat:
        ax.tick_params(colors=INK, labelsize=SMALL, length=3)
    return figure, axes
