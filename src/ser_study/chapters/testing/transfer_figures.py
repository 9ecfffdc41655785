"""Figure of other corpora: UAR and overconfidence of every pair of training and tested corpus."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ser_study.chapters.testing import transfer
from ser_study.chapters.testing import transfer_text as text
from ser_study.plotting.marks import need, score_text
from ser_study.plotting.matrices import heat_map
from ser_study.plotting.palette import INK, canvas, styled
from ser_study.study import Study
from ser_study.wording import sentence, signed, word


@styled
def matrices(frame: pd.DataFrame, study: Study) -> Figure | None:
    """Two heat maps a system: UAR, and mean confidence minus accuracy in points.

    Parameters
    ----------
    frame : of ``transfer.table``; empty: None
    study : for the languages of the corpora
    """
    if frame.empty:
        return None
    need(frame, ("system", "source", "corpus", "uar", "overconfidence"), what="transfer")
    systems, names = list(dict.fromkeys(frame["system"])), list(dict.fromkeys(frame["corpus"]))
    labels = {name: f"{word(name)} ({transfer.language(study.selections[name])})" for name in names}
    side = 0.62 * len(names) + 1.9
    figure, axes = canvas(len(systems), 2, height=side * len(systems) + 0.5, title=text.title(frame))
    reach = 100 * float(np.nanmax(np.abs(frame["overconfidence"])))
    for row, system in zip(axes, systems):
        scores = transfer.matrix(frame, system, "uar").rename(index=labels, columns=labels)
        surplus = 100 * transfer.matrix(frame, system, "overconfidence").rename(index=labels, columns=labels)
        heat_map(row[0], scores, scores.map(score_text).to_numpy(), limits=(0, 1), bar={"label": "UAR (0–1)"})
        texts = surplus.map(_points).to_numpy()
        heat_map(row[1], surplus, texts, limits=(-reach, reach), bar={"label": "confidence − accuracy (points)"})
        row[0].set_title(f"{sentence(system)}: UAR")
        row[1].set_title(f"{sentence(system)}: confidence − accuracy")
        for ax in row:
            _outline(ax, len(names))
            ax.set(xlabel="tested on", ylabel="trained on")
        row[1].set_ylabel("")
        row[1].set_yticklabels([])
    return figure


def _points(value: float) -> str:
    return signed(value, 0) if value == value else "–"


def _outline(ax: Axes, n: int) -> None:
    """A frame around the tiles of a corpus with itself."""
    for place in range(n):
        corner = (place + 0.03, place + 0.03)
        ax.add_patch(Rectangle(corner, 0.94, 0.94, fill=False, edgecolor=INK, linewidth=2))
