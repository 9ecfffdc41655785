"""Scores in detail: by threshold, by speaker, by amount of training, and on shuffled labels; all from plain tables.

Conventions
-----------
A score is a share between 0 and 1. ``low`` and ``high`` bound its interval and are NaN where none is known.
``chance`` and ``human`` map a corpus to a score; a corpus that is missing gets no line.
``title`` states the finding. Names of models, features and protocols are those of the registries.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from ser_study.report.marks import (
    above,
    beside,
    chance_line,
    chance_text,
    hide_rest,
    need,
    row_axis,
    score_axis,
    score_text,
    spread,
    whisker,
)
from ser_study.report.palette import GREY, INK, MARKERS, STUDY_COLOURS, WIDTH, canvas, class_colour, colours, styled
from ser_study.words import word

CHANCE_LOOK = {"color": INK, "linestyle": ":", "linewidth": 1.4}
REST_LOOK = {"color": GREY, "linewidth": 0.9, "alpha": 0.6}


@styled
def roc(table: pd.DataFrame, *, title: str) -> Figure:
    """ROC curves of each class against all others: one panel a corpus, diagonal at chance.

    Of each panel the best, the middle and the worst class by AUC are in colour with their AUC, the others in grey.

    Parameters
    ----------
    table : ``corpus, class, auc, false_positive_rate, true_positive_rate``, one row a point
    """
    need(table, ("corpus", "class", "auc", "false_positive_rate", "true_positive_rate"), what="ROC")
    corpora = list(dict.fromkeys(table["corpus"]))
    columns = min(len(corpora), 3)
    rows = -(-len(corpora) // columns)
    side = WIDTH / max(columns, 2) - 0.5
    figure, axes = canvas(rows, columns, height=rows * (side + 1.4) + 0.8, title=title)
    for ax, corpus in zip(axes.flat, corpora):
        _roc_panel(ax, table[table["corpus"] == corpus])
        ax.set_title(word(corpus))
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])
        ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel="other clips taken for it (0–1)")
    for ax in axes[:, 0]:
        ax.set_ylabel("clips of the class found (0–1)")
    hide_rest(axes, len(corpora))
    key = [Line2D([], [], label="chance", **CHANCE_LOOK), Line2D([], [], label="other classes", **REST_LOOK)]
    figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure


def _roc_panel(ax: Axes, table: pd.DataFrame) -> None:
    """Curves of one corpus; those in colour also differ by dashes. The legend stands below: curves may run anywhere."""
    ranked = table.groupby("class", sort=False)["auc"].first().sort_values(ascending=False, kind="stable")
    shown = dict(zip(ranked.index[np.unique([0, (len(ranked) - 1) // 2, len(ranked) - 1])], ("-", "--", "-.")))
    ax.plot([0, 1], [0, 1], **CHANCE_LOOK)
    for name in [*(other for other in ranked.index if other not in shown), *shown]:
        curve = _thinned(table[table["class"] == name])
        look = REST_LOOK
        if name in shown:
            look = {"color": class_colour(name), "linestyle": shown[name], "linewidth": 1.8}
            look["label"] = f"{word(name)}, AUC {score_text(ranked[name])}"
        ax.plot(curve["false_positive_rate"], curve["true_positive_rate"], **look)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0, borderpad=0, handlelength=2.6)


def _thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """At most two hundred of a curve's points; thousands of steps finer than a line would only fill the page."""
    way = ((curve["false_positive_rate"] + curve["true_positive_rate"]) * 100).astype(int)  # never falls
    kept = way.diff().ne(0)
    kept.iloc[-1] = True
    return curve[kept]


@styled
def speaker_scores(table: pd.DataFrame, summary: pd.DataFrame, *, title: str, chance: float | None = None) -> Figure:
    """UAR of every speaker as a dot, with the mean over speakers and its interval; one row a group.

    Parameters
    ----------
    table : ``group, speaker, value`` and, where known, ``gender``
    summary : ``group, value, low, high``: the mean over speakers as computed elsewhere
    """
    need(table, ("group", "speaker", "value"), what="speaker score")
    need(summary, ("group", "value", "low", "high"), what="speaker summary")
    groups = list(dict.fromkeys(summary["group"]))
    figure, axes = canvas(1, 1, height=1.3 + 0.62 * len(groups), title=title)
    ax = axes[0, 0]
    gender = table["gender"].fillna("unknown") if "gender" in table else pd.Series("unknown", index=table.index)
    marks = {"female": "o", "male": "^", "unknown": "D"}
    for y, group in enumerate(groups):
        here = table[table["group"] == group]
        scatter = (np.arange(len(here)) * 0.618034 % 1 - 0.5) * 0.5 if len(here) > 3 else np.zeros(len(here))
        for name, mark in marks.items():
            chosen = (gender[here.index] == name).to_numpy()
            ax.plot(here["value"][chosen], y + 0.14 + scatter[chosen], mark, color=STUDY_COLOURS[name],
                    alpha=0.75, markersize=5.5, mew=0)  # fmt: skip
        row = summary[summary["group"] == group].iloc[0]
        whisker(ax, y - 0.3, row["low"], row["high"], colour=INK, width=2)
        ax.plot(row["value"], y - 0.3, "s", color=INK, markersize=5.5)
        beside(ax, y, f"pooled {score_text(row['value'])}", shift=4)
    row_axis(ax, [word(group) for group in groups])
    score_axis(ax, metric="UAR of one speaker")
    chance_line(ax, chance)
    dots = [
        Line2D([], [], color=STUDY_COLOURS[name], marker=mark, linestyle="none", label=f"a {name} speaker")
        for name, mark in marks.items()
        if (gender == name).any() and name != "unknown"
    ]
    mean = Line2D([], [], color=INK, marker="s", markersize=5.5, label="pooled UAR with interval")
    figure.legend(handles=[*dots, mean], loc="outside lower left", ncols=3)
    return figure


