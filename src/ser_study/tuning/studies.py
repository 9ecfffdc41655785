"""Optuna's part of a search: where a study is kept, who works on which trial, and what is drawn next.

Several processes, one study
----------------------------
A study lives in an SQLite file below ``data/derived/tuning``, or in the database of ``tuning.storage``,
which several machines can share. Each process takes one trial at a time, only while finished and running
trials together are fewer than wanted, and waits while others run the last ones; so they end together with
exactly the wanted number.

A process can be killed at any instant. Its trial then stays "running" until somebody sees that nobody is
behind it, and its place is free again:

- file: every process holds a lock that the system lets go of when the process dies, so this shows at once;
- database: every trial gives a sign of life each ``tuning.beat`` seconds. Whoever sees none for
  ``tuning.silence`` seconds of its own clock gives the trial up, so clocks of machines may differ.

Seeds
-----
The draw of a trial is seeded by the study's seed and the trial's *rank*: the smallest number from 0 that no
other trial has, lost ones apart. A killed and resumed search of one process therefore draws what an
uninterrupted one draws. Several processes have different ranks, hence different draws; but what each draw
knows depends on who finished first, so their trials are repeatable in number and range and not in value.
"""

from __future__ import annotations

import itertools
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from filelock import FileLock, Timeout
from optuna.trial import FrozenTrial, TrialState

from ser_study.config import Tuning
from ser_study.store import locked
from ser_study.tuning.spaces import Dimensions, n_points, points

REASON, WORKER, BEAT, RANK = "reason", "worker", "beat", "rank"  # what is noted with a trial
DONE = (TrialState.COMPLETE, TrialState.PRUNED)


def is_lost(trial: FrozenTrial) -> bool:
    """Whether a trial ended without a result of its own: its process died, or it was one too many."""
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


class LocalLease:
    """Work on a study that is a file here: one asks at a time, and the dead are known at once."""

    pause = 0.1  # s between looks while others run the last trials

    def __init__(self, path: Path):
        self.path, self.name = path, uuid.uuid4().hex

    def _lock(self, worker: str) -> FileLock:
        return FileLock(self.path.with_name(f".{self.path.stem}.{worker}.lock"), timeout=0)

    @contextmanager
    def work(self) -> Iterator[None]:
        """Be known as alive."""
        lock = self._lock(self.name)
        try:
            with lock:
                yield
        finally:
            Path(lock.lock_file).unlink(missing_ok=True)

    def turn(self):
        """Nobody else takes a trial meanwhile."""
        return locked(self.path)

    def is_dead(self, trial: FrozenTrial) -> bool:
        """Whether no living process is behind a running trial; asked in one's turn."""
        worker = trial.user_attrs.get(WORKER)
        if worker is None:  # killed between taking the trial and signing it
            return True
        if worker == self.name:
            return False
        lock = self._lock(worker)
        try:
            with lock:
                pass
        except Timeout:
            return False
        Path(lock.lock_file).unlink(missing_ok=True)
        return True

    def alive(self, trial: optuna.Trial):
        """Nothing to do: the lock says it."""
        return nullcontext()


