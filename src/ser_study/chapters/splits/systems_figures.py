"""Figures of several systems on the ladder: their scores by protocol, and their ranks; all from plain tables.

Conventions
-----------
A score is a share between 0 and 1. ``chance`` and ``listeners`` map a corpus to a score; a missing one has no line.
"""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study import features
from ser_study.chapters.splits import systems_text as text
from ser_study.plotting.marks import above, beside, hide_rest, need, row_axis, score_axis, score_text, whisker
from ser_study.plotting.palette import GREY, INK, PAPER, STUDY_COLOURS, canvas, styled
from ser_study.wording import sentence, signed, word

MARKERS = {  # protocol → marker and its size, the leakiest first
    "random": ("o", 6.5),
    "sentence_independent": ("s", 5),
    "speaker_independent": ("o", 6.5),
    "speaker_and_sentence": ("D", 5),
}
SIZES = {"equal": "equal training size", "full": "all training clips"}
GAP = 2.0  # rows from the last of a corpus to the first of the next, with its name between


@styled
def ladder(scores: pd.DataFrame, chance: Mapping[str, float], listeners: Mapping[str, float]) -> Figure | None:
    """Every system under four protocols, one row each, corpora one under the other; None without scores.

    Left at equal training size, right with all training clips; the bar runs from the random split to new speakers.

    Parameters
    ----------
    scores : of ``systems.ladder``
    """
    if scores.empty:
        return None
    need(scores, ("corpus", "feature", "model", "protocol", "size", "value", "low", "high"), what="ladder of systems")
    rows, corpora = _rows(scores)
    height = 1.5 + 0.235 * (max(rows.values()) + 1)
    figure, axes = canvas(1, 2, height=height, title=text.ladder_title(scores), sharey=True)
    for ax, (size, meaning) in zip(axes.flat, SIZES.items()):
        for key, own in scores[scores["size"] == size].groupby(["corpus", "feature", "model"], sort=False):
            _system_row(ax, rows[key], own.set_index("protocol"))
        for corpus, (top, bottom) in corpora.items():
            _level(ax, chance.get(corpus), (top, bottom), ":")
            _level(ax, listeners.get(corpus), (top, bottom), "-")
        row_axis(ax, [text.system(*key[1:]) for key in rows], places=list(rows.values()))
        ax.set_ylim(max(rows.values()) + 0.7, -1.6)
        score_axis(ax)
        ax.set_title(sentence(meaning), pad=16)
        above(ax, "change", shift=30, ha="right")
    for label, key in zip(axes[0, 0].get_yticklabels(), rows):
        label.set_fontweight("bold" if features.is_pretrained(key[1]) else "normal")
    gutter = 8 + 5.4 * max(len(text.system(*key[1:])) for key in rows)  # pt
    for corpus, (top, _) in corpora.items():
        beside(axes[0, 0], top - 0.45, word(corpus), x=0, shift=-gutter, fontweight="bold", fontsize=10)
    figure.legend(handles=_key(bool(listeners)), loc="outside lower left", ncols=3, handletextpad=0.4)
    return figure


def _rows(scores: pd.DataFrame) -> tuple[dict[tuple[str, str, str], float], dict[str, tuple[float, float]]]:
    """(corpus, feature, model) → its row, and corpus → top and bottom of its rows."""
    rows, corpora, y = {}, {}, 0.0
    keys = list(dict.fromkeys(scores[["corpus", "feature", "model"]].itertuples(index=False, name=None)))
    for corpus in dict.fromkeys(key[0] for key in keys):
        own = [key for key in keys if key[0] == corpus]
        rows |= {key: y + place for place, key in enumerate(own)}
        corpora[corpus] = (y - 0.5, y + len(own) - 0.5)
        y += len(own) + GAP - 0.5
    return rows, corpora


def _system_row(ax: Axes, y: float, by_protocol: pd.DataFrame) -> None:
    value = by_protocol["value"]
    if {"random", "speaker_independent"} <= set(value.index):
        ends = [value["speaker_independent"], value["random"]]
        ax.plot(ends, [y, y], color=GREY, alpha=0.4, linewidth=5, solid_capstyle="butt", zorder=1)
        beside(ax, y, signed(100 * (ends[0] - ends[1])), shift=30, ha="right", fontweight="bold")
        row = by_protocol.loc["speaker_independent"]
        whisker(ax, y, row["low"], row["high"], colour=STUDY_COLOURS["speaker_independent"])
    for protocol, (marker, size) in MARKERS.items():
        if protocol in value.index:
            tone = STUDY_COLOURS[protocol]
            face = PAPER if protocol == "random" else tone
            style = {"color": tone, "markerfacecolor": face, "markersize": size, "mew": 1.6}
            ax.plot(value[protocol], y, marker, **style, zorder=3, clip_on=False)


