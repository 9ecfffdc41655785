"""Pictures of matrices: confusions, score tables, transfer between corpora, and who is in which part of a split."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from ser_study.report.marks import hide_rest, need, score_text, tile_labels, tiles
from ser_study.report.palette import GREY, INK, RUNGS, SMALL, STUDY_COLOURS, WIDTH, canvas, styled
from ser_study.schema import FOLD_COLUMNS, ROLES
from ser_study.words import word


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


def _square(counts: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    counts = np.asarray(counts)
    if counts.shape != (len(classes), len(classes)):
        raise ValueError(f"Confusion counts have shape {counts.shape}; {len(classes)} classes need a square of that.")
    return counts


def _confusion_panel(
    ax: Axes, counts: np.ndarray, classes: Sequence[str], *, unit: str = "clips", size: float = SMALL
) -> None:
    total = counts.sum(axis=1, keepdims=True)
    share = np.divide(100.0 * counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    texts = np.where(counts > 0, np.char.mod("%.0f", share), "")
    tiles(ax, share, limits=(0, 100), texts=texts, notes=np.where(counts > 0, np.char.mod("%d", counts), ""), size=size)
    names = [word(name) for name in classes]
    tile_labels(ax, [f"{name} ({n:.0f})" for name, n in zip(names, total[:, 0])], names, angle=45)
    ax.set_aspect("equal", anchor="N")
    ax.set(xlabel=f"predicted class\n(% of the true class; {unit} below)", ylabel=f"true class ({unit})")


@styled
def score_matrix(table: pd.DataFrame, *, title: str) -> Figure:
    """UAR of each feature with each model: one panel a corpus, all on one colour scale.

    Parameters
    ----------
    table : ``corpus, feature, model, value``; a pair that was not run is left empty
    """
    need(table, ("corpus", "feature", "model", "value"), what="score")
    corpora = list(dict.fromkeys(table["corpus"]))
    features, models = list(dict.fromkeys(table["feature"])), list(dict.fromkeys(table["model"]))
    columns = min(len(corpora), 2)
    rows = -(-len(corpora) // columns)
    height = 0.5 + rows * (0.75 + 0.34 * len(features)) + 0.9
    figure, axes = canvas(rows, columns, height=height, title=title, sharex=True, sharey=True)
    limits = (float(table["value"].min()), float(table["value"].max()))
    for ax, corpus in zip(axes.flat, corpora):
        here = table[table["corpus"] == corpus]
        values = here.pivot(index="feature", columns="model", values="value").reindex(features, columns=models)
        drawn = _score_tiles(ax, values.to_numpy(float), limits)
        tile_labels(ax, [word(name) for name in features], [word(name) for name in models], angle=30)
        ax.set_title(word(corpus))
    hide_rest(axes, len(corpora))
    for ax in axes.flat[max(len(corpora) - columns, 0) : len(corpora)]:
        ax.tick_params(labelbottom=True)
    figure.colorbar(drawn, ax=list(axes.flat), label="UAR (0–1)", shrink=0.8, aspect=30).outline.set_visible(False)
    return figure


@styled
def cross_corpus(matrix: pd.DataFrame, *, title: str) -> Figure:
    """UAR when training on one corpus (row) and testing on another (column); the outlined diagonal is within.

    Parameters
    ----------
    matrix : UAR, index the training corpus, columns the test corpus; NaN where not run
    """
    k = max(len(matrix), len(matrix.columns))
    longest = max(len(word(name)) for name in [*matrix.index, *matrix.columns])
    side = 0.72 * k + 0.075 * longest + 0.8
    figure, axes = canvas(1, 1, width=min(max(side + 1.2, 5.5), WIDTH), height=side + 0.5, title=title)
    ax, values = axes[0, 0], matrix.to_numpy(float)
    drawn = _score_tiles(ax, values, (float(np.nanmin(values)), float(np.nanmax(values))), size=10.5)
    tile_labels(ax, [word(name) for name in matrix.index], [word(name) for name in matrix.columns], angle=30)
    for row, name in enumerate(matrix.index):
        if name in matrix.columns:
            corner = (list(matrix.columns).index(name) - 0.48, row - 0.48)
            ax.add_patch(Rectangle(corner, 0.96, 0.96, fill=False, edgecolor=INK, linewidth=2))
    ax.set_aspect("equal", anchor="N")
    ax.set(xlabel="tested on", ylabel="trained on")
    figure.colorbar(drawn, ax=ax, label="UAR (0–1)", shrink=0.8).outline.set_visible(False)
    return figure


def _score_tiles(ax: Axes, values: np.ndarray, limits: tuple[float, float], *, size: float = 9.0):
    texts = np.array([[score_text(value) for value in row] for row in values])
    drawn = tiles(ax, values, limits=limits, texts=texts, size=size)
    for row, column in np.argwhere(~np.isfinite(values)):
        ax.text(column, row, "–", ha="center", va="center")
    return drawn


@styled
def fold_map(folds: pd.DataFrame, clips: pd.DataFrame, *, title: str) -> Figure:
    """Who is in which part of the first fold: speakers × sentences, coloured by role, one panel a protocol.

    A cell that holds clips of several roles is striped in their proportion. Augmented rows are left out.

    Parameters
    ----------
    folds : folds table, one or more protocols of one corpus
    clips : clips table; a missing statement counts as one unknown sentence
    """
    need(folds, FOLD_COLUMNS, what="folds")
    need(clips, ("clip_id", "speaker", "statement"), what="clips")
    protocols = sorted(set(folds["protocol"]), key=lambda name: (name not in RUNGS, (*RUNGS, name).index(name)))
    columns = min(len(protocols), 3)
    rows = -(-len(protocols) // columns)
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
    return figure


def _roles_image(folds: pd.DataFrame, clips: pd.DataFrame) -> tuple[np.ndarray, int, int]:
    """RGBA image (speakers, 12 × statements, 4) of the first fold, and the two numbers."""
    first = folds.sort_values(["repeat", "fold"]).iloc[0]
    here = folds[(folds["repeat"] == first["repeat"]) & (folds["fold"] == first["fold"]) & (folds["variant"] == 0)]
    joined = clips[["clip_id", "speaker", "statement"]].fillna({"statement": "unknown"})
    joined = joined.merge(here[["clip_id", "role"]], on="clip_id", how="left").fillna({"role": "unused"})
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
