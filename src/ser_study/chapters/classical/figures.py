"""Figures of the chapter: random split and new speakers, feature × model, confusions, ROC curves, speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.chapters.classical import class_text, text
from ser_study.plotting import dots, matrices
from ser_study.plotting.marks import (
    beside,
    hide_rest,
    need,
    row_axis,
    score_axis,
    score_text,
    whisker,
)
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import GREY, INK, STUDY_COLOURS, WIDTH, canvas, class_colour, styled
from ser_study.wording import word

CHANCE_LINE = {"color": INK, "linestyle": ":", "linewidth": 1.4}
OTHER_LINE = {"color": GREY, "linewidth": 0.9, "alpha": 0.6}
SHARES = ([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".5", ".75", "1"])


def inflation(pairs: pd.DataFrame, levels: pd.DataFrame) -> Figure | None:
    """UAR on a random split and on new speakers, one row a corpus and model, beside chance and listeners.

    Parameters
    ----------
    pairs : ``tables.split_pairs``
    levels : ``tables.levels``
    """
    if pairs.empty:
        return None
    by_corpus = levels.set_index("corpus")
    notes = {one.corpus: f"{one.speakers} speakers, {one.emotions} emotions" for one in levels.itertuples()}
    chance, human = by_corpus["chance"].to_dict(), by_corpus["listener"].dropna().to_dict()
    return dots.inflation(pairs, title=dots.inflation_title(pairs), chance=chance, human=human, notes=notes)


@styled
def score_matrix(scores: pd.DataFrame) -> Figure | None:
    """UAR of each feature with each model: one panel a corpus, all on one colour scale.

    Parameters
    ----------
    scores : ``corpus, feature, model, value``; a pair that was not run is left empty
    """
    if scores.empty:
        return None
    need(scores, ("corpus", "feature", "model", "value"), what="score")
    corpora = list(dict.fromkeys(scores["corpus"]))
    wide = scores.pivot_table(index=["corpus", "feature"], columns="model", values="value", sort=False)
    features, models = list(dict.fromkeys(scores["feature"])), list(dict.fromkeys(scores["model"]))
    columns = min(len(corpora), 2)
    rows = -(-len(corpora) // columns)
    height = 0.5 + rows * (0.75 + 0.34 * len(features)) + 0.9
    figure, axes = canvas(rows, columns, height=height, title=text.matrix_title(scores), sharex=True, sharey=True)
    limits = (float(scores["value"].min()), float(scores["value"].max()))
    for ax, corpus in zip(axes.flat, corpora):
        values = wide.loc[corpus].reindex(features, columns=models).rename(index=word, columns=word)
        heat_map(ax, values, values.map(score_text).to_numpy(), limits=limits, size=10)
        ax.set_title(word(corpus))
    hide_rest(axes, len(corpora))
    for ax in axes.flat[max(len(corpora) - columns, 0) : len(corpora)]:
        ax.tick_params(labelbottom=True)
    drawn = axes.flat[0].collections[0]
    figure.colorbar(drawn, ax=list(axes.flat), label="UAR (0–1)", shrink=0.8, aspect=30).outline.set_visible(False)
    return figure


def confusions(panels: Sequence[tuple[str, np.ndarray, Sequence[str]]]) -> Figure | None:
    """Confusion matrix of the chosen system of each corpus (``classes.confusions``)."""
    return matrices.confusions(panels, title=class_text.confusion_title(panels)) if panels else None


@styled
def roc(points: pd.DataFrame) -> Figure | None:
    """ROC curves of each class against all others: one panel a corpus, diagonal at chance.

    Of each panel the best, the middle and the worst class by AUC are in colour with their AUC, the others in grey.

    Parameters
    ----------
    points : ``corpus, class, auc, false_positive_rate, true_positive_rate``, one row a point
    """
    if points.empty:
        return None
    need(points, ("corpus", "class", "auc", "false_positive_rate", "true_positive_rate"), what="ROC")
    corpora = list(dict.fromkeys(points["corpus"]))
    columns = min(len(corpora), 3)
    rows = -(-len(corpora) // columns)
    side = WIDTH / max(columns, 2) - 0.5
    figure, axes = canvas(rows, columns, height=rows * (side + 1.4) + 0.8, title=class_text.roc_title(points))
    for ax, corpus in zip(axes.flat, corpora):
        _roc_panel(ax, points[points["corpus"] == corpus])
        ax.set_title(word(corpus))
        ax.set_xticks(*SHARES)
        ax.set_yticks(*SHARES)
        ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.01), aspect="equal", xlabel="false positive rate (0–1)")
    for ax in axes[:, 0]:
        ax.set_ylabel("true positive rate (0–1)")
    hide_rest(axes, len(corpora))
    key = [Line2D([], [], label="chance", **CHANCE_LINE), Line2D([], [], label="other classes", **OTHER_LINE)]
    figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure


def _roc_panel(ax: Axes, points: pd.DataFrame) -> None:
    """Curves of one corpus; those in colour also differ by dashes. The legend stands below: curves may run anywhere."""
    ranked = points.groupby("class", sort=False)["auc"].first().sort_values(ascending=False, kind="stable")
    coloured = dict(zip(ranked.index[np.unique([0, (len(ranked) - 1) // 2, len(ranked) - 1])], ("-", "--", "-.")))
    ax.plot([0, 1], [0, 1], **CHANCE_LINE)
    for name in [*(other for other in ranked.index if other not in coloured), *coloured]:
        curve, style = points[points["class"] == name], OTHER_LINE
        if name in coloured:
            style = {"color": class_colour(name), "linestyle": coloured[name], "linewidth": 1.8}
            style["label"] = f"{word(name)}, AUC {score_text(ranked[name])}"
        ax.plot(curve["false_positive_rate"], curve["true_positive_rate"], **style)
    ax.legend(loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0, borderpad=0, handlelength=2.6)


@styled
def speaker_scores(speakers: pd.DataFrame, systems: pd.DataFrame) -> Figure | None:
    """UAR of every speaker as a dot, with the pooled UAR and its interval; one row a corpus.

    Parameters
    ----------
    speakers : ``corpus, speaker, uar`` and, where known, ``gender`` (``classes.by_speaker``)
    systems : ``corpus, value, low, high`` (``headline.chosen_systems``)
    """
    if speakers.empty:
        return None
    need(speakers, ("corpus", "speaker", "uar", "gender"), what="speaker score")
    need(systems, ("corpus", "value", "low", "high"), what="system")
    figure, axes = canvas(1, 1, height=1.3 + 0.62 * len(systems), title=class_text.speaker_title(speakers))
    ax, gender = axes[0, 0], speakers["gender"].fillna("unknown")
    markers = {"female": "o", "male": "^", "unknown": "D"}
    for y, system in enumerate(systems.itertuples()):
        own = speakers[speakers["corpus"] == system.corpus]
        scatter = (np.arange(len(own)) * 0.618034 % 1 - 0.5) * 0.5 if len(own) > 3 else np.zeros(len(own))
        for name, marker in markers.items():
            rows = (gender[own.index] == name).to_numpy()
            dot = {"color": STUDY_COLOURS[name], "alpha": 0.75, "markersize": 5.5, "mew": 0}
            ax.plot(own["uar"][rows], y + 0.14 + scatter[rows], marker, **dot)
        whisker(ax, y - 0.3, system.low, system.high, colour=INK, width=2)
        ax.plot(system.value, y - 0.3, "s", color=INK, markersize=5.5)
        beside(ax, y, f"pooled {score_text(system.value)}", shift=4)
    row_axis(ax, [word(name) for name in systems["corpus"]])
    score_axis(ax, metric="UAR of one speaker")
    key = [
        Line2D([], [], color=STUDY_COLOURS[name], marker=marker, linestyle="none", label=f"a {name} speaker")
        for name, marker in markers.items()
        if name != "unknown" and (gender == name).any()
    ]
    pooled = Line2D([], [], color=INK, marker="s", markersize=5.5, label="pooled UAR with interval")
    figure.legend(handles=[*key, pooled], loc="outside lower left", ncols=3)
    return figure
