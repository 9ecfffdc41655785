"""Accuracy of the rebuilt classical models on what they were fitted on, inside the training part, and on the list.

Conventions
-----------
``train`` is scored on the very rows a model was fitted on, augmented copies included, by a refit with the first
training seed. ``inside`` is cross-validation within the training part of the list, where a clip and its copies are
never on both sides. ``test`` and ``new_speakers`` are means over predictions that exist already: the folds of the
refit hold training rows only, so this is no test-set evaluation.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ser_study import config as settings
from ser_study import training
from ser_study.chapters.baselines.results import Result
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import baselines, execute, folds, runner
from ser_study.experiments.baseline_results import by_draw
from ser_study.experiments.baselines import Baseline
from ser_study.experiments.execute import Job
from ser_study.experiments.experiment import Experiment
from ser_study.models import registry
from ser_study.store import Store
from ser_study.study import Study

VERSION = 1  # rises when a cached score gives another number
LEFT_OUT = ("mlp_001", "forest_gini_001")  # many minutes a fit; and forest_001 over again with another criterion
COLUMNS = ["id", "model", "n_train", "train", "inside", "test", "new_speakers"]


def table(results: Mapping[str, Result], study: Study) -> pd.DataFrame:
    """One line a rebuilt classical model (``COLUMNS``); empty where the settings leave it out."""
    config, store = study.config, study.store
    declared = {(one.id, e.model): e for one in results.values() for e in classical(one.baseline, config)}
    if not config.baselines.gaps or not declared:
        return pd.DataFrame(columns=COLUMNS)
    refits = {key: execute.make(e, study.baselines, None, config, store) for key, e in declared.items()}
    runner.run_jobs(list(refits.values()), _is_cached, training_accuracy, config, store)
    within = {key: inside(e) for key, e in declared.items()}
    validation = study.predict_validation(within.values())
    lines = []
    for key in declared:
        name, model = key
        refit = training_accuracy(refits[key], config=config, store=store).iloc[0]
        honest = results[name].rebuilt_honest.get(model)
        lines.append(
            {
                "id": name,
                "model": model,
                "n_train": int(refit["n_train"]),
                "train": refit["accuracy"],
                "inside": metrics.accuracy_of(validation[within[key]]),
                "test": by_draw(results[name].rebuilt[model], "accuracy").mean(),
                "new_speakers": None if honest is None else by_draw(honest, "accuracy").mean(),
            }
        )
    return pd.DataFrame(lines, columns=COLUMNS).astype({"new_speakers": float})


def classical(baseline: Baseline, config: Config) -> list[Experiment]:
    """The classical rebuilt models of a project on its list, fitted once; without those that take minutes."""
    return [
        dataclasses.replace(e, draws=1)
        for name, e in baselines.rebuilds(baseline, config).items()
        if registry.get(name).family != "deep" and name not in LEFT_OUT
    ]


def inside(on_list: Experiment) -> Experiment:
    """The same model cross-validated within the training part of its list; nothing is chosen."""
    return dataclasses.replace(on_list, protocol="baseline_inner")


def training_accuracy(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """Accuracy of a model on the rows it was fitted on: ``n_train, accuracy``, one row; cached."""

    def make() -> pd.DataFrame:
        values, truth = execute.features_and_classes(job, config, store)
        split = folds.folds_of(job.experiment, job.selection, truth, config, store, 0)
        train = split[split["role"] == "train"]
        both = pd.concat([train, train.assign(role="test")], ignore_index=True)  # scored on its own training rows
        model = job.experiment.model
        task = training.Task(model, registry.get(model).fixed(config.models), keep_validation=False)
        seed = settings.random_state(config, f"{model}/0")
        predictions = training.run_folds(values, truth, both, task, models=config.models, seed=seed)
        return pd.DataFrame({"n_train": [len(train)], "accuracy": [metrics.accuracy_of(predictions)]})

    return store.cached(execute.artefact_name("fitted_rows", job), _cache_key(job), make)


def _cache_key(job: Job) -> dict[str, Any]:
    return {"predictions": job.cache_key, "rows": "train", "version": VERSION}


def _is_cached(job: Job, store: Store) -> bool:
    return store.is_fresh(store.path(execute.artefact_name("fitted_rows", job), _cache_key(job), ".parquet"))
