"""The student projects in two figures: what they published, what their models give here, what our system gives and
what is left of it on new speakers; and each system under five protocols."""

from __future__ import annotations

from collections.abc import Collection

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.plotting.marks import above, beside, need, row_axis, score_axis, score_text, whisker
from ser_study.plotting.palette import GREY, INK, PAPER, STUDY_COLOURS, canvas, styled
from ser_study.wording import listed, span, word

COLUMNS = ("id", "published", "rebuild", "ours", "wilson_low", "wilson_high", "honest", "honest_low", "honest_high")
SHIFTS = {"published": 42, "rebuild": 92, "ours": 136, "honest": 186}  # pt right of the axes
LEAKY, HONEST = STUDY_COLOURS["random"], STUDY_COLOURS["speaker_independent"]
PROTOCOLS = {  # protocol → marker, colour, pt right of the axes
    "baseline_list": ("o", LEAKY, 36),
    "baseline_fresh": (".", LEAKY, 80),
    "baseline_sentences": ("s", STUDY_COLOURS["sentence_independent"], 128),
    "baseline_speakers": ("o", HONEST, 176),
    "baseline_corpora": ("D", STUDY_COLOURS["cross_corpus"], 218),
}
GROUP_GAP = 0.5  # rows between two projects


@styled
def overview(table: pd.DataFrame, *, title: str) -> Figure:
    """One row a project: published and rebuilt (hollow), ours on the same list, ours on new speakers.

    Parameters
    ----------
    table : the accuracy rows of ``baselines.csv``; a missing score is left out

    Raises
    ------
    ValueError
        A column is missing or there is no row.
    """
    need(table, COLUMNS, what="baselines")
    figure, axes = canvas(1, 1, height=1.9 + 0.52 * len(table), title=title)
    ax = axes[0, 0]
    for y, row in enumerate(table.itertuples()):
        _overview_row(ax, y, row)
    row_axis(ax, [word(name).replace(", ", "\n", 1) for name in table["id"]])
    score_axis(ax, metric="Accuracy on the list; UAR on new speakers")
    headings = {"published": "pub-\nlished", "rebuild": "rebuilt", "ours": "ours", "honest": "ours, new\nspeakers"}
    for name, shift in SHIFTS.items():
        above(ax, headings[name], shift=shift, ha="right")
    figure.legend(handles=_overview_key(), loc="outside lower left", ncols=4, handletextpad=0.4)
    return figure


def overview_title(table: pd.DataFrame, *, speaker_disjoint: Collection[str] = ()) -> str:
    """Above how many bars our system is, and how much lower its UAR is on new speakers.

    Parameters
    ----------
    table : as ``overview`` takes it, with ``verdict`` and ``list_uar``; UAR is compared with UAR, not with accuracy
    speaker_disjoint : ids of projects whose own list has no speaker on both sides; they do not count for the drop
    """
    passed = int((table["verdict"] != "missed").sum())
    drop = 100 * (table["list_uar"] - table["honest"])[~table["id"].isin(speaker_disjoint)]
    text = f"Our system is above the bar, a published or a rebuilt score, on {passed} of {len(table)} lists"
    if drop.empty:
        return text
    return f"{text}; on new speakers its UAR is {span(drop)} points lower than on lists that share speakers"


def seeds_note(table: pd.DataFrame) -> str:
    """How many trainings the scores of the figure are means over, of ours and of the rebuilt models.

    Parameters
    ----------
    table : as ``overview`` takes it, with ``n_seeds`` and ``rebuild_seeds``
    """
    n_seeds = int(table["n_seeds"].max())
    fewer = table[table["rebuild_seeds"] < n_seeds]
    text = f"Scores on the list: mean over {n_seeds} training seeds"
    if fewer.empty:
        return f"{text}."
    few = int(fewer["rebuild_seeds"].max())
    return f"{text}; of the rebuilt models of {listed(fewer['id'])}, {'one' if few == 1 else few} only."


