"""Figures of what the systems use: families of features are permuted, parts of the spectrum are hidden."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ser_study.chapters.testing import importance_text, occlusion
from ser_study.chapters.testing.importance import ALL
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import canvas, styled
from ser_study.wording import minus, word

AXES = {"frequency": "hidden band (kHz)", "time": "hidden eighth of the clip (first to last)"}


@styled
def families(table: pd.DataFrame) -> Figure | None:
    """Loss in points without each family: one row a selection (left) and an emotion (right), one column a family.

    Parameters
    ----------
    table : of ``importance.by_family``; empty: None
    """
    if table.empty:
        return None
    order = list(dict.fromkeys(table["family"]))
    whole = table[table["emotion"] == ALL].pivot(index="corpus", columns="family", values="drop")
    whole = whole.loc[list(dict.fromkeys(table["corpus"])), order]
    parts = table[table["emotion"] != ALL].groupby(["emotion", "family"], sort=False)["drop"].mean().unstack()[order]
    values = 100 * np.concatenate([whole.to_numpy().ravel(), parts.to_numpy().ravel()])
    limits = (min(0, np.nanmin(values)), np.nanmax(values))
    rows = max(len(whole), len(parts))
    title = importance_text.families_title(table)
    figure, axes = canvas(1, 2, height=2.3 + 0.34 * rows, title=title)
    for ax, part, head in zip(axes.flat, (whole, parts), ("by corpus", "by emotion, mean of the corpora")):
        points = 100 * part.rename(index=word, columns=str)
        texts = points.map(lambda value: minus(value, 0)).to_numpy()
        heat_map(ax, points, texts, limits=limits, rotation=40)
        ax.set_title(head)
    axes[0, 0].set_xlabel("family permuted (loss of UAR in points)")
    axes[0, 1].set_xlabel("family permuted (loss of recall in points)")
    return figure


@styled
def hidden(table: pd.DataFrame) -> Figure | None:
    """Change of the true class's log-probability, one row an emotion: by band (above) and by stretch of time (below).

    Parameters
    ----------
    table : of ``occlusion.changes``; empty: None
    """
    if table.empty:
        return None
    means = {kind: occlusion.average(table, kind) for kind in occlusion.KINDS}
    rows = max(map(len, means.values()))
    low = min(float(np.nanmin(values.to_numpy())) for values in means.values())
    high = max(0.0, *(float(np.nanmax(values.to_numpy())) for values in means.values()))
    title = importance_text.occlusion_title(table)
    figure, axes = canvas(2, 1, height=2.4 + 0.56 * rows, title=title)
    for ax, (kind, values) in zip(axes.flat, means.items()):
        named = values.set_axis(occlusion.names_of(kind), axis=1).rename(index=word)
        texts = named.map(lambda change: minus(change, 1)).to_numpy()
        bar = {"label": "loss of ln p", "aspect": 12, "pad": 0.02}
        heat_map(ax, -named, texts, limits=(-high, -low), bar=bar, rotation=0)  # as elsewhere, paler is more
        ax.set_xlabel(AXES[kind])
    return figure
