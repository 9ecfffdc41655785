"""Figures of the front page; None where there is nothing to draw."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from ser_study.chapters.findings import tables, text
from ser_study.chapters.findings.tables import RunTables
from ser_study.plotting import baselines as baseline_plots
from ser_study.plotting import dots


def inflation(run: RunTables) -> Figure | None:
    """Random split against new speakers, one row a corpus and model."""
    title, pairs = text.inflation(run).alt, tables.inflation(run)
    if pairs.empty:
        return None
    lines = {"chance": tables.chance(run), "human": tables.listeners(run)}
    return dots.inflation(pairs, title=title, **lines, notes=text.corpus_notes(run))


def ladder(run: RunTables) -> Figure:
    """From the leakiest protocol to the strictest, one panel a corpus."""
    title = text.ladder(run).alt
    return dots.ladder(run.ladder, title=title, chance=tables.chance(run), human=tables.listeners(run))


def baselines(table: pd.DataFrame) -> Figure | None:
    """The student projects, of ``tables.baselines``."""
    return baseline_plots.overview(table, title=text.baselines(table).alt) if len(table) else None
