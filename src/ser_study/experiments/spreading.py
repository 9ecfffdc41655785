"""Experiments on the workers of a Dask cluster: what travels there.

Workers see the same folders. So clips travel as the name of their table in the store, not as the table, and what is
computed goes into the store, so that nothing travels back: neither the scheduler nor whoever runs the study needs more
memory for more clips.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from ser_study.config import Config
from ser_study.experiments.execute import Job
from ser_study.experiments.selections import Selection
from ser_study.parallel import Failure, parallel_map
from ser_study.store import Store, read_table, write_table


@dataclass(frozen=True)
class Stored:
    """A selection whose clips are in the store."""

    name: str
    file: Path


def stored(part: Selection, store: Store) -> Stored:
    """Write the clips of a selection into the store, unless they are there."""
    hashes = pd.util.hash_pandas_object(part.clips, index=False).to_numpy()
    about = {"columns": list(part.clips.columns), "clips": hashlib.sha256(hashes.tobytes()).hexdigest()}
    file = store.path(f"selections/{part.name}", about, ".parquet")
    if not file.is_file():
        write_table(file, part.clips, about=about)
    return Stored(part.name, file)


@lru_cache(maxsize=8)
def restored(part: Stored) -> Selection:
    """A selection as it was stored, without what was dropped from it."""
    if (clips := read_table(part.file)) is None:
        raise OSError(f"{part.file.name} cannot be read here; do all workers see the folder {part.file.parent}?")
    return Selection(part.name, clips, clips.iloc[:0])


def stored_job(job: Job, store: Store) -> Job:
    """A job without its tables of clips, for ``work_on``."""
    others = {name: stored(part, store) for name, part in job.others.items()}
    return dataclasses.replace(job, selection=stored(job.selection, store), others=others)


def work_on(job: Job, *, work: Callable, config: Config, store: Store) -> None:
    """Do the work of a job from ``stored_job`` on a worker; the store has what it makes."""
    others = {name: restored(part) for name, part in job.others.items()}
    job = dataclasses.replace(job, selection=restored(job.selection), others=others)
    work(job, config=alone(config), store=store)


def spread(
    work: Callable, items: Sequence, selections: Mapping[str, Selection], *, config: Config, store: Store, unit: str
) -> None:
    """Do ``work(item, selections=…, config=…, store=…)`` for each item on the cluster; the store has what it makes.

    Raises
    ------
    RuntimeError
        Some of it failed; what the others made is in the store.
    """
    there = {name: stored(part, store) for name, part in selections.items()}
    call = partial(_with_selections, work=work, selections=there, config=alone(config), store=store)
    done = parallel_map(call, items, cluster=config.run.cluster, label=unit, unit=unit, batch=1)
    if failures := [f"{item}: {value.reason}" for item, value in done if isinstance(value, Failure)]:
        raise RuntimeError(f"{len(failures)} of {len(items)} {unit} failed, first {failures[0]} Run again.")


def _with_selections(item: Any, *, work: Callable, selections: Mapping[str, Stored], config: Config, store: Store):
    work(item, selections={name: restored(part) for name, part in selections.items()}, config=config, store=store)


def alone(config: Config) -> Config:
    """Settings of a worker, which spreads nothing itself."""
    return dataclasses.replace(config, run=dataclasses.replace(config.run, jobs=1, cluster=""))
