"""Figures of chapter 03, all from plain tables.

Conventions
-----------
A score is a share between 0 and 1. ``low`` and ``high`` bound its interval and are NaN where none is known.
``chance`` maps a corpus to the UAR of guessing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from ser_study.chapters.splits import tables, text
from ser_study.plotting import dots
from ser_study.plotting.marks import (
    beside,
    chance_text,
    hide_rest,
    need,
    row_axis,
    score_axis,
    score_text,
)
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import (
    GREY,
    INK,
    PROTOCOLS,
    STUDY_COLOURS,
    WIDTH,
    canvas,
    styled,
)
from ser_study.schema import FOLD_COLUMNS, ROLES
from ser_study.wording import share, word

SPLIT_COLOURS = {"KFold": STUDY_COLOURS["random"], "GroupKFold": STUDY_COLOURS["speaker_independent"]}
CURVE_STYLES = ((STUDY_COLOURS["speaker_independent"], "o"), (STUDY_COLOURS["random_augmented"], "s"))
NEAR = 0.05  # in UAR: two numbers in the margin would lie over one another


@styled
def fold_scores(scores: pd.DataFrame, selection: str) -> Figure:
    """Score of every fold of two cross-validations, with their means.

    Parameters
    ----------
    scores : ``split, fold, score``; splits ``KFold`` and ``GroupKFold``
    """
    import seaborn

    need(scores, ("split", "fold", "score"), what="fold score")
    figure, axes = canvas(1, 1, height=2.1, title=text.fold_scores_title(scores, selection))
    ax, order = axes[0, 0], list(SPLIT_COLOURS)
    look = {"x": "score", "y": "split", "hue": "split", "order": order, "hue_order": order, "palette": SPLIT_COLOURS}
    seaborn.stripplot(scores, **look, jitter=False, size=6, alpha=0.7, legend=False, ax=ax)
    for y, name in enumerate(order):
        mean = scores.loc[scores["split"] == name, "score"].mean()
        ax.plot([mean, mean], [y - 0.3, y + 0.3], color=SPLIT_COLOURS[name], linewidth=2.5)
        beside(ax, y, f"mean {score_text(mean)}")
    row_axis(ax, [f"{name} ({meaning})" for name, meaning in zip(order, ("random split", "new speakers"))])
    score_axis(ax, metric="balanced accuracy of a fold")
    ax.set_ylabel("")
    return figure


@styled
def fold_map(folds: pd.DataFrame, clips: pd.DataFrame, selection: str) -> Figure:
    """Roles in the first fold: speakers × sentences, coloured by role, one panel a protocol.

    A cell that holds clips of several roles is striped in their proportion. Augmented rows are left out.

    Parameters
    ----------
    folds : folds table, one or more protocols of one selection
    clips : clips table; a missing statement counts as one unknown sentence
    """
    need(folds, FOLD_COLUMNS, what="folds")
    need(clips, ("clip_id", "speaker", "statement"), what="clips")
    used = set(folds["protocol"])
    protocols = [*(name for name in PROTOCOLS if name in used), *sorted(used.difference(PROTOCOLS))]
    columns = min(len(protocols), 3)
    rows = -(-len(protocols) // columns)
    title = text.fold_map_title(selection)
    figure, axes = canvas(rows, columns, height=0.9 + 2.6 * rows, title=title, sharex=True, sharey=True)
    for ax, protocol in zip(axes.flat, protocols):
        image, speakers, statements = _roles_image(folds[folds["protocol"] == protocol], clips)
        ax.imshow(image, aspect="auto", interpolation="nearest", extent=(0, statements, speakers, 0), rasterized=True)
        ax.set_title(word(protocol))
        ax.spines[:].set_visible(False)
        ax.set(xticks=[], yticks=[])
    for ax in axes[:, 0]:
        ax.set_ylabel(f"{speakers} speakers")
    for ax in axes.flat[max(len(protocols) - columns, 0) : len(protocols)]:
        ax.set_xlabel(f"{statements} sentence{'s' * (statements != 1)}")
    hide_rest(axes, len(protocols))
    key = [Patch(color=STUDY_COLOURS[role], label=role) for role in ROLES]
    figure.legend(handles=[*key, Patch(color=GREY, alpha=0.3, label="unused")], loc="outside lower left", ncols=4)
    figure.data = tables.role_counts(folds, clips)
    return figure


def _roles_image(folds: pd.DataFrame, clips: pd.DataFrame) -> tuple[np.ndarray, int, int]:
    """RGBA image (speakers, 12 × statements, 4) of the first fold, and the two numbers."""
    first = folds.sort_values(["repeat", "fold"]).iloc[0]
    rows = folds[(folds["repeat"] == first["repeat"]) & (folds["fold"] == first["fold"]) & (folds["variant"] == 0)]
    joined = clips[["clip_id", "speaker", "statement"]].fillna({"speaker": "unknown", "statement": "unknown"})
    joined = joined.merge(rows[["clip_id", "role"]], on="clip_id", how="left").fillna({"role": "unused"})
    speakers, statements = sorted(set(joined["speaker"])), sorted(set(joined["statement"]))
    stripes = 12 if len(statements) <= 40 else 4
    image = np.zeros((len(speakers), stripes * len(statements), 4))
    tones = {role: (*to_rgb(STUDY_COLOURS[role]), 1.0) for role in ROLES} | {"unused": (*to_rgb(GREY), 0.3)}
    for (speaker, statement), cell in joined.groupby(["speaker", "statement"]):
        roles = np.array(sorted(cell["role"], key=list(tones).index))
        picked = roles[((np.arange(stripes) + 0.5) / stripes * len(roles)).astype(int)]
        start = stripes * statements.index(statement)
        image[speakers.index(speaker), start : start + stripes] = [tones[role] for role in picked]
    return image, len(speakers), len(statements)


def ladder(scores: pd.DataFrame, chance: Mapping[str, float], listeners: Mapping[str, float]) -> Figure:
    """UAR by protocol, one panel a corpus, with chance and listeners.

    Parameters
    ----------
    scores : of ``tables.ladder``
    """
    return dots.ladder(scores, title=text.ladder_title(scores), chance=chance, human=listeners)


@styled
def curve(scores: pd.DataFrame, chance: Mapping[str, float]) -> Figure | None:
    """Score against the number of training speakers, with its band: one panel a corpus, one line a system; None without
    scores.

    Parameters
    ----------
    scores : ``corpus, feature, model, train_speakers, fewest, most, value, low, high``
    """
    if scores.empty:
        return None
    columns = ("corpus", "feature", "model", "train_speakers", "fewest", "most", "value", "low", "high")
    need(scores, columns, what="learning curve")
    corpora = list(dict.fromkeys(scores["corpus"]))
    columns = min(len(corpora), 2)
    rows = -(-len(corpora) // columns)
    figure, axes = canvas(rows, columns, height=0.6 + 2.7 * rows, title=text.curve_title(scores), sharey=True)
    top = min(1.02, float(np.nanmax(scores[["value", "high"]].to_numpy(float))) + 0.08)
    ticks = np.arange(0, top, 0.1 if top < 0.7 else 0.25)
    for ax in axes[:, 0]:
        ax.set_ylabel("UAR (0–1)")
    for ax, corpus in zip(axes.flat, corpora):
        _curve_panel(ax, scores[scores["corpus"] == corpus].sort_values("train_speakers"))
        ax.set_yticks(ticks, [share(value, 2) if value else "0" for value in ticks])
        ax.set(ylim=(0, top), title=word(corpus), xlabel="training speakers (number)")
        if corpus in chance:
            ax.axhline(chance[corpus], color=INK, linestyle=":", linewidth=1.4)
            place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points", "ha": "right", "va": "top"}
            ax.annotate(chance_text(chance[corpus]), (1, chance[corpus]), (-4, -3), **place)
    hide_rest(axes, len(corpora))
    names = list(dict.fromkeys(scores["feature"] + "/" + scores["model"]))
    if len(names) > 1:
        key = [
            Line2D([], [], marker=marker, color=tone, markersize=5, label=", ".join(map(word, name.split("/"))))
            for name, (tone, marker) in zip(names, CURVE_STYLES)
        ]
        figure.legend(handles=key, loc="outside lower left", ncols=2)
    return figure


def _curve_panel(ax: Axes, scores: pd.DataFrame) -> None:
    ends = scores.groupby(["feature", "model"], sort=False)["value"].last().sort_values()
    for (tone, marker), (system, own) in zip(CURVE_STYLES, scores.groupby(["feature", "model"], sort=False)):
        x = own["train_speakers"].astype(float)
        ax.fill_between(x, own["low"], own["high"], color=tone, alpha=0.2, linewidth=0)
        ax.plot(x, own["value"], marker=marker, color=tone, markersize=5)
        is_above = len(ends) > 1 and system == ends.index[-1]
        place = {"va": "bottom" if is_above else "top"} if len(ends) > 1 and np.ptp(ends) < NEAR else {}
        beside(ax, own["value"].iloc[-1], score_text(own["value"].iloc[-1]), shift=6, **place)
    ax.set_xscale("log", base=2)
    ticks = scores.drop_duplicates("train_speakers").sort_values("train_speakers")
    labels = [text.span_text(*pair) for pair in zip(ticks["fewest"], ticks["most"])]
    ax.set_xticks(ticks["train_speakers"].astype(float).to_list(), labels)
    ax.minorticks_off()
    ax.grid(axis="y")


@styled
def cross_corpus(matrix: pd.DataFrame) -> Figure | None:
    """UAR when training on one corpus (row) and testing on another (column); the outlined diagonal is within.

    Parameters
    ----------
    matrix : UAR, index the training corpus, columns the test corpus; NaN where not run; empty: None is returned
    """
    if matrix.empty:
        return None
    named = matrix.rename(index=word, columns=word)
    side = 0.72 * max(named.shape) + 0.075 * max(map(len, [*named.index, *named.columns])) + 0.8
    size = {"width": min(max(side + 1.2, 5.5), WIDTH), "height": side + 0.5}
    figure, axes = canvas(1, 1, title=text.cross_corpus_title(matrix), **size)
    ax, bar = axes[0, 0], {"label": "UAR (0–1)", "shrink": 0.8}
    heat_map(ax, named, matrix.map(score_text).to_numpy(), bar=bar, size=10.5)
    for row, name in enumerate(matrix.index):
        if name in matrix.columns:
            corner = (list(matrix.columns).index(name) + 0.03, row + 0.03)
            ax.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor=INK, linewidth=2))
    ax.set_aspect("equal", anchor="N")
    ax.set(xlabel="tested on", ylabel="trained on")
    return figure