def _level(ax: Axes, value: float | None, span: tuple[float, float], line: str) -> None:
    if value is not None:
        ax.plot([value, value], span, color=INK, linestyle=line, linewidth=1.3, zorder=1.5)


def _key(with_listeners: bool) -> list[Line2D]:
    handles = []
    for protocol, (marker, size) in MARKERS.items():
        tone = STUDY_COLOURS[protocol]
        face = PAPER if protocol == "random" else tone
        label = word(protocol) + (", with interval" if protocol == "speaker_independent" else "")
        look = {"color": tone, "marker": marker, "markersize": size, "markerfacecolor": face, "mew": 1.6}
        handles.append(Line2D([], [], linestyle="none", label=label, **look))
    handles.append(Line2D([], [], color=INK, linewidth=1.3, linestyle=":", label="chance"))
    if with_listeners:
        handles.append(Line2D([], [], color=INK, linewidth=1.3, label="one listener"))
    return handles


@styled
def ranks(table: pd.DataFrame) -> Figure | None:
    """Mean ranks of the systems on new speakers, one panel a corpus; None without ranks.

    Each bar is as long as the critical difference: two systems differ where their bars do not overlap.

    Parameters
    ----------
    table : of ``systems.ranks``
    """
    if table.empty:
        return None
    need(table, ("corpus", "feature", "model", "rank", "critical_difference"), what="rank")
    corpora = list(dict.fromkeys(table["corpus"]))
    columns = min(len(corpora), 2)
    n_rows = -(-len(corpora) // columns)
    most = int(table.groupby("corpus").size().max())
    height = 0.8 + (0.95 + 0.24 * most) * n_rows
    figure, axes = canvas(n_rows, columns, height=height, title=text.ranks_title(table))
    for ax, corpus in zip(axes.flat, corpora):
        own = table[table["corpus"] == corpus].sort_values("rank", kind="stable")
        for y, row in enumerate(own.itertuples()):
            reach = row.critical_difference / 2
            tone = STUDY_COLOURS["speaker_independent"] if features.is_pretrained(row.feature) else GREY
            whisker(ax, y, row.rank - reach, row.rank + reach, colour=tone, width=3)
            ax.plot(row.rank, y, "o", color=tone, markersize=6, zorder=3)
            beside(ax, y, f"{row.rank:.1f}")
        row_axis(ax, [text.system(row.feature, row.model) for row in own.itertuples()])
        ax.set_xlim(0.4 - table["critical_difference"].max() / 2, most + 0.6 + table["critical_difference"].max() / 2)
        ax.set_xticks(range(1, most + 1))
        ax.set_xlabel("mean rank (number)")
        ax.set_title(word(corpus))
    hide_rest(axes, len(corpora))
    return figure


@styled
def leaks(table: pd.DataFrame) -> Figure | None:
    """Score with each declared leak beside the score without it, one row a corpus and leak; None without any.

    Parameters
    ----------
    table : of ``systems.leaks``
    """
    if table.empty:
        return None
    need(table, ("corpus", "leak", "without", "with", "difference"), what="leak")
    ordered = table.sort_values("leak", kind="stable")
    height = 1.3 + 0.25 * len(ordered)
    figure, axes = canvas(1, 1, height=height, title=text.leaks_title(table))
    ax = axes[0, 0]
    for y, row in enumerate(ordered.itertuples(index=False)):
        score, leaking = row[ordered.columns.get_loc("without")], row[ordered.columns.get_loc("with")]
        ax.plot([score, leaking], [y, y], color=GREY, alpha=0.4, linewidth=5, solid_capstyle="butt", zorder=1)
        ax.plot(leaking, y, "o", color=STUDY_COLOURS["random"], markerfacecolor=PAPER, markersize=7, mew=1.8)
        ax.plot(score, y, "o", color=STUDY_COLOURS["speaker_independent"], markersize=6)
        for words, shift in ((score_text(score), 40), (score_text(leaking), 84)):
            beside(ax, y, words, shift=shift, ha="right")
        beside(ax, y, signed(100 * row.difference), shift=130, ha="right", fontweight="bold")
    row_axis(ax, [f"{word(row.leak)}: {word(row.corpus)}" for row in ordered.itertuples()])
    score_axis(ax)
    for heading, shift in (("without", 40), ("with", 84), ("change\n(points)", 130)):
        above(ax, heading, shift=shift, ha="right")
    return figure
