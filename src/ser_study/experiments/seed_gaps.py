"""Accuracy of the rebuilt classical models on what they were fitted on, inside the training part, and on the list.

Conventions
-----------
``train`` is scored on the very rows a model was fitted on, augmented copies included, by a refit with the first
training seed. ``inside`` is cross-validation within the training part of the list, where a clip and its copies are
never on both sides. ``test`` and ``new_speakers`` are means over what was answered already: the folds of the refit
hold training rows only, so no test row is looked at here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from ser_study import config as settings
from ser_study import training
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import further, jobs, run, seed_results, seeds
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.jobs import Job
from ser_study.experiments.seed_results import Row
from ser_study.models import registry
from ser_study.store import Store
from ser_study.words import listed, minus, share, word

VERSION = 1  # rises when a kept score gives another number
LEFT_OUT = ("mlp_001", "forest_gini_001")  # many minutes a fit; and forest_001 over again with another criterion
BY_HEART = 0.99  # accuracy on its own training rows from which a model counts as knowing them by heart
COLUMNS = ["id", "model", "n_train", "train", "inside", "test", "new_speakers"]
LABELS: Mapping[str, str] = {
    "n_train": "training rows",
    "train": "on these rows",
    "inside": "cross-validated inside",
    "test": "published list",
    "new_speakers": "new speakers",
}


def table(rows: Sequence[Row], *, config: Config, store: Store) -> pd.DataFrame:
    """One line a rebuilt classical model (``COLUMNS``); empty where the run does not ask for ``gaps``."""
    declared = {(row.system.id, e.model): (row, e) for row in rows for e in classical(row.system, config)}
    if not further.asked("gaps", config) or not declared:
        return pd.DataFrame(columns=COLUMNS)
    gathered = {row.system.selection: row.material for row in rows}
    made = {key: jobs.make(e, gathered, None, config, store) for key, (_, e) in declared.items()}
    run.carry_out(list(made.values()), _is_kept, fitted_rows, config, store)
    within = {key: inside(e) for key, (_, e) in declared.items()}
    told = run.answers(within.values(), gathered, config=config, store=store, look=False)
    lines = []
    for (system, model), (row, _) in declared.items():
        refit = fitted_rows(made[system, model], config=config, store=store).iloc[0]
        honest = row.rebuilt_honest.get(model)
        lines.append(
            {
                "id": system,
                "model": model,
                "n_train": int(refit["n_train"]),
                "train": refit["accuracy"],
                "inside": metrics.accuracy_of(told[within[system, model]]),
                "test": seed_results.by_draw(row.rebuilt[model], "accuracy").mean(),
                "new_speakers": None if honest is None else seed_results.by_draw(honest, "accuracy").mean(),
            }
        )
    return pd.DataFrame(lines, columns=COLUMNS).astype({"new_speakers": float})


def classical(system: seeds.System, config: Config) -> list[Experiment]:
    """The classical rebuilt models of a system on its list, fitted once; without those that take minutes."""
    return [
        dataclasses.replace(e, draws=1)
        for name, e in seeds.rebuilds(system, config).items()
        if registry.get(name).family != "deep" and name not in LEFT_OUT
    ]


def inside(listed: Experiment) -> Experiment:
    """The same model cross-validated within the training part of its list; nothing is chosen."""
    return dataclasses.replace(listed, protocol="seed_inner")


def fitted_rows(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """Accuracy of a model on the rows it was fitted on: ``n_train, accuracy``, one row; kept."""

    def make() -> pd.DataFrame:
        values, truth = jobs.ready(job, config, store)
        folds = materials.folds_of(job.experiment, job.material, truth, config, store, 0)
        train = folds[folds["role"] == "train"]
        both = pd.concat([train, train.assign(role="test")], ignore_index=True)  # answered by whom it has taught
        model = job.experiment.model
        task = training.Task(model, registry.get(model).fixed(config.models), keep_valid=False)
        seed = settings.random_state(config, f"{model}/0")
        told = training.run_folds(values, truth, both, task, models=config.models, seed=seed)
        return pd.DataFrame({"n_train": [len(train)], "accuracy": [metrics.accuracy_of(told)]})

    return store.cached(jobs.file_of("fitted_rows", job), _parts(job), make)


def _parts(job: Job) -> dict[str, Any]:
    return {"predictions": job.parts, "rows": "train", "version": VERSION}


def _is_kept(job: Job, store: Store) -> bool:
    return store.is_fresh(store.path(jobs.file_of("fitted_rows", job), _parts(job), ".parquet"))


def caption(config: Config) -> str:
    """What the columns are."""
    return (
        "Accuracy of their classical models: on the rows of one fit, augmented copies included; inside the training "
        f"part by cross-validation in {config.seeds.inner_folds} folds; on the list, mean over training seeds; and on "
        f"new speakers, where they were run there. Left out for their time: {listed(map(word, LEFT_OUT))}."
    )


def words(gaps: pd.DataFrame) -> str:
    """How many know their training rows by heart, and what each step further away costs."""
    by_heart = int((gaps["train"] >= BY_HEART).sum())
    fit, split = 100 * (gaps["train"] - gaps["inside"]), 100 * (gaps["test"] - gaps["inside"])
    widest = gaps.loc[fit.idxmax()]
    text = (
        f"{by_heart} of {len(gaps)} models have at least {share(BY_HEART)} of their own training rows right. "
        f"Cross-validated inside the training part they lose {fit.mean():.1f} points on average, most of all "
        f"{word(widest['model'])} ({share(widest['train'])} to {share(widest['inside'])}). On the published list they "
        f"are {abs(split.mean()):.1f} points {'above' if split.mean() >= 0 else 'below'} the score inside, whose fits "
        "have fewer rows."
    )
    known = gaps[gaps["new_speakers"].notna()]
    if known.empty:
        return text
    apart = 100 * (known["test"] - known["new_speakers"]).mean()
    return (
        f"{text} None of the three shows what known voices give: new speakers cost the list's figure {minus(apart)} "
        f"points (models run there: {len(known)})."
    )
