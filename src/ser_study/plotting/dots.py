"""The two central figures of the study: what a split costs, per model (inflation) and per protocol (ladder).

Conventions
-----------
A score is a share between 0 and 1. ``low`` and ``high`` bound its interval and are NaN where none is known.
``chance`` and ``human`` map a corpus to a score; a corpus that is missing gets no line.
``title`` states the finding. Names of models and protocols are those of the registries.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.plotting.marks import (
    above,
    beside,
    chance_text,
    hide_rest,
    need,
    row_axis,
    score_axis,
    score_text,
    whisker,
)
from ser_study.plotting.palette import BESIDE_LADDER, GREY, INK, PAPER, PROTOCOLS, STUDY_COLOURS, canvas, styled
from ser_study.wording import signed, word

LESS_STRICT = {  # protocol → the ones one step less strict; new sentences and new speakers are two branches
    "random_augmented": (),
    "random": ("random_augmented",),
    "take_disjoint": ("random",),
    "sentence_independent": ("take_disjoint",),
    "speaker_independent": ("take_disjoint",),
    "speaker_and_sentence": ("sentence_independent", "speaker_independent"),
}


@styled
def inflation(
    table: pd.DataFrame,
    *,
    title: str,
    chance: Mapping[str, float],
    human: Mapping[str, float] | None = None,
    notes: Mapping[str, str] | None = None,
) -> Figure:
    """How far a score falls when the test speakers are new: one row a corpus and model.

    Parameters
    ----------
    table : ``corpus, model, protocol, value, low, high``; protocols ``random`` and ``speaker_independent``
    notes : corpus → a few words behind its name

    Raises
    ------
    ValueError
        A column is missing, or a corpus and model lack one of the two protocols or hold it twice.
    """
    pairs = _pairs(table)
    corpora = list(dict.fromkeys(corpus for corpus, _ in pairs))
    figure, axes = canvas(1, 1, height=1.1 + 0.26 * (len(pairs) + 2.2 * len(corpora)), title=title)
    ax, y, ticks = axes[0, 0], 0.0, {}
    gutter = 8 + 5.6 * max(len(word(model)) for _, model in pairs)  # pt
    for corpus in corpora:
        beside(ax, y, word(corpus), x=0, shift=-gutter, fontweight="bold", fontsize=10.5)
        beside(ax, y, (notes or {}).get(corpus, ""), x=0, shift=max(4, 7.8 * len(word(corpus)) + 8 - gutter))
        rows = [pair for pair in pairs if pair[0] == corpus]
        for row, pair in enumerate(rows, start=1):
            _dumbbell(ax, y + row, *pairs[pair])
            ticks[y + row] = word(pair[1])
        _levels(ax, (y + 0.5, y + len(rows) + 0.5), chance.get(corpus), (human or {}).get(corpus))
        y += len(rows) + 2.2
    row_axis(ax, list(ticks.values()), places=list(ticks))
    ax.set_ylim(y - 0.9, -0.6)
    score_axis(ax)
    for heading, shift in (("random\nsplit", 40), ("new\nspeakers", 94), ("change\n(points)", 144)):
        above(ax, heading, shift=shift, ha="right")
    figure.legend(handles=_inflation_key(), loc="outside lower left", ncols=4, handletextpad=0.4)
    return figure


def _pairs(table: pd.DataFrame) -> dict[tuple[str, str], tuple[pd.Series, pd.Series]]:
    """(corpus, model) → its random and its speaker-independent row."""
    need(table, ("corpus", "model", "protocol", "value", "low", "high"), what="inflation")
    pairs = {}
    for key, rows in table.groupby(["corpus", "model"], sort=False):
        by_protocol = rows.set_index("protocol")
        if sorted(by_protocol.index) != ["random", "speaker_independent"]:
            raise ValueError(
                f"{key[0]} with {key[1]} needs one row each for random and speaker_independent, "
                f"found {', '.join(map(str, by_protocol.index))}; filter the scores to one feature and metric."
            )
        pairs[key] = (by_protocol.loc["random"], by_protocol.loc["speaker_independent"])
    return pairs


def _dumbbell(ax: Axes, y: float, leaky: pd.Series, honest: pd.Series) -> None:
    """Random split (hollow) and new speakers (filled), their intervals, values and difference."""
    ax.plot([honest.value, leaky.value], [y, y], color=GREY, alpha=0.45, linewidth=5, solid_capstyle="butt", zorder=1)
    honest_tone, leaky_tone = STUDY_COLOURS["speaker_independent"], STUDY_COLOURS["random"]
    for score, colour, face, shift in ((leaky, leaky_tone, PAPER, 40), (honest, honest_tone, honest_tone, 94)):
        whisker(ax, y, score.low, score.high, colour=colour)
        ax.plot(score.value, y, "o", color=colour, markerfacecolor=face, markersize=7, mew=1.8, zorder=3, clip_on=False)
        beside(ax, y, score_text(score.value), shift=shift, ha="right")
    points = 100 * (honest.value - leaky.value)
    beside(ax, y, signed(points), shift=144, ha="right", fontweight="bold", fontsize=10)


def _levels(
    ax: Axes, span: tuple[float, float], chance: float | None, human: float | None, *, room: float = 0.5
) -> None:
    """Chance and human level as upright lines, labelled below; one under the other if nearer than ``room``."""
    known = [value is not None and np.isfinite(value) for value in (chance, human)]
    if known[0]:
        ax.plot([chance, chance], span, color=INK, linestyle=":", linewidth=1.4, zorder=1.5)
        _foot(ax, chance, span[1], chance_text(chance))
    if known[1]:
        ax.plot([human, human], span, color=INK, linewidth=1.4, zorder=1.5)
        _foot(ax, human, span[1], f"listeners {score_text(human)}", lower=known[0] and abs(human - chance) < room)


def _foot(ax: Axes, value: float, y: float, text: str, *, lower: bool = False) -> None:
    ax.annotate(text, (value, y), (0, -12 if lower else -1), textcoords="offset points", ha="center", va="top")


def _inflation_key() -> list[Line2D]:
    leaky, honest = STUDY_COLOURS["random"], STUDY_COLOURS["speaker_independent"]
    dot = {"linestyle": "-", "linewidth": 1.6, "marker": "o", "markersize": 7}
    return [
        Line2D([], [], color=leaky, markerfacecolor="none", mew=1.8, label="random split with interval", **dot),
        Line2D([], [], color=honest, label="new speakers with interval", **dot),
        Line2D([], [], color=INK, linewidth=1.4, label="human listeners"),
        Line2D([], [], color=INK, linewidth=1.4, linestyle=":", label="chance"),
    ]


def inflation_title(pairs: pd.DataFrame) -> str:
    """By how much the random split flatters, over corpora and models."""
    wide = pairs.pivot_table(index=["corpus", "model"], columns="protocol", values="value", sort=False)
    gap = 100 * (wide["random"] - wide["speaker_independent"])
    corpus = gap.groupby("corpus", sort=False).median()
    if len(corpus) == 1:
        return f"A random split flatters every model by {gap.min():.0f} to {gap.max():.0f} points"
    low, high = corpus.idxmin(), corpus.idxmax()
    return (
        f"A random split flatters the median model by {corpus[low]:.0f} points on {word(low)} and by "
        f"{corpus[high]:.0f} on {word(high)}"
    )


def inflation_caption(pairs: pd.DataFrame) -> str:
    """Which features, and what the bars are."""
    return (
        f"UAR; features: {word(pairs['feature'].iloc[0])}. Bars: 95 % intervals over speakers; with three speakers or "
        "fewer they cover clips of these voices only."
    )


@styled
def ladder(
    table: pd.DataFrame, *, title: str, chance: Mapping[str, float], human: Mapping[str, float] | None = None
) -> Figure:
    """What each protocol costs: one panel a corpus, one row a protocol, the strictest below.

    Parameters
    ----------
    table : ``corpus, protocol, size, value, low, high``; ``size`` is ``equal`` (training sets of equal size,
        filled and joined) or ``full`` (hollow); protocols as in ``palette.PROTOCOLS``

    Raises
    ------
    ValueError
        A column is missing, or a protocol or size is unknown.
    """
    need(table, ("corpus", "protocol", "size", "value", "low", "high"), what="ladder")
    for column, allowed in (("protocol", PROTOCOLS), ("size", ("equal", "full"))):
        if unknown := set(table[column]) - set(allowed):
            raise ValueError(f"The ladder table has {column} {sorted(unknown)}; known: {', '.join(allowed)}.")
    protocols = [protocol for protocol in PROTOCOLS if protocol in set(table["protocol"])]
    place = {protocol: i + 0.4 * (protocol in BESIDE_LADDER) for i, protocol in enumerate(protocols)}
    corpora = list(dict.fromkeys(table["corpus"]))
    columns = {1: 1, 2: 2, 4: 2}.get(len(corpora), 3)
    n_rows = -(-len(corpora) // columns)
    size = (0.75 + 0.4 * len(protocols)) * n_rows + 0.75
    figure, axes = canvas(n_rows, columns, height=size, title=title, sharey=True)
    for ax, corpus in zip(axes.flat, corpora):
        _ladder_panel(ax, table[table["corpus"] == corpus], place)
        row_axis(ax, [word(protocol) for protocol in protocols], places=list(place.values()))
        ax.set_ylim(max(place.values()) + 1.35, -0.6)
        score_axis(ax)
        _levels(ax, (-0.6, max(place.values()) + 0.45), chance.get(corpus), (human or {}).get(corpus), room=1)
        ax.set_title(word(corpus))
    hide_rest(axes, len(corpora))
    key = [
        Line2D([], [], color=INK, marker="o", label="equal training size"),
        Line2D([], [], color=INK, marker="o", linestyle="none", markerfacecolor="none", label="all training clips"),
    ]
    figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure


def _ladder_panel(ax: Axes, table: pd.DataFrame, place: Mapping[str, float]) -> None:
    equal = table[table["size"] == "equal"].set_index("protocol")
    for protocol in equal.index:
        for before in _steps_before(protocol, set(equal.index)):
            ends = [equal.value[before], equal.value[protocol]], [place[before], place[protocol]]
            dashes = "--" if "sentence_independent" in (protocol, before) else "-"
            ax.plot(*ends, color=GREY, linestyle=dashes, linewidth=1.3, zorder=1)
    for row in table.itertuples():
        filled, colour = row.size == "equal", STUDY_COLOURS[row.protocol]
        y = place[row.protocol] + (0 if filled or row.protocol in BESIDE_LADDER else 0.27)
        whisker(ax, y, row.low, row.high, colour=colour, width=2 if filled else 1)
        face = colour if filled else PAPER
        ax.plot(row.value, y, "o", color=colour, markerfacecolor=face, markersize=5, zorder=3, clip_on=False)
        if filled:
            beside(ax, y, score_text(row.value), shift=6)


def _steps_before(protocol: str, present: set[str]) -> list[str]:
    """The nearest less strict protocols that were run; a missing one is stepped over."""
    before = []
    for other in LESS_STRICT.get(protocol, ()):
        before += [other] if other in present else _steps_before(other, present)
    return list(dict.fromkeys(before))
