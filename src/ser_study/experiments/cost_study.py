"""What a score costs: seed 000's LightGBM beside a network and the encoder, from the audio file to the answer.

Times are those of the machine and the moment at which they were taken, and are kept, so that a page does not change
from one rendering to the next. Everything but the training of networks runs on one clip at a time.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ser_study import config as settings
from ser_study import corpora, features
from ser_study.config import Config
from ser_study.experiments import deep_study, jobs, run, seed_results, seeds
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.league_times import timed
from ser_study.experiments.material import Material
from ser_study.models import classical, registry
from ser_study.store import Store
from ser_study.words import share, word

VERSION = 1  # rises when costs are taken in another way
SYSTEM = "E000"  # whose list is scored
NETWORK = "cnn_lstm_000"
N_CLIPS = 20  # timed one by one; the median counts
COSTS = ["extract_ms", "predict_ms", "fit_s", "megabytes"]
COLUMNS = ["feature", "model", "accuracy", "uar", "n", *COSTS]


def table(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Scores on the list and costs of the compared systems; empty where the list's recordings are absent.

    Returns
    -------
    Columns ``COLUMNS``: scores are means over training seeds; ``extract_ms`` from the file to the features and
    ``predict_ms`` from these to the answer (ms a clip, medians of 20), ``fit_s`` (s, once, on the training part),
    ``megabytes`` of the model with its scaling (networks that extract features are not counted).
    """
    declared = compared(gathered, config=config, store=store)
    if not declared:
        return pd.DataFrame(columns=COLUMNS)
    told = run.answers(declared, gathered, config=config, store=store)
    rows = []
    for one in declared:
        row = {"feature": one.feature, "model": one.model}
        row |= {name: seed_results.by_draw(told[one], name).mean() for name in ("accuracy", "uar")}
        row["n"] = told[one].loc[told[one]["role"] == "test", "clip_id"].nunique()
        rows.append(row | _kept(one, gathered, config, store).iloc[0].to_dict())
    return pd.DataFrame(rows)[COLUMNS]


def compared(gathered: Mapping[str, Material], *, config: Config, store: Store) -> list[Experiment]:
    """The seed's two models, a network on its task, and ours; all are declared (and looked at) elsewhere already."""
    system = seeds.SYSTEMS[SYSTEM]
    corpora_of = gathered[system.selection].clips["corpus"].unique() if system.selection in gathered else []
    if not len(corpora_of) or any(corpora.pack_of(name, store) for name in corpora_of):
        return []  # a pack holds no sound to time
    on_list = [one for one in deep_study.networks(config, [system.selection]) if one.protocol == "seed_list"]
    networks = [one for one in on_list if one.model == NETWORK]
    choice = seed_results.choose(system, gathered, config=config, store=store)
    best = choice[choice["chosen"]].iloc[0]
    ours = seeds.ours(system, best["feature"], best["model"], config)["list"]
    return [*seeds.rebuilds(system, config).values(), *networks, ours]


def words(shown: pd.DataFrame) -> str:
    """LightGBM against the network, and what the highest score costs."""
    by_model = shown.set_index("model")
    best = shown.loc[shown["accuracy"].idxmax()]
    said = f"Highest accuracy: {word(best['feature'])} with {word(best['model'])} ({share(best['accuracy'])}), "
    said += f"{best['extract_ms'] + best['predict_ms']:.0f} ms a clip from file to answer."
    if {"lightgbm_000", NETWORK} <= set(by_model.index):
        trees, network = by_model.loc["lightgbm_000"], by_model.loc[NETWORK]
        said += (
            f" {word('lightgbm_000')} has {share(trees['accuracy'])} after {trees['fit_s']:.1f} s of training and "
            f"{trees['extract_ms'] + trees['predict_ms']:.0f} ms a clip, {word(NETWORK)} {share(network['accuracy'])} "
            f"after {network['fit_s']:.0f} s and {network['extract_ms'] + network['predict_ms']:.0f} ms."
        )
    return said


def _kept(one: Experiment, gathered: Mapping[str, Material], config: Config, store: Store) -> pd.DataFrame:
    """Costs of one system, from the store or taken now."""
    job = jobs.make(one, gathered, None, config, store)
    parts = {**job.parts, "costs": [VERSION, N_CLIPS]}
    return store.cached(jobs.file_of("costs", job), parts, partial(_costs, job, config, store))


def _costs(job: jobs.Job, config: Config, store: Store) -> pd.DataFrame:
    """One row with ``COSTS``."""
    one, (values, truth) = job.experiment, jobs.ready(job, config, store)
    folds = materials.folds_of(one, job.material, truth, config, store, 0)
    train = folds[(folds["role"] != "test") & (folds["variant"] == 0)]["clip_id"].unique()
    rows, classes = values.rows(train), truth.loc[train].to_numpy()
    fit = _network if job.is_deep else _classical
    predict, seconds, size = fit(registry.get(one.model), rows, classes, config)
    clips = job.material.clips.iloc[:: max(1, len(job.material.clips) // N_CLIPS)].head(N_CLIPS)
    extract = [timed(_extracted, one, clip, config, store)[1] for clip in [clips.iloc[0], *clips.iloc]][1:]
    answer = [timed(predict, rows[i : i + 1])[1] for i in range(N_CLIPS + 1)][1:]  # the first one warms up
    told = (1000 * np.median(extract), 1000 * np.median(answer), seconds, size / 1e6)
    return pd.DataFrame([dict(zip(COSTS, told))])


def _classical(model, rows: np.ndarray, classes: np.ndarray, config: Config) -> tuple[Callable, float, int]:
    """Prediction of a fitted model on one thread, the seconds its fit took, and its bytes."""
    prepare_rows = classical.preparation(model)
    estimator = model.build(config.models, model.fixed(config.models), settings.random_state(config, "costs"))
    with threadpool_limits(1):
        _, seconds = timed(lambda: estimator.fit(prepare_rows.fit_transform(rows), classes))
    size = len(pickle.dumps((prepare_rows, estimator)))
    return lambda some: classical.margins(estimator, prepare_rows.transform(some)), seconds, size


def _network(model, rows: np.ndarray, classes: np.ndarray, config: Config) -> tuple[Callable, float, int]:
    """The same of a network on all cores; its size is that of its parameters in single precision."""
    seed = settings.random_state(config, "costs")
    estimator = model.build(config.models, {}, seed).set_params(training=config.training)
    _, seconds = timed(estimator.fit, rows, classes)
    return partial(classical.margins, estimator), seconds, 4 * estimator.n_parameters_


def _extracted(one: Experiment, clip: pd.Series, config: Config, store: Store) -> list[np.ndarray]:
    """All features of one clip, from its file."""
    path = corpora.root_of(clip["corpus"], store) / clip["path"]
    return [features.extract(name, path, config=config) for name in jobs.feature_names(one)]
