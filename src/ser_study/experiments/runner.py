"""Run experiments → predictions and scores, each cached by all it depends on."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.config import Config
from ser_study.evaluation import metrics, tables
from ser_study.experiments import coding, execute, ledger, published, spreading
from ser_study.experiments.benchmark import benchmark, possible
from ser_study.experiments.execute import Job
from ser_study.experiments.experiment import BY_SPEAKER, Experiment
from ser_study.experiments.selections import Selection
from ser_study.models import registry
from ser_study.parallel import Failure, parallel_map
from ser_study.store import PREDICTED, Store, note

Selections = Mapping[str, Selection]

SLOW = {  # rough seconds a thousand clips, of what is not quick
    **{"logistic": 3, "linear_svm": 5, "pca_lda": 2, "bagged_lda": 5, "lda_004": 20, "bagged_lda_004": 40},
    **dict.fromkeys(("forest", "lightgbm", "xgboost", "mlp", "gradient_boosting", "hist_boosting", "adaboost"), 8),
    **dict.fromkeys(("forest_001", "forest_gini_001", "forest_002", "lightgbm_002", "mlp_002"), 60),
    **{"mlp_001": 150, "xgboost_002": 15},
}


def scores(
    experiments: Iterable[Experiment],
    selections: Selections,
    *,
    config: Config,
    store: Store,
    undeclared: bool = False,
    read: Collection[str] = published.SCORES,
) -> pd.DataFrame:
    """Scores of experiments, computed where they are not cached.

    Parameters
    ----------
    experiments : declarations; duplicates are run once
    selections : by name, with those that hyperparameters may be transferred from
    undeclared : log the evaluations as of experiments that no run declares
    read : what is published of them, see ``published``; with its ``LABELS`` there are no scores of probabilities

    Returns
    -------
    Tidy table, one row an experiment and metric; columns as ``reports/<run>/tables/scores.csv``.

    Raises
    ------
    RuntimeError
        Some experiments failed; the others are cached, and the message names the failed ones.
    """
    experiments = list(dict.fromkeys(experiments))
    ready = _in_two_rounds(experiments, selections, partial(_has_scores, config=config), _score, config, store)
    _note(ready, read, store)
    by_experiment = {job.experiment: _score(job, config=config, store=store) for job in ready}
    table = pd.concat([by_experiment[e] for e in experiments], ignore_index=True)
    declarations = {name: ledger.UNDECLARED * undeclared + known for name, known in _declarations(ready).items()}
    ledger.log_test_evaluations(declarations, table, store)
    return table[table["metric"].map(_of_labels)].reset_index(drop=True) if read == published.LABELS else table


def _of_labels(metric: str) -> bool:
    """Whether a metric needs no probabilities."""
    return metric in metrics.COUNT_METRICS or metric.startswith(("uar_", "recall_"))


def predict(
    experiments: Iterable[Experiment],
    selections: Selections,
    *,
    config: Config,
    store: Store,
    read: Collection[str] = published.ALL,
) -> dict[Experiment, pd.DataFrame]:
    """Predictions of several experiments, computed in parallel where they are not cached; networks one by one.

    What is ``read`` of them is published, see ``published``; probabilities and clips that are not read are left out.
    Every experiment with test rows is a test-set evaluation, logged with the UAR of those rows (mean over draws).

    Raises
    ------
    RuntimeError
        Some experiments failed; the others are cached, and the message names the failed ones.
    """
    experiments = list(dict.fromkeys(experiments))
    ready = _in_two_rounds(experiments, selections, execute.is_cached, execute.predict, config, store)
    _note(ready, read, store)
    tables_of = {job.experiment: execute.predict(job, config=config, store=store) for job in ready}
    if tables_of:
        rows = pd.concat([ledger.test_uar(table) for table in tables_of.values()], ignore_index=True)
        ledger.log_test_evaluations(_declarations(ready), rows, store)
    return {experiment: _as_read(tables_of[experiment], read) for experiment in experiments}


def predict_validation(
    experiments: Iterable[Experiment], selections: Selections, *, config: Config, store: Store
) -> dict[Experiment, pd.DataFrame]:
    """Truth and prediction of validation rows: no test row is shown, so nothing is logged."""
    experiments = list(dict.fromkeys(experiments))
    ready = _in_two_rounds(experiments, selections, execute.is_cached, execute.predict, config, store)
    _note(ready, published.VALIDATION_LABELS, store)
    made = {job.experiment: execute.predict(job, config=config, store=store) for job in ready}
    validation = {one: table[table["role"] == "validation"].reset_index(drop=True) for one, table in made.items()}
    return {experiment: _as_read(validation[experiment], published.VALIDATION_LABELS) for experiment in experiments}


def _as_read(table: pd.DataFrame, read: Collection[str]) -> pd.DataFrame:
    """Predictions with no other probabilities and clips than those that are read, which are all that is published."""
    proba = [name for name in table.columns if name.startswith("p_")]
    with_p = [role for role in table["role"].unique() if role + published.WITH_P in read]
    if not with_p:
        return table.drop(columns=[*proba, "clip_id"] if read == published.COUNTS else proba)
    return table.assign(**table[proba].where(table["role"].isin(with_p)))


def predictions(experiment: Experiment, selections: Selections, *, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of one experiment, cached or computed now."""
    job = job_of(experiment, selections, config=config, store=store)
    table = execute.predict(job, config=config, store=store)
    _note([job], published.LABELS, store)
    return table


