"""Heat maps with a text in each tile: scores, counts, correlations, and confusion matrices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ser_study.plotting.marks import hide_rest, readable
from ser_study.plotting.palette import INK, MAP, PAPER, SMALL, WIDTH, canvas, styled
from ser_study.schema import EMOTIONS
from ser_study.wording import percent, word

MAX_NAMES = 46  # columns; of more, only every second, third … is named


def heat_map(
    ax: Axes,
    values: pd.DataFrame,
    texts: Sequence[Sequence[str]],
    *,
    limits: tuple[float | None, float | None] = (None, None),
    bar: Mapping[str, Any] | None = None,
    size: float = SMALL,
    rotation: float = 30,
) -> None:
    """Tiles coloured by value, a text in each that is dark on light tones and light on dark ones.

    Parameters
    ----------
    values : index and columns are written beside the tiles; NaN leaves a tile without colour
    texts : one a tile, in the order of ``values``; may be empty
    limits : values of the darkest and the lightest tone; None: the least and the greatest value
    bar : options of the colour bar, such as its ``label``; None: no bar
    size : of the texts, in points
    rotation : of the column names, in degrees
    """
    import seaborn

    lines = {"linecolor": PAPER, "linewidths": min(1.5, 36 / values.shape[1])}
    low, high = limits
    seaborn.heatmap(values, ax=ax, cmap=MAP, vmin=low, vmax=high, cbar=bar is not None, cbar_kws=bar, **lines)
    tones = ax.collections[0].to_rgba(values.to_numpy(float))
    for (row, column), text in np.ndenumerate(np.array(texts, dtype=object)):
        colour = readable(tones[row, column]) if np.isfinite(values.iat[row, column]) else INK
        if text:
            ax.text(column + 0.5, row + 0.5, text, ha="center", va="center", color=colour, fontsize=size)
    turned = {"ha": "right", "rotation_mode": "anchor"} if rotation % 90 else {}
    every = -(-values.shape[1] // MAX_NAMES)
    ticks = np.arange(0, values.shape[1], every)
    ax.set_xticks(ticks + 0.5, list(values.columns[ticks]), rotation=rotation, **turned)
    ax.set_yticks(np.arange(len(values)) + 0.5, list(values.index), rotation=0)
    ax.tick_params(length=0)
    ax.set(xlabel="", ylabel="")


@styled
def confusions(panels: Sequence[tuple[str, np.ndarray, Sequence[str]]], *, title: str, unit: str = "clips") -> Figure:
    """Several confusion matrices side by side, in per cent with counts below: (name, counts, classes) each.

    Parameters
    ----------
    unit : what is counted; ``answers`` where a clip was answered several times
    """
    if not panels:
        raise ValueError("No confusion matrices to draw; pass at least one (name, counts, classes).")
    panels = [in_order(panel) for panel in panels]
    k = max(len(classes) for _, _, classes in panels)
    columns = min(len(panels), 3 if k <= 6 else 2 if k <= 11 else 1)
    rows = -(-len(panels) // columns)
    side = (WIDTH - 1.2) / max(columns, 2 if k <= 11 else 1)
    figure, axes = canvas(rows, columns, height=rows * (side + 1.0) + 0.4, title=title)
    for ax, (name, counts, classes) in zip(axes.flat, panels):
        _confusion_panel(ax, counts, classes, unit=unit)
        ax.set_title(word(name))
    hide_rest(axes, len(panels))
    figure.data = confusion_table(panels)
    return figure


def in_order(panel: tuple[str, np.ndarray, Sequence[str]]) -> tuple[str, np.ndarray, list[str]]:
    """A confusion matrix with its classes in the order of the schema, as on all other figures."""
    name, counts, classes = panel
    counts = _square(counts, classes)
    place = {emotion: at for at, emotion in enumerate(EMOTIONS)}
    order = sorted(range(len(classes)), key=lambda at: place.get(str(classes[at]).partition("_")[0], len(place)))
    return name, counts[np.ix_(order, order)], [classes[at] for at in order]


def confusion_table(panels: Sequence[tuple[str, np.ndarray, Sequence[str]]]) -> pd.DataFrame:
    """Counts of confusion matrices, one row a matrix and true class, one column a predicted class."""
    tables = []
    for name, counts, classes in panels:
        table = pd.DataFrame(counts, columns=[word(one) for one in classes])
        tables.append(table.assign(matrix=word(name), truth=list(table.columns)))
    joined = pd.concat(tables, ignore_index=True)
    predicted = [name for name in joined.columns if name not in ("matrix", "truth")]
    named = joined[predicted].add_prefix("taken for ")
    return joined[["matrix", "truth"]].rename(columns={"truth": "true class"}).join(named)


def confusions_alt(panels: Sequence[tuple[str, np.ndarray, Sequence[str]]]) -> str:
    """Each matrix in words: how often each class is recognised, and what it is mostly taken for."""
    return " ".join(f"{word(name)}: {_matrix_alt(*rest)}." for name, *rest in map(in_order, panels))


def _matrix_alt(counts: np.ndarray, classes: Sequence[str]) -> str:
    rates, words = _rates(counts), []
    for place, name in enumerate(classes):
        if counts[place].sum():
            others = np.where(np.arange(len(classes)) == place, -1, rates[place])
            most = int(np.argmax(others))
            wrong = f", {percent(rates[place, most])} as {word(classes[most])}" if others[most] > 0 else ""
            words.append(f"{word(name)} {percent(rates[place, place])}{wrong}")
    return "; ".join(words)


def confusion_title(name: str, counts: np.ndarray, classes: list[str]) -> str:
    """The class recognised best and the commonest confusion."""
    rates = _rates(counts)
    easy = int(np.nanargmax(np.diag(rates)))
    wrong = np.nan_to_num(np.where(np.eye(len(classes), dtype=bool), 0, rates))
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


def _rates(counts: np.ndarray) -> np.ndarray:
    """Share of each row's total, (k, k); NaN in a row without clips."""
    total = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)


def _confusion_panel(ax: Axes, counts: np.ndarray, classes: Sequence[str], *, unit: str = "clips") -> None:
    """Tiles with "per cent, clips" each; a class without clips stays empty."""
    total, rates = counts.sum(axis=1), 100 * _rates(counts)
    texts = [[f"{rate:.0f}\n{n:.0f}" if n else "" for rate, n in zip(*row)] for row in zip(rates, counts)]
    names = [word(name) for name in classes]
    rows = [f"{name} ({n:.0f})" for name, n in zip(names, total)]
    heat_map(ax, pd.DataFrame(rates, rows, names), texts, limits=(0, 100), rotation=45)
    ax.set_aspect("equal", anchor="N")
    ax.set(xlabel=f"predicted class\n(% of the true class; {unit} below)", ylabel=f"true class ({unit})")
