"""Run experiments → predictions and scores, each kept by what it rests on."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from ser_study import config as settings
from ser_study import features, schema, splits, training
from ser_study.audio import augment
from ser_study.config import Config
from ser_study.evaluation import metrics, tables
from ser_study.experiments import ladder, ledger
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.models import classical
from ser_study.parallel import Failure, map_clips
from ser_study.store import Store, read_table

VERSION = 1  # rises when folds, fitting or scoring give other numbers
KEEPS_VALID = ("speaker_independent",)  # their valid rows choose the headline system


@dataclass(frozen=True)
class Job:
    """One experiment with everything that travels to a worker."""

    experiment: Experiment
    material: Material
    params: Mapping[str, Any] | None  # hyperparameters from other corpora; None: choose inside
    parts: Mapping[str, Any]  # what the predictions depend on


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
    borrowers = [e for e in experiments if borrows(e, gathered)]
    first = [_job(e, gathered, None, config, store) for e in experiments if e not in borrowers]
    done = _run_jobs(first, config, store)
    lent = {e: borrowed(e, gathered, config=config, store=store) for e in borrowers}
    second = [_job(e, gathered, lent[e], config, store) for e in borrowers]
    done |= _run_jobs(second, config, store)
    table = pd.concat([done[e] for e in experiments], ignore_index=True)
    looked = {j.experiment.name: ledger.declaration_of(j.parts) for j in first + second if not j.experiment.shuffle}
    ledger.record(looked, table, store)
    return table


def predictions(
    experiment: Experiment, gathered: Mapping[str, Material], *, config: Config, store: Store
) -> pd.DataFrame:
    """Predictions of one experiment, from the store or computed now."""
    params = borrowed(experiment, gathered, config=config, store=store) if borrows(experiment, gathered) else None
    return _predict(_job(experiment, gathered, params, config, store), config, store)


def borrows(experiment: Experiment, gathered: Mapping[str, Material]) -> bool:
    """Whether hyperparameters come from other corpora: with two speakers, one of them in test,
    no speaker is left to choose by (method: "not nested by speaker")."""
    tunable = len(classical.get(experiment.model).grid(settings.Models())) > 1
    few = gathered[experiment.selection].n_speakers < 3
    return tunable and not experiment.fixed and few and experiment.protocol == "speaker_independent"


def borrowed(
    experiment: Experiment, gathered: Mapping[str, Material], *, config: Config, store: Store
) -> dict[str, Any]:
    """Median of what the other corpora chose by their speaker folds, for the same feature and model."""
    chosen, league = [], set(ladder.league(config, gathered))
    for selection in gathered:
        lender = dataclasses.replace(experiment, selection=selection)
        if lender == experiment or lender not in league or borrows(lender, gathered):
            continue
        rows = _predict(_job(lender, gathered, None, config, store), config, store)
        chosen += [json.loads(text)["C"] for text in rows[rows["role"] == "test"].groupby("fold")["params"].first()]
    if not chosen:
        return classical.get(experiment.model).fixed(config.models)
    return {"C": float(np.sort(chosen)[len(chosen) // 2])}


def _job(experiment: Experiment, gathered: Mapping[str, Material], params, config: Config, store: Store) -> Job:
    material = gathered[experiment.selection]
    if experiment.sources:
        material = materials.together(material, [gathered[name] for name in experiment.sources])
    model = classical.get(experiment.model)
    parts = {
        "experiment": experiment.declaration(),
        "clips": material.digest,
        "features": features.get(experiment.feature).settings(config),
        "model": {name: getattr(config.models, name) for name in model.uses},
        "params": params,
        "seed": config.seed,
        "folds": splits.committed_hash(experiment.selection, experiment.protocol, store.project / "data" / "folds"),
        "versions": [VERSION, sklearn.__version__, *(version(name) for name in model.libraries)],
    }
    if experiment.leak:
        parts["augmentation"] = [augment.VERSION, materials.N_VARIANTS]
    return Job(experiment, material, params, parts)


def _run_jobs(jobs: list[Job], config: Config, store: Store) -> dict[Experiment, pd.DataFrame]:
    """Scores of jobs; the ones not kept are spread over the workers, the largest first."""
    kept = {job.experiment: _kept_scores(job, config, store) for job in jobs}
    todo = [job for job in jobs if kept[job.experiment] is None]
    _extract_first(todo, config, store)
    todo.sort(key=lambda job: -_cost(job))
    failures = []
    work = partial(_score, config=config, store=store)
    label = "experiments" if todo else ""
    for job, value in map_clips(work, todo, jobs=config.run.jobs, label=label, unit="experiments", batch=1):
        if isinstance(value, Failure):
            failures.append(f"{job.experiment.name}: {value.reason}")
        else:
            kept[job.experiment] = value
    if failures:
        print("\n".join(failures), file=sys.stderr)
        raise RuntimeError(
            f"{len(failures)} of {len(jobs)} experiments failed, first {failures[0].rstrip('.')}. "
            "The others are kept; run again."
        )
    return kept


def _extract_first(jobs: list[Job], config: Config, store: Store) -> None:
    """Extract what the jobs need before they start, so that no two workers extract the same."""
    needed = {(j.experiment.feature, j.experiment.selection, bool(j.experiment.leak)): j.material for j in jobs}
    for (feature, _, leak), material in needed.items():
        for variant in range(1 + materials.N_VARIANTS * leak):
            features.load(feature, material.clips, config=config, store=store, variant=variant)


def _cost(job: Job) -> float:
    """Rough seconds, only to start the longest first."""
    weight = {"forest": 8, "lightgbm": 8, "linear_svm": 5, "logistic": 3}.get(job.experiment.model, 0.1)
    grand = 30 if job.experiment.feature == "compare" else 1
    folds = 6 if job.experiment.protocol == "speaker_and_sentence" else 1
    return len(job.material.clips) * weight * grand * folds * job.experiment.draws


def _score_parts(job: Job, config: Config) -> dict[str, Any]:
    return {"predictions": job.parts, "evaluation": config.evaluation, "version": VERSION}


def _kept_scores(job: Job, config: Config, store: Store) -> pd.DataFrame | None:
    path = store.path(_file("scores", job), _score_parts(job, config), ".parquet")
    return read_table(path) if store.is_fresh(path) else None


def _file(kind: str, job: Job) -> str:
    return f"{kind}/{job.experiment.name.replace('/', '_')}"


def _score(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """Scores of one experiment; runs in any process."""

    def make() -> pd.DataFrame:
        table = _predict(job, config, store)
        random = settings.rng(config, f"scores/{job.experiment.name}")
        per_draw = job.experiment.draws > 1
        measure = tables.scores_by_draw if per_draw else tables.scores
        scored = measure(table, job.material.clips, evaluation=config.evaluation, rng=random)
        return pd.concat([scored, _valid_uar(table, scored)], ignore_index=True)

    return store.cached(_file("scores", job), _score_parts(job, config), make)


def _valid_uar(table: pd.DataFrame, scored: pd.DataFrame) -> pd.DataFrame:
    """The UAR on valid rows, by which systems are chosen; no row where there are none."""
    valid = table[table["role"] == "valid"]
    if valid.empty:
        return scored.iloc[:0]
    classes = sorted(set(valid["truth"]) | set(valid["prediction"]))
    value = float(metrics.uar(metrics.confusion(valid["truth"], valid["prediction"], classes)))
    row = scored.iloc[:1].assign(metric="uar_valid", value=value, low=np.nan, high=np.nan, interval="")
    return row.assign(n=valid["clip_id"].nunique())


def _predict(job: Job, config: Config, store: Store) -> pd.DataFrame:
    return store.cached(_file("predictions", job), job.parts, partial(_computed, job, config, store))


def _computed(job: Job, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of every draw of an experiment."""
    experiment, material = job.experiment, job.material
    truth = materials.classes_of(material, experiment.scheme)
    values = _feature_values(job, config, store)
    truth = truth[truth.index.isin(values.clip_id)]
    keep_valid = experiment.protocol in KEEPS_VALID and not experiment.fixed
    params = classical.get(experiment.model).fixed(config.models) if experiment.fixed else job.params
    task = training.Task(experiment.model, params, keep_valid)
    draws = []
    for draw in range(experiment.draws):
        random = settings.rng(config, f"labels/{experiment.name}/{draw}")
        labelled = (
            materials.shuffled(truth, material.clips, experiment.shuffle, random) if experiment.shuffle else truth
        )
        folds = materials.folds_of(experiment, material, labelled, config, store, draw)
        seed = settings.random_state(config, f"{experiment.model}/{draw}")
        table = training.run_folds(values, labelled, folds, task, models=config.models, seed=seed)
        draws.append(table.assign(draw=draw, seed=seed))
    return _complete(pd.concat(draws, ignore_index=True), experiment)


def _feature_values(job: Job, config: Config, store: Store) -> schema.FeatureSet:
    """Features of the job's clips; the leaking rung also gets the augmented copies."""
    n_variants = 1 + materials.N_VARIANTS * (job.experiment.leak == "augment_before_split")
    sets = [
        features.load(job.experiment.feature, job.material.clips, config=config, store=store, variant=variant)
        for variant in range(n_variants)
    ]
    return schema.FeatureSet(
        job.experiment.feature,
        np.concatenate([part.clip_id for part in sets]),
        np.concatenate([part.variant for part in sets]),
        np.concatenate([part.values for part in sets]),
        sets[0].columns,
    )


def _complete(table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Predictions with the columns that say where they come from."""
    table = table.assign(
        experiment=experiment.name,
        corpus=experiment.selection,
        scheme=experiment.scheme,
        protocol=experiment.protocol,
        feature=experiment.feature,
        model=experiment.model,
        leak=experiment.leak,
    )
    first = list(schema.PREDICTION_COLUMNS) + ["corpus", "feature", "draw", "leak", "params"]
    return schema.check_predictions(table[first + [c for c in table.columns if c.startswith("p_")]])
