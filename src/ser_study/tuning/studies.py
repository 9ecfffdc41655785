"""Optuna's part of a search: where a study is kept, what is drawn next, and who works on it.

Several processes, one study
----------------------------
A study lives in a journal file below ``data/derived/tuning``, on which one process works at a time while others wait
for its lock, or in the database of ``tuning.storage``, which several machines share: each takes one trial after the
other until enough are finished (Optuna's ``MaxTrialsCallback``).

A process can be killed at any instant. The lock of a file is free then, so whoever holds it next knows that its
running trials are lost. On a database Optuna's heartbeat tells: a trial without a sign of life for ``tuning.silence``
seconds is lost. Lost trials count for nothing.

Random streams
--------------
The draw of a trial is seeded by the study's seed and the trial's *rank*: the smallest number from 0 that no
other trial has, lost ones apart. A killed and resumed search of one process therefore draws what an
uninterrupted one draws. Several processes have different ranks, hence different draws; but what each draw
knows depends on who finished first, so their trials are repeatable in number and range and not in value.
"""

from __future__ import annotations

import itertools
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock
from optuna.storages import RDBStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from ser_study.config import Tuning
from ser_study.tuning.spaces import Dimensions, n_points, points

REASON, RANK = "reason", "rank"  # what is noted with a trial
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def is_lost(trial: FrozenTrial) -> bool:
    """Whether a trial ended without a result of its own: its process died."""
    return trial.state == TrialState.FAIL and REASON not in trial.user_attrs


def rank(trials: list[FrozenTrial], number: int) -> int:
    """Rank of a new trial; one with a lower number that has not noted its own yet is about to take the first free."""
    others = [trial.user_attrs.get(RANK) for trial in trials if trial.number < number and not is_lost(trial)]
    free = (place for place in itertools.count() if place not in others)
    return next(itertools.islice(free, others.count(None), None))


class Ranked(optuna.samplers.BaseSampler):
    """TPE whose random stream depends on the rank of the trial; a small grid is gone through once instead."""

    def __init__(self, dimensions: Dimensions, *, seed: int, startup: int, wanted: int):
        self.seed, self.startup = seed, startup
        size = n_points(dimensions)
        self.grid = points(dimensions) if size is not None and size <= wanted else []
        self.order = np.random.default_rng(seed).permutation(len(self.grid))

    def before_trial(self, study: optuna.Study, trial: FrozenTrial) -> None:
        """Make the sampler, or choose the point, of this trial."""
        others = study.get_trials(deepcopy=False)
        self.rank = rank(others, trial.number)
        seed = int(np.random.SeedSequence([self.seed, self.rank]).generate_state(1)[0])
        self.inner = optuna.samplers.TPESampler(seed=seed, n_startup_trials=self.startup, constant_liar=True)
        if self.grid:
            self.point = self.grid[self.order[self.rank % len(self.grid)]]

    def infer_relative_search_space(self, study, trial):
        """Parameters drawn jointly."""
        return {} if self.grid else self.inner.infer_relative_search_space(study, trial)

    def sample_relative(self, study, trial, search_space):
        """Joint draw."""
        return {} if self.grid else self.inner.sample_relative(study, trial, search_space)

    def sample_independent(self, study, trial, param_name, param_distribution):
        """Draw of one parameter."""
        if self.grid:
            return self.point[param_name]
        return self.inner.sample_independent(study, trial, param_name, param_distribution)


@contextmanager
def open_study(
    name: str,
    path: Path,
    sampler: Ranked,
    pruner: optuna.pruners.BasePruner,
    *,
    tuning: Tuning,
    fresh_since: float = 0.0,
) -> Iterator[optuna.Study]:
    """The study of that name, made where it is not there yet, to work on within the block.

    Parameters
    ----------
    name : of the study; in a shared database it must say what the study depends on
    path : file of the study where ``tuning.storage`` names no database
    fresh_since : s since 1970; a study begun before is begun anew

    Raises
    ------
    ValueError
        The database does not answer or its address is wrong.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)  # the heartbeat
    how = {"study_name": name, "sampler": sampler, "pruner": pruner, "direction": "maximize", "load_if_exists": True}
    with nullcontext() if tuning.storage else FileLock(path.with_name(f".{path.name}.lock")):
        storage = _database(tuning) if tuning.storage else _file(path)
        study = optuna.create_study(storage=storage, **how)
        if _begun(study) < fresh_since:
            optuna.delete_study(study_name=name, storage=storage)
            study = optuna.create_study(storage=storage, **how)
        if not tuning.storage:
            for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                study.tell(trial.number, state=TrialState.FAIL)  # we hold the lock, so nobody is behind it
        yield study


def _begun(study: optuna.Study) -> float:
    """When the first trial was taken, s since 1970; later than ever where there is none."""
    taken = [trial.datetime_start for trial in study.get_trials(deepcopy=False) if trial.datetime_start]
    return min(taken).timestamp() if taken else np.inf


def _file(path: Path) -> optuna.storages.JournalStorage:
    return optuna.storages.JournalStorage(JournalFileBackend(str(path)))


def _database(tuning: Tuning) -> RDBStorage:
    """The shared database; two processes that make its tables at the same time may be in each other's way."""
    wait = {"connect_args": {"timeout": 60}} if tuning.storage.startswith("sqlite") else {}
    for pause in (0.2, 0.6, 0.0):
        try:
            return RDBStorage(
                tuning.storage, engine_kwargs=wait, heartbeat_interval=tuning.beat, grace_period=tuning.silence
            )
        except Exception as error:  # every database library has errors of its own
            cause = error
            time.sleep(pause)
    raise ValueError(  # the address may hold a password, so it is not shown
        f"The storage of tuning.storage does not work ({type(cause).__name__}); give an address such as "
        "sqlite:////folder/studies.sqlite3 or postgresql://host/database, or leave it empty."
    ) from cause


def facts(trial: FrozenTrial) -> Mapping[str, Any]:
    """One row of the table of trials."""
    names = {TrialState.COMPLETE: "complete", TrialState.PRUNED: "pruned", TrialState.FAIL: "failed"}
    state = "lost" if is_lost(trial) else names.get(trial.state, "running")
    spent = trial.duration.total_seconds() if trial.duration and state != "lost" else np.nan
    value = trial.value if trial.state in DONE and trial.value is not None else np.nan
    return {
        "number": trial.number,
        "state": state,
        "value": value,
        "folds": len(trial.intermediate_values),
        "seconds": spent,
        "params": dict(trial.params),
        "reason": trial.user_attrs.get(REASON, ""),
    }
