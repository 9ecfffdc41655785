"""Figures of chapter 04b, from its tables; None where a table is empty.

Conventions
-----------
A score is a share between 0 and 1, a change is in percentage points. ``low`` and ``high`` bound an interval.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ser_study.chapters.ablations import sentences, text
from ser_study.chapters.ablations.channels import BOTH
from ser_study.chapters.ablations.descriptions import CONTROL, is_trained
from ser_study.plotting.marks import beside, row_axis, score_axis, score_text, whisker
from ser_study.plotting.palette import GREY, INK, MARKERS, PAPER, SPARE_COLOURS, STUDY_COLOURS, canvas, styled
from ser_study.wording import signed, word

RANDOM, NEW_SPEAKERS = STUDY_COLOURS["random"], STUDY_COLOURS["speaker_independent"]
KINDS = {"pretrained": ("D", NEW_SPEAKERS), "computed": ("o", RANDOM), "random weights": ("s", GREY)}
MODELS = {  # column of the table → marker, colour and name
    "published": ("|", INK, "published by E004"),
    "accuracy": ("o", RANDOM, "random folds"),
    "new_speakers": ("s", NEW_SPEAKERS, "folds by speaker"),
}
NESTED = {
    "inner_score": ("o", RANDOM, "inside the search"),
    "value": ("s", NEW_SPEAKERS, "new speakers"),
    "authors": ("|", INK, "new speakers, authors' choice"),
}


@styled
def descriptions(table: pd.DataFrame) -> Figure | None:
    """UAR of every feature, the best on top; pretrained ones, computed ones and the control differ in their mark."""
    if table.empty:
        return None
    figure, axes = canvas(1, 1, height=1.3 + 0.23 * len(table), title=text.descriptions_title(table))
    ax = axes[0, 0]
    for y, row in enumerate(table.itertuples()):
        trained = "pretrained" if is_trained(row.feature) else "computed"
        marker, colour = KINDS["random weights" if row.feature == CONTROL else trained]
        ax.plot([0, row.uar_validation], [y, y], color=GREY, alpha=0.3, linewidth=1.2, zorder=1)
        ax.plot(row.uar_validation, y, marker, color=colour, markersize=6, zorder=3, clip_on=False)
        beside(ax, y, score_text(row.uar_validation), shift=32, ha="right")
    row_axis(ax, [f"{title} · {n:,}" for title, n in zip(table["title"], table["dimensions"])])
    score_axis(ax, metric="UAR on validation speakers")
    figure.legend(handles=[_key(*mark, name) for name, mark in KINDS.items()], loc="outside lower left", ncols=3)
    return figure


def automl(table: pd.DataFrame) -> Figure | None:
    """Accuracy of each model of E004's comparison: published, in random folds, in folds by speaker."""
    if table.empty:
        return None
    rows = [word(name) for name in table["model"]]
    return _marks(table, rows, MODELS, title=text.automl_title(table), metric="accuracy")


def nested(table: pd.DataFrame) -> Figure | None:
    """Scores of each nested search: inside, on new speakers with its interval, and by the authors' choice."""
    if table.empty:
        return None
    rows = [sentences.search_title(name) for name in table["search"]]
    return _marks(table, rows, NESTED, title=text.nested_title(table), metric="UAR")


@styled
def _marks(table: pd.DataFrame, rows: list[str], marks: Mapping, *, title: str, metric: str) -> Figure:
    """One row a line of the table, one mark a column, with the interval of ``value`` where there is one."""
    figure, axes = canvas(1, 1, height=1.3 + 0.26 * len(rows), title=title)
    ax = axes[0, 0]
    for y, row in enumerate(table.to_dict("records")):
        scores = [row[column] for column in marks]
        ax.plot([np.nanmin(scores), np.nanmax(scores)], [y, y], color=GREY, alpha=0.35, linewidth=4, zorder=1)
        if "low" in row:
            whisker(ax, y, row["low"], row["high"], colour=marks["value"][1])
        for column, (marker, colour, _) in marks.items():
            ax.plot(row[column], y, marker, color=colour, markersize=10 if marker == "|" else 6.5, mew=2, zorder=3)
    row_axis(ax, rows)
    score_axis(ax, metric=metric)
    figure.legend(handles=[_key(*mark) for mark in marks.values()], loc="outside lower left", ncols=len(marks))
    return figure


def signal(table: pd.DataFrame) -> Figure | None:
    """Change by every preparation of the signal, one panel a corpus."""
    panels = table["corpus"].map(word)
    return _changes(table, panels, table["treatment"], title=text.signal_title(table))


