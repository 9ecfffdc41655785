"""Searches nested in leak-free folds: the honest counterpart of a published search.

In each outer fold a search sees the training part of that fold, dealt by speakers where the outer folds are.
Only ``nested_predictions`` touches test rows; whoever scores them logs the look.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import schema, splits, tuning
from ser_study.config import Config
from ser_study.experiments import ledger, run, seed_results
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import SEED, Material
from ser_study.experiments.searches import rests_on, values_of
from ser_study.schema import FeatureSet
from ser_study.splits.units import inner_unit, pool_is_large
from ser_study.store import Store
from ser_study.tuning import Space, fitting


def declared(space: Space | str, selection: str, protocol: str = "speaker_independent", scheme: str = "") -> Experiment:
    """The declaration of a nested search, under which its predictions are scored and logged."""
    space = tuning.get(space) if isinstance(space, str) else space
    return Experiment(selection, protocol, space.feature, f"tuned-{space.name}", scheme=scheme or space.scheme)


def nested(
    experiment: Experiment, space: Space | str, material: Material, *, config: Config, store: Store, trials: int = 0
) -> pd.DataFrame:
    """What a search chooses inside each outer training part; no test row is read.

    Parameters
    ----------
    experiment : as ``declared`` makes it; its protocol deals the outer folds
    space : what is searched, by UAR
    material : clips of the experiment's selection
    trials : finished trials a fold; 0: ``tuning.trials``

    Returns
    -------
    Table, one row an outer fold: repeat, fold, n_train, inner (unit of the inner folds), score (mean UAR over
    the inner folds), params (JSON), complete, pruned, failed, seconds.
    """
    space = tuning.get(space) if isinstance(space, str) else space
    parts = _nested_parts(experiment, space, material, config, store, trials)

    def make() -> pd.DataFrame:
        truth, folds, values = _outer(experiment, space, material, config, store)
        rows = []
        for (repeat, fold), part in folds[folds["role"] != "test"].groupby(["repeat", "fold"], sort=True):
            outer = f"{repeat}_{fold}"
            inner, unit = _inner(material.clips, truth, part["clip_id"], space, experiment, outer, config)
            found = tuning.tune(
                space,
                values,
                truth,
                inner,
                config=config,
                store=store,
                name=f"{space.name}_{experiment.selection}_{experiment.protocol}_{outer}",
                trials=trials,
                metric="uar",
            )
            counts = {state: found.counts[state] for state in ("complete", "pruned", "failed")}
            head = {"repeat": repeat, "fold": fold, "n_train": part["clip_id"].nunique(), "inner": unit}
            chosen = {"score": found.value, "params": json.dumps(dict(found.params))}
            rows.append({**head, **chosen, **counts, "seconds": found.seconds})
        return pd.DataFrame(rows)

    return store.cached(f"searches/nested_{_file(experiment)}", parts, make)


def nested_predictions(
    experiment: Experiment, space: Space | str, material: Material, *, config: Config, store: Store, trials: int = 0
) -> pd.DataFrame:
    """Predictions of the test rows by what ``nested`` chose, refitted on the whole outer training part.

    Returns
    -------
    Predictions, one row a test clip. Scoring them is a look at the test rows: log it.
    """
    space = tuning.get(space) if isinstance(space, str) else space
    table = nested(experiment, space, material, config=config, store=store, trials=trials)
    parts = _nested_parts(experiment, space, material, config, store, trials)

    def make() -> pd.DataFrame:
        truth, folds, values = _outer(experiment, space, material, config, store)
        frames = []
        for row in table.itertuples():
            part = folds[(folds["repeat"] == row.repeat) & (folds["fold"] == row.fold)]
            frames.append(_predicted(space, json.loads(row.params), part, truth, values, config))
        head = {"experiment": experiment.name, "corpus": experiment.selection, "scheme": experiment.scheme}
        head |= {"protocol": experiment.protocol, "feature": space.feature, "model": experiment.model}
        return schema.check_predictions(pd.concat(frames, ignore_index=True).assign(**head, draw=0, leak=""))

    return store.cached(f"searches/predictions_{_file(experiment)}", {**parts, "predictions": True}, make)


def table(names: Sequence[str], *, config: Config, store: Store, trials: int = 0) -> pd.DataFrame:
    """Published searches nested by speaker, beside what their authors chose, on the same leak-free folds.

    Columns: search, inner (unit of the inner folds), folds (outer), complete, pruned; inner_score (mean UAR inside),
    value, low, high (UAR on new speakers, mean over corpora), authors (the same with the authors' hyperparameters),
    difference, n. Each nested search is one look. Searches whose clips are absent are left out.
    """
    rows = []
    for space in map(tuning.get, names):
        material = materials.gather_seed(space.system, config, store)
        if material is not None:
            rows.append(_compared(space, material, config, store, trials))
    return pd.DataFrame(rows)


def _compared(space: Space, material: Material, config: Config, store: Store, trials: int) -> dict[str, Any]:
    """One row of ``table``."""
    experiment = declared(space, f"{SEED}{space.system}", "seed_speakers")
    inside = nested(experiment, space, material, config=config, store=store, trials=trials)
    told = nested_predictions(experiment, space, material, config=config, store=store, trials=trials)
    known = settings.fingerprint([experiment.digest, rests_on(space, config, trials)])[:12]
    ledger.record({experiment.name: known}, ledger.look(told), store)
    system, model = space.name.split("-")
    theirs = Experiment(experiment.selection, "seed_speakers", space.feature, f"{model}_{system}", space.scheme,
                        fixed=True, variants=tuple(v for v in space.variants if v))  # fmt: skip
    fixed = run.answers([theirs], {experiment.selection: material}, config=config, store=store)[theirs]
    score, authors = (seed_results.honest_score(part, material, config) for part in (told, fixed))
    counts = {"folds": len(inside), "complete": inside["complete"].sum(), "pruned": inside["pruned"].sum()}
    return {
        "search": space.name,
        "inner": ", ".join(inside["inner"].unique()),
        **counts,
        "inner_score": inside["score"].mean(),
        "value": score["honest"],
        "low": score["honest_low"],
        "high": score["honest_high"],
        "authors": authors["honest"],
        "difference": score["honest"] - authors["honest"],
        "n": told["clip_id"].nunique(),
    }


def _file(experiment: Experiment) -> str:
    return experiment.name.replace("/", "_")


def _nested_parts(experiment, space: Space, material: Material, config: Config, store: Store, trials: int):
    folder = store.project / "data" / "folds"
    return rests_on(space, config, trials) | {
        "experiment": experiment.declaration(),
        "clips": material.digest,
        "inner": config.tuning.inner_folds,
        "folds": splits.committed_hash(experiment.selection, experiment.protocol, folder),
    }


def _outer(experiment, space: Space, material: Material, config: Config, store: Store):
    """Classes, outer folds and features of an experiment."""
    values = values_of(space, material.clips, config, store)
    truth = materials.classes_of(material, experiment.scheme)
    truth = truth[truth.index.isin(values.clip_id)]
    return truth, materials.folds_of(experiment, material, truth, config, store, 0), values


def _inner(clips, truth, ids, space: Space, experiment, outer: str, config: Config) -> tuple[pd.DataFrame, str]:
    """Inner folds by the outer protocol's own rule, and their unit.

    Where too few speakers are left to spare one, the finest unit that is known stands in, as everywhere.
    """
    pool = clips[clips["clip_id"].isin(ids)]
    unit = "clip"
    if "speaker" in experiment.protocol:
        unit = "speaker" if pool_is_large(pool) else inner_unit(pool)
        unit = "clip" if unit == "duplicate" else unit
    random = settings.rng(config, f"inner folds/{experiment.selection}/{experiment.protocol}/{outer}")
    how: Mapping[str, Any] = {"n": config.tuning.inner_folds, "rng": random, "variants": space.variants}
    return tuning.inner_folds(clips, truth, ids.unique(), by=unit, **how), unit


def _predicted(space: Space, params, part: pd.DataFrame, truth, values: FeatureSet, config: Config) -> pd.DataFrame:
    """Test rows of one outer fold."""
    classes = np.sort(truth.unique())
    train = part.loc[part["role"] != "test", "clip_id"].unique()
    test = part.loc[part["role"] == "test", "clip_id"].to_numpy()
    seed = settings.random_state(config, f"estimators/{space.name}")
    inside = np.concatenate([values.rows(train, variant=v) for v in space.variants])
    codes = np.tile(np.searchsorted(classes, truth.loc[train].to_numpy(str)), len(space.variants))
    estimator, present = fitting.fitted(space.build(params, seed, config), inside, codes)
    proba = np.zeros((len(test), len(classes)), dtype=np.float32)
    proba[:, present] = estimator.predict_proba(values.rows(test))
    head = part[part["role"] == "test"][["repeat", "fold", "role", "clip_id", "variant"]].reset_index(drop=True)
    head = head.assign(truth=truth.loc[test].to_numpy(), prediction=classes[proba.argmax(axis=1)])
    head = head.assign(n_train=len(inside), params=json.dumps(params), seed=seed)
    return pd.concat([head, pd.DataFrame(proba, columns=schema.probability_columns(classes))], axis=1)