class SharedLease:
    """Work on a study in a database: signs of life, and no clock but one's own."""

    pause = 1.0  # s

    def __init__(self, tuning: Tuning):
        self.tuning, self.name, self.seen = tuning, uuid.uuid4().hex, {}

    def work(self):
        """Nothing to hold."""
        return nullcontext()

    def turn(self):
        """Others may take a trial at the same time; ``surplus`` sorts it out."""
        return nullcontext()

    def is_dead(self, trial: FrozenTrial) -> bool:
        """Whether a running trial has given no new sign of life while we looked."""
        beat, now = trial.user_attrs.get(BEAT), time.monotonic()
        if trial.number not in self.seen or self.seen[trial.number][0] != beat:
            self.seen[trial.number] = (beat, now)
        return now - self.seen[trial.number][1] > self.tuning.silence

    @contextmanager
    def alive(self, trial: optuna.Trial) -> Iterator[None]:
        """Give signs of life while the block runs."""
        done = threading.Event()

        def beat() -> None:
            count = 0
            with suppress(optuna.exceptions.UpdateFinishedTrialError):  # given up by others
                while not done.wait(self.tuning.beat if count else 0):
                    count += 1
                    trial.set_user_attr(BEAT, count)

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def open_study(
    name: str,
    path: Path,
    sampler: Ranked,
    pruner: optuna.pruners.BasePruner,
    *,
    tuning: Tuning,
    fresh_since: float = 0.0,
) -> tuple[optuna.Study, LocalLease | SharedLease]:
    """The study of that name, made where it is not there yet, and a lease to work on it.

    Parameters
    ----------
    name : of the study; in a shared database it must say what the study rests on
    path : file of the study where ``tuning.storage`` names no database
    fresh_since : s since 1970; a study begun before is begun anew

    Raises
    ------
    ValueError
        The database does not answer or its address is wrong.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    how = {"study_name": name, "sampler": sampler, "pruner": pruner, "direction": "maximize", "load_if_exists": True}
    lease = SharedLease(tuning) if tuning.storage else LocalLease(path)
    with lease.turn():
        storage = _shared(tuning.storage) if tuning.storage else _storage(f"sqlite:///{path.resolve().as_posix()}")
        study = optuna.create_study(storage=storage, **how)
        if _begun(study) < fresh_since:
            optuna.delete_study(study_name=name, storage=storage)
            study = optuna.create_study(storage=storage, **how)
    return study, lease


def _begun(study: optuna.Study) -> float:
    """When the first trial was taken, s since 1970; later than ever where there is none."""
    taken = [trial.datetime_start for trial in study.get_trials(deepcopy=False) if trial.datetime_start]
    return min(taken).timestamp() if taken else np.inf


def _shared(url: str) -> optuna.storages.RDBStorage:
    """The shared database; two processes that make its tables at the same time may be in each other's way."""
    for wait in (0.2, 0.6, 0.0):
        try:
            return _storage(url)
        except Exception as error:  # every database library has errors of its own
            cause = error
            time.sleep(wait)
    raise ValueError(  # the address may hold a password, so it is not told
        f"The storage of tuning.storage does not work ({type(cause).__name__}); give an address such as "
        "sqlite:////folder/studies.sqlite3 or postgresql://host/database, or leave it empty."
    ) from cause


def _storage(url: str) -> optuna.storages.RDBStorage:
    wait = {"connect_args": {"timeout": 60}} if url.startswith("sqlite") else {}
    return optuna.storages.RDBStorage(url, engine_kwargs=wait)


def take(study: optuna.Study, lease: Any, wanted: int) -> tuple[optuna.Trial | None, list[FrozenTrial]]:
    """A trial to run, or None while there is none to take; and all trials as they stand."""
    with lease.turn():
        for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if lease.is_dead(trial):
                with suppress(ValueError, optuna.exceptions.UpdateFinishedTrialError):  # others saw it too
                    study.tell(trial.number, state=TrialState.FAIL)
        trials = study.get_trials(deepcopy=False)
        if sum(trial.state in (*DONE, TrialState.RUNNING) for trial in trials) >= wanted:
            return None, trials
        taken = study.ask()
        taken.set_user_attr(RANK, study.sampler.rank)
        taken.set_user_attr(WORKER, lease.name)
    if _is_surplus(study, taken.number, wanted):
        study.tell(taken, state=TrialState.FAIL)
        return None, trials
    return taken, trials


def _is_surplus(study: optuna.Study, number: int, wanted: int) -> bool:
    """Whether enough trials with lower numbers are finished or running; numbers are given once by the storage."""
    before = [trial for trial in study.get_trials(deepcopy=False) if trial.number < number]
    return sum(trial.state in (*DONE, TrialState.RUNNING) for trial in before) >= wanted


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