def _overview_row(ax: Axes, y: float, row) -> None:
    ax.plot([row.honest, row.ours], [y, y], color=GREY, alpha=0.45, linewidth=5, solid_capstyle="butt", zorder=1)
    whisker(ax, y, row.wilson_low, row.wilson_high, colour=LEAKY)
    whisker(ax, y, row.honest_low, row.honest_high, colour=HONEST)
    dot = {"markersize": 7, "zorder": 3, "clip_on": False}
    ax.plot(row.published, y, "|", color=INK, markersize=15, mew=2.2, zorder=4, clip_on=False)
    ax.plot(row.rebuild, y, "D", color=INK, markerfacecolor=PAPER, mew=1.5, **dot | {"markersize": 6})
    ax.plot(row.ours, y, "o", color=LEAKY, markerfacecolor=PAPER, mew=1.8, **dot)
    ax.plot(row.honest, y, "o", color=HONEST, **dot)
    for name, shift in SHIFTS.items():
        strong = {"fontweight": "bold"} if name == "honest" else {}
        beside(ax, y, score_text(getattr(row, name)), shift=shift, ha="right", **strong)


def _overview_key() -> list[Line2D]:
    none = {"linestyle": "none"}
    hollow = none | {"markerfacecolor": "none"}
    return [
        Line2D([], [], color=INK, marker="|", markersize=13, mew=2.2, label="published", **none),
        Line2D([], [], color=INK, marker="D", markersize=6, label="their model, rebuilt", **hollow),
        Line2D([], [], color=LEAKY, marker="o", markersize=7, label="ours, published list", **hollow),
        Line2D([], [], color=HONEST, marker="o", markersize=7, label="ours, new speakers", **none),
    ]


@styled
def protocols(table: pd.DataFrame, *, title: str) -> Figure:
    """One row a system: its UAR on the list (hollow), on fresh splits, new sentences, new speakers, another corpus.

    Parameters
    ----------
    table : one line an ``id``, ``system`` and ``protocol`` with ``value, low, high``; a missing one is left out

    Raises
    ------
    ValueError
        A column is missing or there is no row.
    """
    need(table, ("id", "system", "protocol", "value", "low", "high"), what="protocols")
    places, headings = _grouped_rows(table)
    last = max(places.values())
    figure, axes = canvas(1, 1, height=1.9 + 0.3 * (last + 1), title=title)
    ax = axes[0, 0]
    for (name, system), y in places.items():
        part = table[(table["id"] == name) & (table["system"] == system)].set_index("protocol")
        _protocol_row(ax, y, part, strong=system == "ours")
    row_axis(ax, [word(system) for _, system in places], places=list(places.values()))
    ax.set_ylim(last + 0.5, -0.6)
    gutter = 10 + 5.2 * max(len(word(system)) for _, system in places)  # pt
    for name, y in headings.items():
        beside(ax, y, word(name), x=0, shift=-gutter, fontweight="bold")
    score_axis(ax)
    columns = ("list", "fresh\nsplits", "new sen-\ntences", "new\nspeakers", "another\ncorpus")
    for heading, (_, _, shift) in zip(columns, PROTOCOLS.values()):
        above(ax, heading, shift=shift, ha="right")
    figure.legend(handles=[_dot(name) for name in PROTOCOLS], loc="outside lower left", ncols=5, handletextpad=0.4)
    return figure


def _grouped_rows(table: pd.DataFrame) -> tuple[dict[tuple[str, str], float], dict[str, float]]:
    """Places of the (id, system) rows, and of the heading over each project's rows."""
    places, headings, y = {}, {}, 0.0
    for name, part in table.groupby("id", sort=False):
        headings[name] = y
        for system in dict.fromkeys(part["system"]):
            y += 1
            places[name, system] = y
        y += 1 + GROUP_GAP
    return places, headings


def _protocol_row(ax: Axes, y: float, part: pd.DataFrame, *, strong: bool) -> None:
    ax.plot([part["value"].min(), part["value"].max()], [y, y], color=GREY, alpha=0.45, linewidth=5, zorder=1)
    for name, (_, colour, shift) in PROTOCOLS.items():
        if name not in part.index:
            beside(ax, y, "–", shift=shift, ha="right")
            continue
        one = part.loc[name]
        whisker(ax, y, one["low"], one["high"], colour=colour)
        dot = _dot(name)
        dot.set(xdata=[one["value"]], ydata=[y], zorder=3, clip_on=False)
        ax.add_line(dot)
        beside(ax, y, score_text(one["value"]), shift=shift, ha="right", **({"fontweight": "bold"} if strong else {}))


def _dot(name: str) -> Line2D:
    """The mark of a protocol, as in the key."""
    marker, colour, _ = PROTOCOLS[name]
    face = PAPER if name == "baseline_list" else colour
    style = {"color": colour, "markerfacecolor": face, "markersize": 7, "mew": 1.6, "linestyle": "none"}
    return Line2D([], [], marker=marker, label=word(name), **style)
