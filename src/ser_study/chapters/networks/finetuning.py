"""The fine-tuned encoder, fold by fold: what does CAM++ gain when it learns emotions itself, not only a head on it?

Trained on speaker folds, a few of them as the settings say, since a fold costs minutes on a CPU. The three stages
are compared on the *validation* rows, whose speakers also stop the training, so those scores are a little too good,
alike for all stages. The test rows are predicted once, by the weights that the validation rows chose, and that
test-set evaluation is logged.
"""

from __future__ import annotations

from functools import partial

import pandas as pd

from ser_study import config as settings
from ser_study import features, finetuning, splits, training
from ser_study.audio import augment
from ser_study.chapters.networks import declare
from ser_study.config import Config
from ser_study.download import weights
from ser_study.experiments import execute, ledger
from ser_study.experiments.execute import Job
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.store import Store
from ser_study.study import Study
from ser_study.wording import listed


def predict(study: Study) -> dict[Experiment, pd.DataFrame]:
    """Predictions of the fine-tuned encoder on what ``declare.finetuned`` names; empty where that is nothing.

    A finished fold is never trained again, whatever the number of folds asked for.

    Returns
    -------
    Experiment → predictions of the first ``config.finetuning.folds`` folds, roles validation and test; ``params``
    holds the stages and learning curves.

    Raises
    ------
    ValueError
        The folds leave no validation speakers.
    ConnectionError
        The weights of CAM++ cannot be had.
    """
    return {one: _predict(one, study) for one in declare.finetuned(study.with_audio())}


def _predict(experiment: Experiment, study: Study) -> pd.DataFrame:
    job, config, store = _job(experiment, study), study.config, study.store
    n_folds = config.finetuning.folds
    cache_key = {**job.cache_key, "first": n_folds}
    make = partial(_computed, job, config, store)
    table = store.cached(execute.artefact_name("predictions", job), cache_key, make)
    declared = {**job.cache_key, "params": job.cache_key["params"] | {"folds": n_folds}}
    ledger.log_test_evaluations({experiment.name: ledger.declaration_of(declared)}, ledger.test_uar(table), store)
    return table


def _job(experiment: Experiment, study: Study) -> Job:
    """The experiment with what its folds depend on; how many of them are trained is no part of that."""
    part, config = study.selection(experiment.selection), study.config
    cache_key = {
        "experiment": experiment.declaration(),
        "clips": part.digest,
        "features": features.get(experiment.feature).settings(config),
        "model": {"version": finetuning.VERSION, "weights": weights.get("campplus").sha256},
        "params": settings.as_dict(config.finetuning) | {"folds": None},
        "seed": config.seed,
        "folds": splits.committed_hash(part.name, experiment.protocol, study.store.project / "data" / "folds"),
        "version": execute.VERSION,
        "libraries": features.get(experiment.feature).made_with(config),
        "augmentation": augment.VERSION,
        "training": settings.as_dict(config.training) | {"seeds": None},
    }
    return Job(experiment, part, None, cache_key)


def _computed(job: Job, config: Config, store: Store) -> pd.DataFrame:
    """Train and predict the folds that the settings ask for."""
    experiment, part = job.experiment, job.selection
    values, truth = execute.features_and_classes(job, config, store)
    folds = first_folds(folds_of(experiment, part, truth, config, store, 0), config.finetuning.folds)
    check_folds(folds, part.clips.set_index("clip_id")["speaker"])
    seed = settings.random_state(config, f"{experiment.model}/0")
    task = training.Task(experiment.model, build=finetuning.builder(config.finetuning))
    options = {"training": config.training, "fold_cache": execute.fold_cache(job, 0, store)}
    table = training.run_folds(values, truth, folds, task, models=config.models, seed=seed, **options)
    return execute.complete(table.assign(draw=0, seed=seed), experiment)


def first_folds(folds: pd.DataFrame, number: int) -> pd.DataFrame:
    """Rows of the first so many folds of a folds table, counted through its repeats."""
    kept = folds[["repeat", "fold"]].drop_duplicates().sort_values(["repeat", "fold"]).head(number)
    return folds.merge(kept, on=["repeat", "fold"])


def check_folds(folds: pd.DataFrame, speaker: pd.Series) -> None:
    """Raise where training could be stopped by what it was trained on.

    Parameters
    ----------
    folds : folds table with the augmented copies
    speaker : of each clip, indexed by ``clip_id``

    Raises
    ------
    ValueError
        An augmented copy is to be tested or to stop the training, or a fold has no validation rows of other speakers.
    """
    wrong = folds[(folds["role"] != "train") & (folds["variant"] > 0)]
    if len(wrong):
        raise ValueError(
            f"{len(wrong)} augmented rows are {listed(sorted(wrong['role'].unique()))} rows, first "
            f"{wrong['clip_id'].iloc[0]!r}; augmented copies may only be trained on."
        )
    for (_, fold), rows in folds.groupby(["repeat", "fold"]):
        speakers = {role: set(speaker.loc[part["clip_id"]]) for role, part in rows.groupby("role")}
        validation = speakers.get("validation", set())
        shared = validation & speakers["train"]
        if not validation or shared:
            raise ValueError(
                f"Fold {fold} has {len(validation)} validation speakers, {len(shared)} of them in training; "
                "fine-tuning is stopped by speakers it does not train on. Choose a selection of four speakers or more."
            )
