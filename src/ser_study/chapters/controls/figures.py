"""Figures of the chapter, all from plain tables.

Conventions
-----------
A score is a share between 0 and 1; ``chance`` maps a corpus to the UAR of guessing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from ser_study.chapters.controls import encoders, markers, shuffled_text, text
from ser_study.chapters.controls.declare import GLOBAL, group_of
from ser_study.chapters.controls.shuffled import row_name
from ser_study.plotting.marks import (
    beside,
    chance_line,
    hide_rest,
    need,
    row_axis,
    score_axis,
    score_text,
    whisker,
)
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import CYCLE, GREY, INK, PAPER, STUDY_COLOURS, canvas, styled
from ser_study.wording import share, word

KIND_MARKERS = {"published": "o", "random_weights": "x", "filterbank": "s", "hand_crafted": "^"}
WRONG = "#d0480f"


@styled
def shuffled(table: pd.DataFrame, true: pd.DataFrame, chance: Mapping[str, float]) -> Figure | None:
    """Scores on shuffled labels and on the true ones: one panel a corpus, one row a split and way of shuffling.

    Parameters
    ----------
    table : of ``shuffled.scores``; empty: None is returned
    true : of ``shuffled.true_scores``
    """
    if table.empty:
        return None
    need(table, ("corpus", "protocol", "shuffle", "model", "value"), what="shuffled label")
    parts = list(table.groupby("corpus", sort=False))
    keys = ["protocol", "shuffle", "model"]
    n_rows = [len(part[keys].drop_duplicates()) for _, part in parts]
    ratios = [1.0 + 0.34 * n for n in n_rows]
    figure, axes = canvas(
        len(parts), 1, height=0.9 + sum(ratios), title=shuffled_text.title(table, chance), sharex=True,
        height_ratios=ratios,
    )  # fmt: skip
    for ax, (corpus, part) in zip(axes.flat, parts):
        known = true[true["corpus"] == corpus].set_index("protocol")["value"].to_dict()
        rows = list(part.groupby(keys, sort=False)["value"])
        for y, ((protocol, shuffle, _), values) in enumerate(rows):
            _repeats(ax, y, np.sort(values.to_numpy(float)), known.get(protocol) if shuffle != GLOBAL else None)
        row_axis(ax, [row_name(*key) for key, _ in rows])
        score_axis(ax)
        chance_line(ax, chance.get(corpus))
        ax.set_title(word(corpus), pad=14)
        ax.label_outer()
    key = [
        Line2D([], [], color=GREY, marker="o", markersize=4, linestyle="none", label="labels shuffled, a dot a repeat"),
        Line2D([], [], color=INK, marker="D", linestyle="none", label="true labels"),
    ]  # fmt: skip
    figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure


def _repeats(ax: Axes, y: float, values: np.ndarray, true: float | None) -> None:
    whisker(ax, y, values[0], values[-1], colour=GREY, width=1)
    scatter = (np.arange(len(values)) * 0.618034 % 1 - 0.5) * 0.4
    ax.plot(values, y + scatter, "o", color=GREY, markersize=3, alpha=0.7, mew=0)
    if true is not None:
        ax.plot(true, y, "D", color=INK, markersize=6, clip_on=False)
    beside(ax, y, f"mean {score_text(values.mean())}")


@styled
def matrix(table: pd.DataFrame) -> Figure | None:
    """UAR from planted markers, protocols by markers, one panel a corpus; cells that are not as declared are outlined.

    Parameters
    ----------
    table : of ``markers.matrix``; empty: None is returned
    """
    if table.empty:
        return None
    need(table, ("corpus", "protocol", "marker", "declared", "uar", "holds"), what="marker")
    parts = list(table.groupby("corpus", sort=False))
    columns = min(len(parts), 2)
    rows = -(-len(parts) // columns)
    protocols = list(dict.fromkeys(table["protocol"]))
    height = 0.8 + rows * (1.1 + 0.42 * len(protocols))
    width = 8.8 if columns > 1 else 6.4
    figure, axes = canvas(rows, columns, height=height, width=width, title=text.matrix_title(table), sharey=True)
    for ax, (corpus, part) in zip(axes.flat, parts):
        _matrix_panel(ax, part, protocols)
        ax.set_title(word(corpus))
    hide_rest(axes, len(parts))
    figure.supxlabel("planted marker; UAR (0–1)", fontsize=9)
    return figure


def _matrix_panel(ax: Axes, part: pd.DataFrame, protocols: list[str]) -> None:
    shape = {"index": "protocol", "columns": "marker"}
    order = {"index": protocols, "columns": list(markers.MARKERS)}
    values, declared, holds = (
        part.pivot(**shape, values=name).reindex(**order) for name in ("uar", "declared", "holds")
    )
    texts = [
        [f"{score_text(value)}\n{cell}" if value == value else "" for value, cell in zip(*pair)]
        for pair in zip(values.to_numpy(float), declared.to_numpy())
    ]
    named = values.astype(float).rename(index=word, columns=word)
    heat_map(ax, named, texts, limits=(0, 1), rotation=0)
    for (row, column), fits in np.ndenumerate(holds.to_numpy()):
        if fits is False or fits is np.False_:
            ax.add_patch(Rectangle((column + 0.04, row + 0.04), 0.92, 0.92, fill=False, edgecolor=WRONG, linewidth=2.5))


@styled
def weights(table: pd.DataFrame, chance: Mapping[str, float]) -> Figure | None:
    """UAR of vectors of every kind on random folds (hollow) and on new speakers (filled), one panel a corpus.

    Parameters
    ----------
    table : of ``encoders.scores``; empty: None is returned
    """
    if table.empty:
        return None
    need(table, ("corpus", "feature", "kind", "encoder", "random", "speaker_independent"), what="encoder")
    named = table.assign(group=[group_of(row) for row in table.itertuples()])
    groups = list(dict.fromkeys(named["group"]))
    parts = list(named.groupby("corpus", sort=False))
    columns = min(len(parts), 2)
    rows = -(-len(parts) // columns)
    height = 0.9 + rows * (0.9 + 0.3 * len(groups))
    figure, axes = canvas(rows, columns, height=height, title=text.weights_title(table), sharey=True)
    for ax, (corpus, part) in zip(axes.flat, parts):
        for row in part.itertuples():
            _pair(ax, groups.index(row.group), row)
        row_axis(ax, [word(name) for name in groups])
        score_axis(ax)
        chance_line(ax, chance.get(corpus))
        ax.set_title(word(corpus), pad=14)
    hide_rest(axes, len(parts))
    figure.legend(handles=_pair_key(), loc="outside lower left", ncols=2)
    return figure


def _pair(ax: Axes, y: float, row: tuple) -> None:
    leaky, honest = STUDY_COLOURS["random"], STUDY_COLOURS["speaker_independent"]
    whisker(ax, y, row.low, row.high, colour=honest, width=1.2)
    ax.plot(row.random, y, "o", color=leaky, markerfacecolor=PAPER, markersize=6, mew=1.5, zorder=3, clip_on=False)
    ax.plot(row.speaker_independent, y, "o", color=honest, markersize=6, zorder=3, clip_on=False)


def _pair_key() -> list[Line2D]:
    dot = {"marker": "o", "markersize": 6, "linestyle": "none"}
    return [
        Line2D([], [], color=STUDY_COLOURS["random"], markerfacecolor="none", mew=1.5, label="random split", **dot),
        Line2D([], [], color=STUDY_COLOURS["speaker_independent"], label="new speakers, with interval", **dot),
    ]


@styled
def identification(table: pd.DataFrame, identified: pd.DataFrame) -> Figure | None:
    """How much a random split flatters against how well the vectors name speakers and sentences: one panel each.

    Parameters
    ----------
    table : of ``encoders.scores``; empty: None is returned
    identified : of ``identification.scores``
    """
    joined = identified.merge(table[["corpus", "feature", "kind", "gap"]], on=["corpus", "feature"])
    if joined.empty:
        return None
    names = list(dict.fromkeys(joined["what"]))
    title = text.identification_title(table, identified)
    figure, axes = canvas(1, len(names), height=4.2, title=title, sharey=True)
    corpora = list(dict.fromkeys(joined["corpus"]))
    tones = dict(zip(corpora, [*CYCLE[:6], *("#f03c96", "#766733", "#6e96c0")]))
    for ax, name in zip(axes.flat, names):
        part = joined[joined["what"] == name]
        x = encoders.above_chance(part["recall"], part["classes"])
        for at, row in zip(x, part.itertuples()):
            ax.plot(at, row.gap, KIND_MARKERS[row.kind], color=tones[row.corpus], markersize=6, mew=1.5, clip_on=False)
        ax.set(xlim=(-0.12, 1.02), xlabel=f"{name} identified, above chance (0–1)")
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        ax.axhline(0, color=INK, linewidth=0.8)
        ax.grid()
    axes[0, 0].set_ylabel("UAR, random split − new speakers")
    axes[0, 0].yaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10]))
    axes[0, 0].yaxis.set_major_formatter(lambda value, _: share(value, 2) if abs(value) > 1e-9 else "0")
    kinds = [kind for kind in KIND_MARKERS if kind in set(joined["kind"])]
    handles = [Line2D([], [], color=tones[name], marker="o", linestyle="none", label=word(name)) for name in corpora]
    handles += [
        Line2D([], [], color=INK, marker=KIND_MARKERS[kind], linestyle="none", mew=1.5, label=word(kind))
        for kind in kinds
    ]
    figure.legend(handles=handles, loc="outside lower left", ncols=4)
    figure.data = joined
    return figure
