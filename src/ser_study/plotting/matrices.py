"""Confusion matrices: one, or several side by side."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser_study.plotting.marks import hide_rest, readable
from ser_study.plotting.palette import MAP, PAPER, SMALL, WIDTH, canvas, styled
from ser_study.wording import percent, word


@styled
def confusion(counts: np.ndarray, classes: Sequence[str], *, title: str) -> Figure:
    """Confusion matrix: share of each true class in per cent, with the number of clips below it.

    Parameters
    ----------
    counts : (k, k) clips, rows the truth, columns the prediction, in the order of ``classes``
    """
    counts = _square(counts, classes)
    cell = 0.46 if len(classes) > 10 else 0.62
    margin = 0.8 + 0.085 * max(len(word(name)) for name in classes)
    figure, axes = canvas(
        1,
        1,
        width=min(max(cell * len(classes) + margin, 5.0), WIDTH),
        height=cell * len(classes) + margin + 0.4,
        title=title,
    )
    _confusion_panel(axes[0, 0], counts, classes, size=9.5 if len(classes) > 10 else 11)
    return figure


@styled
def confusions(panels: Sequence[tuple[str, np.ndarray, Sequence[str]]], *, title: str, unit: str = "clips") -> Figure:
    """Several confusion matrices side by side, in per cent with counts below: (name, counts, classes) each.

    Parameters
    ----------
    unit : what is counted; ``answers`` where a clip was answered several times
    """
    if not panels:
        raise ValueError("No confusion matrices to draw; pass at least one (name, counts, classes).")
    k = max(len(classes) for _, _, classes in panels)
    columns = min(len(panels), 3 if k <= 6 else 2 if k <= 11 else 1)
    rows = -(-len(panels) // columns)
    side = (WIDTH - 1.2) / max(columns, 2)
    figure, axes = canvas(rows, columns, height=rows * (side + 1.0) + 0.4, title=title)
    for ax, (name, counts, classes) in zip(axes.flat, panels):
        _confusion_panel(ax, _square(counts, classes), classes, unit=unit)
        ax.set_title(word(name))
    hide_rest(axes, len(panels))
    return figure


def confusion_title(name: str, counts: np.ndarray, classes: list[str]) -> str:
    """The class recognised best and the commonest confusion."""
    rates = counts / counts.sum(axis=1, keepdims=True)
    easy = int(np.argmax(np.diag(rates)))
    wrong = np.where(np.eye(len(classes), dtype=bool), 0, rates)
    truth, prediction = np.unravel_index(np.argmax(wrong), wrong.shape)
    return (
        f"{word(name)}: {classes[easy]} is recognised best ({percent(rates[easy, easy])}); "
        f"{classes[truth]} is taken for {classes[prediction]} in {percent(wrong[truth, prediction])}"
    )


def _square(counts: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    counts = np.asarray(counts)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"Confusion counts have shape {counts.shape}; {len(classes)} classes need a square of that.")
    return counts


def _confusion_panel(
    ax: Axes, counts: np.ndarray, classes: Sequence[str], *, unit: str = "clips", size: float = SMALL
) -> None:
    """Tiles with "per cent, clips" each; a class without clips stays empty."""
    import seaborn

    total = counts.sum(axis=1, keepdims=True)
    rates = np.divide(100.0 * counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    texts = [[f"{rate:.0f}\n{n:.0f}" if n else "" for rate, n in zip(*row)] for row in zip(rates, counts)]
    heat_map = {"vmin": 0, "vmax": 100, "cmap": MAP, "linewidths": 1.5, "linecolor": PAPER, "cbar": False}
    plain = {"fmt": "", "annot_kws": {"fontsize": size}, "xticklabels": False, "yticklabels": False}
    seaborn.heatmap(rates, annot=np.array(texts), ax=ax, **heat_map, **plain)
    for text in ax.texts:  # seaborn writes white on tones that are too light for it
        column, row = text.get_position()
        text.set_color(readable(ax.collections[0].to_rgba(rates[int(row), int(column)])))
    names = [word(name) for name in classes]
    middles = np.arange(len(names)) + 0.5
    ax.set_xticks(middles, names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(middles, [f"{name} ({n:.0f})" for name, n in zip(names, total[:, 0])], rotation=0)
    ax.tick_params(length=0)
    ax.set_aspect("equal", anchor="N")
    ax.set(xlabel=f"predicted class\n(% of the true class; {unit} below)", ylabel=f"true class ({unit})")