@styled
def learning_curve(table: pd.DataFrame, *, title: str, chance: Mapping[str, float] | None = None) -> Figure:
    """UAR on new speakers against the number of training speakers: one panel a corpus, one line a model.

    Parameters
    ----------
    table : ``corpus, model, n_speakers, value, low, high``
    """
    need(table, ("corpus", "model", "n_speakers", "value", "low", "high"), what="learning curve")
    corpora, tones = list(dict.fromkeys(table["corpus"])), colours(table["model"])
    columns = min(len(corpora), 2)
    rows = -(-len(corpora) // columns)
    figure, axes = canvas(rows, columns, height=0.6 + 2.7 * rows, title=title, sharey=True)
    top = min(1.02, float(np.nanmax(table[["value", "high"]].to_numpy())) + 0.08)
    shown = np.arange(0, top, 0.1 if top < 0.7 else 0.25)
    for ax in axes[:, 0]:
        ax.set_ylabel("UAR (0–1)")
    for ax, corpus in zip(axes.flat, corpora):
        _curve_panel(ax, table[table["corpus"] == corpus].sort_values("n_speakers"), tones, top)
        ax.set_yticks(shown, [score_text(value) if value else "0" for value in shown])
        ax.set(ylim=(0, top), title=word(corpus), xlabel="training speakers (number)")
        level = (chance or {}).get(corpus)
        if level is not None:
            ax.axhline(level, color=INK, linestyle=":", linewidth=1.4)
            beside(ax, level, chance_text(level), shift=-4, ha="right", va="top")
    hide_rest(axes, len(corpora))
    return figure


def _curve_panel(ax: Axes, table: pd.DataFrame, tones: Mapping[str, str], top: float) -> None:
    lines = list(table.groupby("model", sort=False))
    ends = spread([line["value"].iloc[-1] for _, line in lines], gap=0.085 * top)
    aside = ax.get_yaxis_transform() + ScaledTranslation(8 / 72, 0, ax.figure.dpi_scale_trans)  # 8 pt
    for rank, (end, (model, line)) in enumerate(zip(ends, lines)):
        look = {"marker": MARKERS[rank % len(MARKERS)], "color": tones[model], "markersize": 5}
        ax.fill_between(line["n_speakers"], line["low"], line["high"], color=tones[model], alpha=0.2, linewidth=0)
        ax.plot(line["n_speakers"], line["value"], **look)
        ax.plot(1, end, clip_on=False, transform=aside, **look)
        beside(ax, end, word(model), shift=16)
    sizes = sorted(table["n_speakers"].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [f"{size:g}" for size in sizes])
    ax.minorticks_off()
    ax.grid(axis="y")


@styled
def null(permuted: Mapping[str, np.ndarray], observed: Mapping[str, float], *, title: str, chance: float) -> Figure:
    """Scores on shuffled labels against the score on the true ones: one row a protocol.

    Parameters
    ----------
    permuted : protocol → (n,) UAR of each repeat with shuffled labels
    observed : protocol → UAR with the true labels
    """
    if not permuted or any(len(scores) == 0 for scores in permuted.values()):
        raise ValueError(f"No scores on shuffled labels for {', '.join(permuted) or 'any protocol'}; run the control.")
    figure, axes = canvas(1, 1, height=1.25 + 0.5 * len(permuted), title=title)
    ax, tones = axes[0, 0], colours(permuted)
    for y, (name, scores) in enumerate(permuted.items()):
        scores = np.sort(np.asarray(scores, dtype=float))
        whisker(ax, y, scores[0], scores[-1], colour=GREY, width=1)
        scatter = (np.arange(len(scores)) * 0.618034 % 1 - 0.5) * 0.4
        ax.plot(scores, y + scatter, "o", color=GREY, markersize=4, alpha=0.8, mew=0)
        if name in observed:
            ax.plot(observed[name], y, "D", color=tones[name], markersize=7.5)
            place = {"textcoords": "offset points", "va": "center"}
            ax.annotate(score_text(observed[name]), (observed[name], y), (8, 0), **place)
        beside(ax, y, f"{score_text(scores[0])} to {score_text(scores[-1])}")
    row_axis(ax, [word(name) for name in permuted])
    score_axis(ax)
    chance_line(ax, chance)
    above(ax, "shuffled")
    key = [
        Line2D([], [], color=GREY, marker="o", markersize=4, label="labels shuffled, one dot a repeat"),
        Line2D([], [], color=INK, marker="D", linestyle="none", label="true labels"),
    ]
    figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure
