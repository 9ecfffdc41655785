"""Numbers in the sentences that a notebook computed, and whether they follow from the tables that it wrote.

A number is traced if rounding one of these to its decimals gives it, from the tables and figures of its section: a
value of a table, a number inside a cell of text, what a column or a group of its rows counts, sums or averages to, its
extremes, a difference between two columns of a row or two rows of a column; all also as per cent, and as what is
missing to one.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

from ser_study.experiments.baselines import BASELINES

NUMBER = re.compile(r"(?<![\w.,–/-])[−+]?(\d{1,3}(?:,\d{3})+|\d*)(\.\d+)?(?![\w/]|-\d|\.\d)")
NO_NUMBERS = re.compile(  # names, settings, references and places that hold digits
    r"`[^`]*`|\[[^\]]*\]\([^)]*\)|https?://\S+|\bdoi:\S+|[Cc]hapters? \d+\w?|\bE00\d\w?|\b(?:19|20)\d\d\b|"
    r"[A-Za-z_]+[\w-]*\d[\w-]*|\b\d+ (?:means|statistics)\b|PCA \d+|\d{2}-\d{2}-[\d-]+|\b\d+ %(?= interval)"
)
CONSTANTS = {  # page → numbers that are settings or the size of a list in the code, not results
    "01_corpus_synthetic": {"95"},  # percentile of the whiskers
    "04b_ablations": {"9"},  # ablations there are
    "05_deep_learning": {"224", "5"},  # pixels of an image network; projects
    "10_methods": {".05"},  # the level of significance
}
SUMMARIES = {  # page → sections that state numbers of others, too
    "01_corpus_synthetic": {"", "Clips and speakers", "Durations", "Pitch of women and men", "Summary"},
    "02_feature_extraction": {"Summary"},
    "03_splits_and_leakage": {"The wrong way and the right way"},
    "04_traditional_ml": {""},
    "06b_systems": {"One system on every protocol"},
    "07_post_model_testing": {"In short", "Degraded recordings", "Time and performance"},
    "09_findings": {""},
}
# ratios of gains, which no table holds
UNTRACED = re.compile(r"keeps of the score above chance[^.]*?%(?:, [^.]*?%| and [^.]*?%)*")
DECLARED = {"08_baselines": str(BASELINES)}  # what the projects published, with its notes
MOST_POINTS = 300  # rows of a table; sentences are not about the points of a curve or a contour
MOST_ROWS = 60  # of a table whose rows are compared with one another
STATISTICS = ("sum", "mean", "median", "min", "max")


@dataclass(frozen=True)
class Section:
    """A section of an executed notebook, from one heading of level two to the next."""

    heading: str  # empty: before the first
    sentences: list[str]  # findings (Markdown) and captions that its cells put out
    exhibits: set[str]  # CSV files of its tables and figures, without the ending; ``_`` and ``-`` are alike


def sections(notebook: Path) -> list[Section]:
    """Sections with what their cells put out."""
    found = [Section("", [], set())]
    for cell in nbformat.read(notebook, as_version=4).cells:
        heading = re.search(r"^## (.*)", cell.source, flags=re.MULTILINE) if cell.cell_type == "markdown" else None
        if heading:
            found.append(Section(heading[1].strip(), [], set()))
        for data in (output.get("data", {}) for output in cell.get("outputs", [])):
            content = data.get("text/html", "")
            if "text/markdown" in data:
                found[-1].sentences.append(data["text/markdown"])
            for caption in re.findall(r"<figcaption>(.*?)</figcaption>", content, flags=re.DOTALL):
                found[-1].sentences.append(html.unescape(re.sub(r"<[^>]+>", "", caption)))
            for kind, name in re.findall(r'id="(table|figure)-([\w-]+)', content):
                found[-1].exhibits.add(f"{'figure_' * (kind == 'figure')}{name}")
    return found


def numbers(sentence: str) -> list[tuple[str, float, int]]:
    """Every number of a sentence: as it stands there, its value without sign, and its decimals."""
    found = []
    for match in NUMBER.finditer(NO_NUMBERS.sub(" ", UNTRACED.sub(" ", sentence))):
        if match[1] or match[2]:
            whole, part = (match[1] or "0").replace(",", ""), match[2] or ""
            found.append((match[0], float(whole + part), max(len(part) - 1, 0)))
    return found


def pool(tables: Iterable[pd.DataFrame], declared: str = "") -> np.ndarray:
    """Sorted absolute values of all that a sentence may state of the tables and of what is declared."""
    values = [value for _, value, _ in numbers(declared)]
    gaps: list[float] = []
    for table in (table for table in tables if len(table) <= MOST_POINTS):
        values += _values(table)
        gaps += _differences(table)
    one, two = (np.abs(np.array([value for value in some if np.isfinite(value)])) for some in (values, gaps))
    shares = np.concatenate([one[one <= 1], np.abs(1 - one[one <= 1]), two[two <= 1]])
    millions = one[one >= 1e6] / 1e6
    return np.unique(np.concatenate([one, two, shares, 100 * shares, millions]))


def is_traced(value: float, decimals: int, known: np.ndarray) -> bool:
    """Whether some value of the pool rounds to this one."""
    half = 0.5 * 10.0**-decimals * (1 + 1e-6) + 1e-9
    low, high = np.searchsorted(known, [value - half, value + half])
    return bool(high > low)


def _values(table: pd.DataFrame) -> Iterator[float]:
    figures = table.select_dtypes("number")
    words = table.drop(columns=figures.columns)
    yield from figures.to_numpy(float).ravel()
    yield from (value for text in words.to_numpy().ravel() for _, value, _ in numbers(str(text)))
    yield from (len(table), len(table.columns))
    groups = [
        table.assign(all_=0).groupby("all_"),
        *(table.groupby(name) for name in words if words[name].nunique() > 1),
    ]
    pairs = [table.groupby(list(pair)) for pair in combinations(words.columns, 2)][:6]
    for group in [*groups, *pairs]:
        yield from group.size()
        yield from (group.ngroups, *group.size().describe())
        for name in figures:
            for statistic in STATISTICS:
                yield from group[name].agg(statistic)
    for name in words:
        yield from words[name].value_counts()


def _differences(table: pd.DataFrame) -> Iterator[float]:
    """Between columns of a row, and between rows of a column where there are few."""
    columns = table.select_dtypes("number").to_numpy(float)
    for one, two in combinations(range(columns.shape[1]), 2):
        yield from columns[:, one] - columns[:, two]
    if len(table) <= MOST_ROWS:
        for column in columns.T:
            yield from np.subtract.outer(column, column)[np.triu_indices(len(column), 1)]
