"""Figures of the student projects; None where there is nothing to draw."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ser_study.chapters.baselines import comparisons, protocols, section_text, text
from ser_study.chapters.baselines.results import Result
from ser_study.plotting import baselines as plots
from ser_study.plotting import matrices


def overview(scored: pd.DataFrame) -> Figure | None:
    """All projects: published, rebuilt, ours on the list, ours on new speakers."""
    accuracy = text.accuracy_rows(scored)
    return plots.overview(accuracy, title=text.overview_title(scored)) if len(accuracy) else None


def by_protocol(table: pd.DataFrame) -> Figure | None:
    """Each system under five protocols, of ``protocols.table``."""
    return plots.protocols(protocols.means(table), title=text.by_protocol_title(table)) if len(table) else None


def confusion(result: Result) -> Figure:
    """Confusion matrices of our system for one project: published list and new speakers."""
    panels = comparisons.confusions(result)
    return matrices.confusions(panels, title=section_text.confusion_title(result), unit="predictions")
