"""Figures of mistakes: confusions of listeners and systems side by side, and spectrograms of the surest mistakes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser_study.chapters.testing import declare, mistakes_text
from ser_study.chapters.testing.claims import LEVELS
from ser_study.evaluation import metrics
from ser_study.plotting import matrices
from ser_study.plotting.marks import beside, need, row_axis, score_axis, whisker
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import GREY, INK, PAPER, STUDY_COLOURS, canvas, styled
from ser_study.plotting.spectrograms import mel_spectrogram
from ser_study.wording import share, signed, word

COLOUR = STUDY_COLOURS["speaker_independent"]
COLUMNS = 2  # of spectrograms


@styled
def confusions(panels: Sequence[tuple[str, np.ndarray, Sequence[str]]]) -> Figure | None:
    """Confusion matrices of the listeners and of two systems, in per cent.

    Parameters
    ----------
    panels : of ``mistakes.confusions``; none: None
    """
    if not panels:
        return None
    three = {panel[0]: matrices.in_order(panel) for panel in (panels[0], panels[1], panels[-1])}
    chosen = list(three.values())
    title = mistakes_text.confusions_title(panels)
    figure, axes = canvas(1, len(chosen), height=4.2, title=title, sharey=True)
    for ax, (name, counts, classes) in zip(axes.flat, chosen):
        names = [word(one) for one in classes]
        rates = pd.DataFrame(100 * metrics.row_normalised(counts), names, names)
        heat_map(ax, rates, rates.map(lambda rate: f"{rate:.0f}").to_numpy(), limits=(0, 100), rotation=45)
        ax.set_aspect("equal", anchor="N")
        ax.set_title(word(name))
        ax.set_xlabel("answer (% of the true class)")
    axes[0, 0].set_ylabel("true class")
    figure.data = matrices.confusion_table(chosen)
    return figure


@styled
def surest(pictures: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Log-mel spectrograms of the surest mistakes.

    Parameters
    ----------
    pictures : of ``mistakes.pictures``; none: None
    """
    if not pictures:
        return None
    rows = -(-len(pictures) // COLUMNS)
    title = mistakes_text.surest_title(pictures)
    figure, axes = canvas(rows, COLUMNS, height=0.8 + 2.45 * rows, title=title)
    for place, (ax, item) in enumerate(zip(axes.flat, pictures)):
        image = mel_spectrogram(ax, item)
        taken = f"{word(item['truth'])}, taken for {word(item['prediction'])} ({share(item['probability'])})"
        ax.set_title(f"{word(item['corpus'])}\n{taken}")
        ax.set(ylabel="frequency (kHz)" if place % COLUMNS == 0 else "", xlabel="time (s)")
    for ax in axes.flat[len(pictures) :]:
        ax.set_visible(False)
    bar = figure.colorbar(image, ax=list(axes.flat), label="level (dB below the clip's loudest)", aspect=40, pad=0.01)
    bar.outline.set_visible(False)
    names = ("corpus", "clip", "truth", "prediction", "probability")
    figure.data = pd.DataFrame([{name: item[name] for name in names} for item in pictures])
    return figure


@styled
def intensity(table: pd.DataFrame) -> Figure | None:
    """UAR at normal and strong intensity: one panel a selection, one row a system.

    Parameters
    ----------
    table : of ``claims.by_intensity``; empty: None
    """
    if table.empty:
        return None
    need(table, ("corpus", "system", *(f"uar_{level}" for level in LEVELS), "difference"), what="intensity")
    parts = list(table.groupby("corpus", sort=False))
    height = 1.2 + sum(0.6 + 0.26 * len(rows) for _, rows in parts)
    ratios = [0.6 + 0.26 * len(rows) for _, rows in parts]
    figure, axes = canvas(len(parts), 1, height=height, title=mistakes_text.intensity_title(table), sharex=True,
                          gridspec_kw={"height_ratios": ratios})  # fmt: skip
    for ax, (corpus, rows) in zip(axes.flat, parts):
        for y, row in enumerate(rows.itertuples()):
            _step(ax, y, row)
        row_axis(ax, [declare.TITLES[name] for name in rows["system"]])
        score_axis(ax)
        ax.set_title(word(corpus))
    for ax in axes.flat[:-1]:
        ax.set_xlabel("")
    figure.legend(handles=_key(), loc="outside lower left", ncols=2)
    return figure


def _step(ax: Axes, y: float, row: Any) -> None:
    """From normal to strong; the change in points beside it."""
    whisker(ax, y, *sorted((row.uar_normal, row.uar_strong)), colour=GREY, width=1.6)
    for level, face in zip(LEVELS, (PAPER, COLOUR)):
        value = getattr(row, f"uar_{level}")
        ax.plot(value, y, "o", color=COLOUR, markerfacecolor=face, markersize=6.5, mew=1.6, zorder=3)
    beside(ax, y, f"{signed(100 * row.difference)} points", shift=74, ha="right", color=INK)


def _key() -> list:
    from matplotlib.lines import Line2D

    faces = zip(LEVELS, ("none", COLOUR))
    dot = {"color": COLOUR, "marker": "o", "linestyle": "none", "mew": 1.6}
    return [Line2D([], [], markerfacecolor=face, label=f"{level} intensity", **dot) for level, face in faces]
