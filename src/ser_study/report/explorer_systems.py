"""Which published experiments the explorer shows.

Conventions
-----------
Those that predict every test clip once, publish their probabilities, and are named by corpus, protocol, feature and
model alone (``experiments.named``): no leak, no shuffled label, no training set that was cut. Where they are more than
a page should load, systems of the benchmark are left out, those first that are worst on validation rows; nothing is
chosen by test rows.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ser_study.evaluation.metrics import uar_of
from ser_study.experiments import named, published
from ser_study.experiments.experiment import Experiment
from ser_study.plotting.palette import PROTOCOLS

MAX_CODES = 5_000_000  # bytes of probabilities, about as many as the page then loads


@dataclass(frozen=True)
class System:
    """An experiment with its published rows, and those of them that are tests of clean clips, by clip."""

    experiment: Experiment
    published: pa.Table
    test: pa.Table

    @property
    def columns(self) -> list[str]:
        """Columns of the probabilities of the test rows; empty where they are not published."""
        return coded_columns(self.test)

    @property
    def size(self) -> int:
        """Bytes of the probabilities."""
        return len(self.test) * len(self.columns)

    @property
    def in_benchmark(self) -> bool:
        """Whether it is one of many features and models, all tuned inside; the others are steps and transfers."""
        one = self.experiment
        return one.scheme == "native" and not (one.fixed or one.sources or one.others)

    def validation_uar(self) -> float:
        """UAR of the validation rows; −1 where none are published."""
        rows = _of_role(self.published, "validation")
        frame = pd.DataFrame({name: rows[name].cast(pa.string()).to_pandas() for name in ("truth", "prediction")})
        return uar_of(frame) if len(frame) else -1.0


def systems(folder: Path) -> tuple[list[System], int]:
    """The systems of a published run in the order of the page, and the number of experiments that it leaves out."""
    kept, left_out = [], 0
    for name, draws, rows in published.tables(folder):
        test = _of_role(rows, "test")
        test = test.take(pc.sort_indices(test["clip"]))
        if not len(test):
            continue  # a candidate of which only validation rows are published
        one = _parsed(name)
        if one is not None and draws == 1 and len(test["clip"].unique()) == len(test) and coded_columns(test):
            kept.append(System(one, rows, test))
        else:
            left_out += 1
    small = _within(kept, MAX_CODES)
    return sorted(small, key=_order), left_out + len(kept) - len(small)


def coded_columns(rows: pa.Table) -> list[str]:
    """Columns of probabilities that all of these rows have."""
    return [name for name in rows.column_names if name.startswith("c_") and not rows[name].null_count]


def _of_role(rows: pa.Table, role: str) -> pa.Table:
    """Rows of a role, of clean clips only."""
    return rows.filter(pc.and_(pc.equal(rows["role"].cast(pa.string()), role), pc.equal(rows["variant"], 0)))


def _parsed(name: str) -> Experiment | None:
    try:
        return named.parse(name)
    except ValueError:
        return None


def _within(every: list[System], limit: int) -> list[System]:
    """The systems whose probabilities fit into so many bytes: of the benchmark the best on validation rows."""
    size = sum(one.size for one in every)
    if size <= limit:
        return every
    rank, left_out = _ranks(one for one in every if one.in_benchmark), set()
    for one in sorted((one for one in every if one.in_benchmark), key=lambda one: -rank[_pair(one)]):
        if size <= limit:
            break
        size -= one.size
        left_out.add(one.experiment)
    return [one for one in every if one.experiment not in left_out]


def _pair(one: System) -> tuple[str, str, str]:
    return one.experiment.selection, one.experiment.feature, one.experiment.model


def _ranks(some: Iterable[System]) -> dict[tuple[str, str, str], int]:
    """Place of each feature and model among those of its selection: 0 is the best on validation speakers, or on other
    validation rows where it is not tested on new speakers."""
    score: dict[tuple[str, str, str], tuple[bool, float]] = {}
    for one in some:
        own = (one.experiment.protocol == "speaker_independent", one.validation_uar())
        score[_pair(one)] = max(own, score.get(_pair(one), own))
    ranks = {}
    for selection in {pair[0] for pair in score}:
        pairs = [pair for pair in score if pair[0] == selection]
        ranks |= {pair: place for place, pair in enumerate(sorted(pairs, key=lambda pair: score[pair], reverse=True))}
    return ranks


def _order(one: System) -> tuple:
    """Selections by name, protocols as on the ladder, classes of the corpus first, chosen settings before fixed."""
    own = one.experiment
    step = PROTOCOLS.index(own.protocol) if own.protocol in PROTOCOLS else len(PROTOCOLS)
    return own.selection, step, own.scheme != "native", own.fixed, own.name


def places(some: list[System]) -> np.ndarray:
    """Rows of ``clips.parquet`` that some system is tested on, rising."""
    return np.unique(np.concatenate([one.test["clip"].to_numpy() for one in some]))
