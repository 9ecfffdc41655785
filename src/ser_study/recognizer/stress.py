"""How the systems of experiments on new speakers stand degraded recordings.

Some test clips of a selection are degraded as they were read. The head of each fold predicts those of its test
speakers, whom it was not fitted on. The clean clips go the same way, so that they must get the study's predictions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.audio import degrade
from ser_study.audio.degrade import CLEAN, Condition
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.experiments import execute, ledger, runner
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection, classes_of
from ser_study.models.linear_head import LinearHead
from ser_study.parallel import Failure, parallel_map
from ser_study.recognizer import degraded, fitting
from ser_study.schema import FeatureSet, probability_columns, side_by_side
from ser_study.store import Store

VERSION = 1  # rises when the predictions of a condition change
AS_READ: Condition = (CLEAN, 0.0)
Heads = dict[tuple[Experiment, int], LinearHead]  # of an experiment and a fold of its first repeat


def chosen(test: pd.DataFrame, clips: pd.DataFrame, n_clips: int, random: np.random.Generator) -> list[str]:
    """Test clips that are degraded: classes in turn, and within a class speakers in turn, each from another one on.

    Parameters
    ----------
    test : rows with ``clip_id`` and ``truth``, each clip once
    clips : clips table
    n_clips : how many, at most

    Returns
    -------
    Ids, sorted. Classes and speakers have clips in equal numbers, as far as there are enough.
    """
    speaker = clips.set_index("clip_id")["speaker"].loc[test["clip_id"]].fillna("").to_numpy()
    rows = pd.DataFrame({"clip": test["clip_id"].to_numpy(), "truth": test["truth"].to_numpy(), "speaker": speaker})
    rows = rows.sort_values("clip").iloc[random.permutation(len(rows))]
    names, classes = random.permutation(np.unique(speaker)), np.unique(rows["truth"])
    quota = -(-n_clips // len(classes))
    place = pd.Index(names).get_indexer(rows["speaker"])
    number = np.searchsorted(classes, rows["truth"])
    rows["turn"] = rows.groupby(["truth", "speaker"]).cumcount()
    rows["after"] = (place - number * quota) % len(names)
    rows = rows.sort_values(["turn", "after"], kind="stable")
    rows["rank"] = rows.groupby("truth").cumcount()
    return sorted(rows.sort_values("rank", kind="stable")["clip"].iloc[:n_clips])


def able(part: Selection, folds: pd.DataFrame) -> bool:
    """Whether every fold has training clips of every class, so that a head of it knows them all."""
    truth = classes_of(part, "native")
    rows = folds[folds["role"] != "test"]
    known = truth.reindex(rows["clip_id"]).groupby([rows["repeat"].to_numpy(), rows["fold"].to_numpy()]).nunique()
    return bool((known == truth.nunique()).all())


def predictions(
    clean: Mapping[Experiment, pd.DataFrame],
    selections: Mapping[str, Selection],
    conditions: Sequence[Condition],
    *,
    n_clips: int,
    config: Config,
    store: Store,
) -> pd.DataFrame:
    """Predictions of clips in every condition; logged as test-set evaluations, one a system.

    Parameters
    ----------
    clean : experiments of one selection, see ``fitting.check``, with their predictions in the study; their training
        clips may have augmented copies
    selections : name → clips, all of the study
    conditions : of ``audio.degrade``; the clips as they are come first in any case
    n_clips : test clips of the first repeat that are degraded, at most

    Returns
    -------
    Test rows of the predictions, with ``degradation`` and ``level``: those of ``AS_READ`` are the study's.
    ``RuntimeError`` where a head could not be fitted.
    """
    experiments = list(clean)
    part = selections[experiments[0].selection]
    rows = {one: first_test_rows(table) for one, table in clean.items()}
    ids = chosen(rows[experiments[0]], part.clips, n_clips, settings.rng(config, f"degraded/{part.name}"))
    rows = {one: table[table["clip_id"].isin(ids)] for one, table in rows.items()}
    wanted = [AS_READ, *(one for one in conditions if one != AS_READ)]
    jobs = {one: runner.job_of(one, selections, config=config, store=store) for one in experiments}
    heads = partial(_heads, list(jobs.values()), rows, selections, config, store)
    make = partial(_in_every_condition, heads, rows, part, ids, wanted, config, store)
    table = store.cached(f"stress/{part.name}", _key(jobs.values(), ids, wanted), make)
    for one in experiments:
        _log(jobs[one], table[table["experiment"] == one.name], wanted, n_clips, store)
    return table


def _key(jobs: Iterable[execute.Job], ids: Sequence[str], conditions: Sequence[Condition]) -> dict[str, Any]:
    """All that the predictions depend on."""
    return {
        "experiments": [job.cache_key for job in jobs],
        "clips": list(ids),
        "conditions": [list(condition) for condition in conditions],
        "version": [VERSION, degraded.VERSION, degrade.VERSION, fitting.VERSION],
        "libraries": degraded.libraries(),
    }


def first_test_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Test rows of the first repeat and draw: each clip once."""
    return table[(table["role"] == "test") & (table["repeat"] == 0) & (table["draw"] == 0)]