def augmentation(table: pd.DataFrame) -> Figure | None:
    """Change by every augmentation, one panel a corpus and model."""
    panels = table["corpus"].map(word) + ", " + table["model"].map(word)
    return _changes(table, panels, table["augmentation"], title=text.augmentation_title(table))


def channels(table: pd.DataFrame) -> Figure | None:
    """Change by training on the other channel or on both, one panel a scored channel."""
    if table.empty:
        return None
    trained_on = np.where(table["trained_on"] == BOTH, "both channels", "the other channel")
    rows = table["feature"].map(word) + ", " + trained_on
    return _changes(table, table["corpus"].map(word) + " scored", rows, title=text.channels_title(table))


@styled
def _changes(table: pd.DataFrame, panels: pd.Series, rows: pd.Series, *, title: str) -> Figure | None:
    """Dots with intervals around zero; a filled dot is beyond chance. References have no change and no row."""
    compared = table.assign(panel=panels, row=rows)[table["difference"].notna()]
    if compared.empty:
        return None
    names = list(dict.fromkeys(compared["panel"]))
    labels = list(dict.fromkeys(compared["row"]))
    n_columns = 2 if len(names) > 1 else 1
    n_rows = -(-len(names) // n_columns)
    height = 1.4 + n_rows * (0.6 + 0.25 * len(labels))
    shared = set(compared.groupby("panel")["row"].agg(tuple)) == {tuple(labels)}
    figure, axes = canvas(n_rows, n_columns, height=height, title=title, sharey=shared, sharex=True)
    for ax, name in zip(axes.flat, names):
        _changes_panel(ax, compared[compared["panel"] == name])
        ax.set_title(name)
    for ax in axes.flat[len(names) :]:
        ax.set_visible(False)
    for ax in axes[-1]:
        ax.set_xlabel("change of UAR (points)")
    keys = [_key("o", NEW_SPEAKERS, "beyond chance"), _key("o", NEW_SPEAKERS, "within chance", face=PAPER)]
    figure.legend(handles=keys, loc="outside lower left", ncols=2)
    return figure


def _changes_panel(ax: Axes, part: pd.DataFrame) -> None:
    for y, row in enumerate(part.itertuples()):
        face = NEW_SPEAKERS if row.p_holm < sentences.SURE else PAPER
        whisker(ax, y, 100 * row.low, 100 * row.high, colour=NEW_SPEAKERS)
        ax.plot(100 * row.difference, y, "o", color=NEW_SPEAKERS, markerfacecolor=face, markersize=6, mew=1.6, zorder=3)
        beside(ax, y, signed(100 * row.difference), shift=30, ha="right")
    ax.axvline(0, color=INK, linewidth=1, zorder=1)
    row_axis(ax, list(part["row"]))


@styled
def selection(table: pd.DataFrame) -> Figure | None:
    """UAR by number of features dropped, one line a ranking, and dropping at random."""
    if table.empty:
        return None
    import seaborn as sns

    control = table.assign(uar=table["uar"] - table["gain"], ranking="random").drop_duplicates("dropped")
    lines = pd.concat([table, control], ignore_index=True)
    lines["ranking"] = lines["ranking"].map(lambda name: "at random" if name == "random" else word(name))
    names = list(dict.fromkeys(lines["ranking"]))
    tones = dict(zip(names, [NEW_SPEAKERS, RANDOM, *SPARE_COLOURS])) | {"at random": GREY}
    figure, axes = canvas(1, 1, height=4.2, title=text.selection_title(table))
    ax = axes[0, 0]
    style = {"palette": tones, "markers": dict(zip(names, MARKERS)), "dashes": False, "markeredgewidth": 0}
    sns.lineplot(lines, x="dropped", y="uar", hue="ranking", style="ranking", errorbar=None, ax=ax, **style)
    ax.get_legend().remove()
    figure.legend(*ax.get_legend_handles_labels(), loc="outside lower left", ncols=3)
    ax.set(xlabel="features dropped, the least important first", ylabel="UAR on validation speakers")
    ax.grid(axis="y")
    return figure


def _key(marker: str, colour: str, name: str, *, face: str = "") -> Line2D:
    size = 9 if marker == "|" else 6.5
    style = {"linestyle": "", "markersize": size, "markeredgewidth": 1.8, "markerfacecolor": face or colour}
    return Line2D([], [], marker=marker, color=colour, label=name, **style)