def job_of(experiment: Experiment, selections: Selections, *, config: Config, store: Store) -> Job:
    """Job of one experiment, with hyperparameters from other corpora where it cannot choose its own."""
    params = None
    if needs_transfer(experiment, selections):
        params = transferred(experiment, selections, config=config, store=store)
    return execute.make(experiment, selections, params, config, store)


def needs_transfer(experiment: Experiment, selections: Selections) -> bool:
    """Whether hyperparameters come from other corpora: with two speakers, one of them in test,
    no speaker is left to choose by (method: "not nested by speaker")."""
    tunable = len(registry.get(experiment.model).grid(settings.Models())) > 1
    few = selections[experiment.selection].n_speakers < 3 and not (experiment.others or experiment.leak)
    return tunable and not experiment.fixed and few and experiment.protocol in BY_SPEAKER


def transferred(experiment: Experiment, selections: Selections, *, config: Config, store: Store) -> dict[str, Any]:
    """What the other corpora chose by their speaker folds, for the same feature and model: the median where one
    number is chosen, else the commonest choice."""
    chosen, declared = [], set(benchmark(config, possible(selections, config)))
    for selection in selections:
        other = dataclasses.replace(experiment, selection=selection, protocol=BY_SPEAKER[0])
        if selection == experiment.selection or other not in declared or needs_transfer(other, selections):
            continue
        rows = predictions(other, selections, config=config, store=store)
        chosen += [json.loads(text) for text in rows[rows["role"] == "test"].groupby("fold")["params"].first()]
    if not chosen:
        return registry.get(experiment.model).fixed(config.models)
    if all(list(params) == ["C"] for params in chosen):
        return {"C": float(np.sort([params["C"] for params in chosen])[len(chosen) // 2])}
    return json.loads(pd.Series([json.dumps(params) for params in chosen]).mode()[0])


def _cost(job: Job) -> float:
    """Rough seconds, only to start the longest first."""
    weight = SLOW.get(job.experiment.model, 0.1)
    is_wide = features.is_pretrained(job.experiment.feature) or "compare" in execute.feature_names(job.experiment)
    grand = 30 if is_wide else 1  # thousands of columns
    folds = 6 if job.experiment.protocol == "speaker_and_sentence" else 1
    return len(job.selection.clips) * weight * grand * folds * job.experiment.draws


def run_jobs(
    ready: list[Job], is_cached: Callable[[Job, Store], bool], work: Callable, config: Config, store: Store
) -> None:
    """Do the work of the jobs that are not cached: the largest first, spread over the workers; networks here, unless
    there is a cluster.

    Parameters
    ----------
    work : ``work(job, config=config, store=store)`` caches what it makes; importable at top level

    Raises
    ------
    RuntimeError
        Some jobs failed; what the others made is cached, and the message names the failed ones.
    """
    todo = [job for job in ready if not is_cached(job, store)]
    unavailable = execute.extract_features(todo, config, store)
    failures = [f"{experiment.name}: {reason}" for experiment, reason in unavailable.items()]
    todo = sorted((job for job in todo if job.experiment not in unavailable), key=lambda job: -_cost(job))
    call = partial(work, config=config, store=store)
    if config.run.cluster:
        call = partial(spreading.work_on, work=work, config=config, store=store)
        todo = [spreading.stored_job(job, store) for job in todo]
    for some, n_jobs, label in (
        ([job for job in todo if not job.is_deep], config.run.jobs, "experiments"),
        ([job for job in todo if job.is_deep], 1, "networks"),
    ):
        options = {"jobs": n_jobs, "cluster": config.run.cluster if some else ""}
        for job, value in parallel_map(call, some, label=label if some else "", unit=label, batch=1, **options):
            if isinstance(value, Failure):
                failures.append(f"{job.experiment.name}: {value.reason}")
    if failures:
        print("\n".join(failures), file=sys.stderr)
        raise RuntimeError(
            f"{len(failures)} of {len(ready)} experiments failed, first {failures[0].rstrip('.')}. "
            "The others are cached; run again."
        )


def _in_two_rounds(experiments: list[Experiment], selections, is_cached, work, config, store) -> list[Job]:
    """Run the jobs that choose for themselves, then those whose hyperparameters are transferred from them."""
    waiting = [e for e in experiments if needs_transfer(e, selections)]
    first = [execute.make(e, selections, None, config, store) for e in experiments if e not in waiting]
    run_jobs(first, is_cached, work, config, store)
    params = {e: transferred(e, selections, config=config, store=store) for e in waiting}
    second = [execute.make(e, selections, params[e], config, store) for e in waiting]
    run_jobs(second, is_cached, work, config, store)
    return first + second


def _note(jobs: Iterable[Job], read: Collection[str], store: Store) -> None:
    """Have the run publish what is read of predictions."""
    for job in jobs:
        note(f"{PREDICTED}{','.join(read)} {execute.path_of(job, store).relative_to(store.derived).as_posix()}")


def _declarations(jobs: list[Job]) -> dict[str, str]:
    """Experiment → hash of its declaration; shuffled labels evaluate nobody's test set."""
    return {j.experiment.name: ledger.declaration_of(j.cache_key) for j in jobs if not j.experiment.shuffle}


def _score_key(job: Job, config: Config) -> dict[str, Any]:
    measured = list(metrics.COUNT_METRICS)
    return {
        "predictions": job.cache_key,
        "evaluation": config.evaluation,
        "version": execute.VERSION,
        "metrics": measured,
        "resamples": 2,  # 1 drew other speakers for each experiment
        "coding": [coding.STEPS, coding.VERSION],
    }


def _has_scores(job: Job, store: Store, *, config: Config) -> bool:
    return store.is_fresh(store.path(execute.artefact_name("scores", job), _score_key(job, config), ".parquet"))


def _score(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """Scores of one experiment; runs in any process."""

    def make() -> pd.DataFrame:
        table = execute.predict(job, config=config, store=store)
        random = settings.rng(config, settings.SCORES)
        per_draw = job.experiment.draws > 1
        measure = tables.scores_by_draw if per_draw else tables.scores
        scored = measure(table, job.selection.clips, evaluation=config.evaluation, rng=random)
        return pd.concat([scored, _validation_uar(table, scored)], ignore_index=True)

    return store.cached(execute.artefact_name("scores", job), _score_key(job, config), make)


def _validation_uar(table: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """The UAR on validation rows, by which systems are chosen; no row where there are none."""
    validation = table[table["role"] == "validation"]
    if validation.empty:
        return scored.iloc[:0]
    value = metrics.uar_of(validation)
    row = scored.iloc[:1].assign(metric="uar_validation", value=value, low=np.nan, high=np.nan, interval="")
    return row.assign(n=validation["clip_id"].nunique())
