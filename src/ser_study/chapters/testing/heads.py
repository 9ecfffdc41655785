"""The fitted heads of an experiment, fold by fold, each with the test clips that it was fitted without."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ser_study.experiments import execute, runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.models.linear_head import LinearHead
from ser_study.recognizer import fitting
from ser_study.study import Study

Heads = Sequence[tuple[LinearHead, np.ndarray]]  # each with the names of its test clips


def job_of(one: Experiment, study: Study) -> execute.Job:
    """The job of an experiment."""
    return runner.job_of(one, study.selections, config=study.config, store=study.store)


def key_of(one: Experiment, study: Study) -> dict[str, Any]:
    """All that the heads of an experiment depend on."""
    return {**job_of(one, study).cache_key, "head": fitting.VERSION}


def heads(one: Experiment, study: Study, *, number: int | None = None) -> Heads:
    """The heads of the first ``number`` folds, or of all, each with the names of its test clips.

    Heads are those that give the predictions of the experiment, see ``recognizer.fitting``; a fold whose training
    clips lack a class has none and is left out.
    """
    config, store, job = study.config, study.store, job_of(one, study)
    _, truth = execute.features_and_classes(job, config, store)
    folds, done = folds_of(one, job.selection, truth, config, store, 0), []
    for fold, rows in folds.groupby(["repeat", "fold"], sort=True):
        is_test = rows["role"] == "test"
        if len(done) != number and truth.loc[rows.loc[~is_test, "clip_id"]].nunique() == truth.nunique():
            fitted = fitting.fit(one, study.selections, config=config, store=store, fold=tuple(map(int, fold)))
            done.append((fitted.head, rows.loc[is_test, "clip_id"].to_numpy()))
    return done
