"""Run experiments → predictions and scores, each kept by what it rests on."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import metrics, tables
from ser_study.experiments import jobs, ladder, ledger
from ser_study.experiments.declare import Experiment
from ser_study.experiments.jobs import Job
from ser_study.experiments.material import Material
from ser_study.models import registry
from ser_study.parallel import Failure, map_clips
from ser_study.store import Store, read_table


def scores(
    experiments: Iterable[Experiment], gathered: Mapping[str, Material], *, config: Config, store: Store
) -> pd.DataFrame:
    """Scores of experiments, computed where they are not kept already.

    Parameters
    ----------
    experiments : declarations; duplicates are run once
    gathered : ``material.gather(config, store)``

    Returns
    -------
    Tidy table, one row an experiment and metric; columns as ``reports/<run>/tables/scores.csv``.

    Raises
    ------
    RuntimeError
        Some experiments failed; the others are kept, and the message names the failed ones.
    """
    experiments = list(dict.fromkeys(experiments))
    first, second = _in_two_rounds(experiments, gathered, config, store)
    done = _scores_of(first, config, store)
    later = second()
    done |= _scores_of(later, config, store)
    table = pd.concat([done[e] for e in experiments], ignore_index=True)
    looked = {j.experiment.name: ledger.declaration_of(j.parts) for j in first + later if not j.experiment.shuffle}
    ledger.record(looked, table, store)
    return table


def answers(
    experiments: Iterable[Experiment],
    gathered: Mapping[str, Material],
    *,
    config: Config,
    store: Store,
    look: bool = True,
) -> dict[Experiment, pd.DataFrame]:
    """Predictions of several experiments, computed in parallel where they are not kept; networks one by one.

    Every experiment with test rows is a look, and is logged with the UAR of its test rows (mean over draws).
    With ``look=False`` nothing is logged and the test rows are left out: for what valid rows decide.

    Raises
    ------
    RuntimeError
        Some experiments failed; the others are kept, and the message names the failed ones.
    """
    experiments = list(dict.fromkeys(experiments))
    first, second = _in_two_rounds(experiments, gathered, config, store)
    carry_out(first, jobs.is_kept, jobs.predict, config, store)
    later = second()
    carry_out(later, jobs.is_kept, jobs.predict, config, store)
    ready = {job.experiment: jobs.predict(job, config=config, store=store) for job in first + later}
    if not look:
        return {one: ready[one][ready[one]["role"] == "valid"].reset_index(drop=True) for one in experiments}
    looked = {j.experiment.name: ledger.declaration_of(j.parts) for j in first + later if not j.experiment.shuffle}
    if ready:
        ledger.record(looked, pd.concat([ledger.look(table) for table in ready.values()], ignore_index=True), store)
    return {experiment: ready[experiment] for experiment in experiments}


def predictions(
    experiment: Experiment, gathered: Mapping[str, Material], *, config: Config, store: Store
) -> pd.DataFrame:
    """Predictions of one experiment, from the store or computed now."""
    params = borrowed(experiment, gathered, config=config, store=store) if borrows(experiment, gathered) else None
    return jobs.predict(jobs.make(experiment, gathered, params, config, store), config=config, store=store)


def borrows(experiment: Experiment, gathered: Mapping[str, Material]) -> bool:
    """Whether hyperparameters come from other corpora: with two speakers, one of them in test,
    no speaker is left to choose by (method: "not nested by speaker")."""
    tunable = len(registry.get(experiment.model).grid(settings.Models())) > 1
    few = gathered[experiment.selection].n_speakers < 3
    return tunable and not experiment.fixed and few and experiment.protocol == "speaker_independent"


def borrowed(
    experiment: Experiment, gathered: Mapping[str, Material], *, config: Config, store: Store
) -> dict[str, Any]:
    """What the other corpora chose by their speaker folds, for the same feature and model: the median where one
    number is chosen, else the commonest choice."""
    chosen, league = [], set(ladder.league(config, ladder.possible(gathered)))
    for selection in gathered:
        lender = dataclasses.replace(experiment, selection=selection)
        if lender == experiment or lender not in league or borrows(lender, gathered):
            continue
        rows = predictions(lender, gathered, config=config, store=store)
        chosen += [json.loads(text) for text in rows[rows["role"] == "test"].groupby("fold")["params"].first()]
    if not chosen:
        return registry.get(experiment.model).fixed(config.models)
    if all(list(params) == ["C"] for params in chosen):
        return {"C": float(np.sort([params["C"] for params in chosen])[len(chosen) // 2])}
    return json.loads(pd.Series([json.dumps(params) for params in chosen]).mode()[0])


def _in_two_rounds(experiments: list[Experiment], gathered, config: Config, store: Store):
    """Jobs that choose for themselves, and a call that gives those that borrow from them."""
    borrowers = [e for e in experiments if borrows(e, gathered)]
    first = [jobs.make(e, gathered, None, config, store) for e in experiments if e not in borrowers]

    def second() -> list[Job]:
        lent = {e: borrowed(e, gathered, config=config, store=store) for e in borrowers}
        return [jobs.make(e, gathered, lent[e], config, store) for e in borrowers]

    return first, second


def _scores_of(ready: list[Job], config: Config, store: Store) -> dict[Experiment, pd.DataFrame]:
    is_kept = partial(_has_scores, config=config)
    carry_out(ready, is_kept, _score, config, store)
    return {job.experiment: _score(job, config=config, store=store) for job in ready}


def carry_out(
    ready: list[Job], is_kept: Callable[[Job, Store], bool], work: Callable, config: Config, store: Store
) -> None:
    """Do the work of the jobs that are not kept: the largest first, spread over the workers; networks here.

    Parameters
    ----------
    work : ``work(job, config=config, store=store)`` keeps what it makes; importable at top level

    Raises
    ------
    RuntimeError
        Some jobs failed; what the others made is kept, and the message names the failed ones.
    """
    todo = [job for job in ready if not is_kept(job, store)]
    lost = jobs.extract_first(todo, config, store)
    failures = [f"{experiment.name}: {reason}" for experiment, reason in lost.items()]
    todo = sorted((job for job in todo if job.experiment not in lost), key=lambda job: -jobs.cost(job))
    call = partial(work, config=config, store=store)
    for some, n_jobs, label in (
        ([job for job in todo if not job.is_deep], config.run.jobs, "experiments"),
        ([job for job in todo if job.is_deep], 1, "networks"),
    ):
        shown = label if some else ""
        for job, value in map_clips(call, some, jobs=n_jobs, label=shown, unit=label, batch=1):
            if isinstance(value, Failure):
                failures.append(f"{job.experiment.name}: {value.reason}")
    if failures:
        print("\n".join(failures), file=sys.stderr)
        raise RuntimeError(
            f"{len(failures)} of {len(ready)} experiments failed, first {failures[0].rstrip('.')}. "
            "The others are kept; run again."
        )


def _score_parts(job: Job, config: Config) -> dict[str, Any]:
    told = list(metrics.COUNT_METRICS)
    return {"predictions": job.parts, "evaluation": config.evaluation, "version": jobs.VERSION, "metrics": told}


def _has_scores(job: Job, store: Store, *, config: Config) -> bool:
    path = store.path(jobs.file_of("scores", job), _score_parts(job, config), ".parquet")
    return store.is_fresh(path) and read_table(path) is not None


def _score(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """Scores of one experiment; runs in any process."""

    def make() -> pd.DataFrame:
        table = jobs.predict(job, config=config, store=store)
        random = settings.rng(config, f"scores/{job.experiment.name}")
        per_draw = job.experiment.draws > 1
        measure = tables.scores_by_draw if per_draw else tables.scores
        scored = measure(table, job.material.clips, evaluation=config.evaluation, rng=random)
        return pd.concat([scored, _valid_uar(table, scored)], ignore_index=True)

    return store.cached(jobs.file_of("scores", job), _score_parts(job, config), make)


def _valid_uar(table: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """The UAR on valid rows, by which systems are chosen; no row where there are none."""
    valid = table[table["role"] == "valid"]
    if valid.empty:
        return scored.iloc[:0]
    row = scored.iloc[:1].assign(metric="uar_valid", value=metrics.uar_of(valid), low=np.nan, high=np.nan, interval="")
    return row.assign(n=valid["clip_id"].nunique())