def _heads(jobs: list[execute.Job], rows: Mapping[Experiment, pd.DataFrame], selections, config, store) -> Heads:
    """The head of every fold that has some of the clips in test, fitted in parallel."""
    execute.extract_features(jobs, config, store)
    items = [(one, int(fold)) for one, table in rows.items() for fold in table["fold"].unique()]
    work, heads = partial(_head, selections=selections, config=config, store=store), {}
    for (one, fold), head in parallel_map(work, items, jobs=config.run.jobs, label="heads", unit="folds", batch=1):
        if isinstance(head, Failure):
            raise RuntimeError(f"No head of {one.name}, fold {fold}: {head.reason}")
        heads[one, fold] = head
    return heads


def _head(item: tuple[Experiment, int], *, selections, config: Config, store: Store) -> LinearHead:
    one, fold = item
    return fitting.fit(one, selections, config=config, store=store, fold=(0, fold)).head


def _in_every_condition(heads: Callable[[], Heads], rows, part: Selection, ids, conditions, config, store):
    """Predictions of all systems in all conditions; the heads are fitted only here, where they are needed."""
    fitted = heads()
    names = sorted({name for one in rows for name in execute.feature_names(one)})
    load = degraded.load(names, part, ids, conditions, config=config, store=store)
    parts = [_predicted(one, some, fitted, condition, sets) for condition, sets in load for one, some in rows.items()]
    return pd.concat(parts, ignore_index=True)


def _predicted(
    one: Experiment, rows: pd.DataFrame, heads: Heads, condition: Condition, sets: Mapping[str, FeatureSet]
) -> pd.DataFrame:
    """The rows of those clips that a condition could be made of, with what the heads predict in it."""
    whole = side_by_side([sets[name] for name in execute.feature_names(one)])
    rows = rows[rows["clip_id"].isin(whole.clip_id)]
    parts = []
    for fold, some in rows.groupby("fold"):
        head = heads[one, int(fold)]
        proba = head.probabilities(whole.rows(some["clip_id"].to_numpy()))
        columns = dict(zip(probability_columns(head.classes), proba.T))
        parts.append(some.assign(prediction=np.asarray(head.classes, object)[proba.argmax(axis=1)], **columns))
    kind, level = condition
    return (pd.concat(parts) if parts else rows).assign(degradation=kind, level=level)


def _log(job: execute.Job, table: pd.DataFrame, conditions: Sequence[Condition], n_clips: int, store: Store) -> None:
    """One line of the ledger: the mean UAR over conditions."""
    one = job.experiment
    name = f"{one.name}/degraded"
    scores = [metrics.uar_of(rows) for _, rows in table.groupby(["degradation", "level"])]
    row = {"corpus": one.selection, "experiment": name, "metric": "uar", "value": float(np.mean(scores))}
    declared = [ledger.declaration_of(job.cache_key), [list(condition) for condition in conditions], n_clips, VERSION]
    declarations = {name: ledger.declaration_hash(declared)}
    ledger.log_test_evaluations(declarations, pd.DataFrame([row | {"n": table["clip_id"].nunique()}]), store)
