"""What a score costs: E000's LightGBM beside a network and the encoder, from the audio file to the answer.

Times are those of the machine and the moment at which they were taken, and are kept, so that a page does not change
from one rendering to the next. Everything but the training of networks runs on one clip at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import corpora
from ser_study.chapters.networks import declare
from ser_study.config import Config
from ser_study.experiments import baseline_results, baselines, execute, timing
from ser_study.experiments.execute import Job
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.experiments.published import LABELS
from ser_study.models import registry
from ser_study.models.model import Model, margins
from ser_study.store import Store
from ser_study.study import Study
from ser_study.tuning.comparison import timed

VERSION = 1  # rises when costs are taken in another way
BASELINE = "E000"  # whose list is scored
NETWORK = "cnn_lstm_000"
N_CLIPS = 20  # timed one by one; the median counts
COSTS = ["extract_ms", "predict_ms", "fit_s", "megabytes"]
COLUMNS = ["feature", "model", "accuracy", "uar", "n", *COSTS]


def table(study: Study) -> pd.DataFrame:
    """Scores on the list and costs of the compared systems; empty where the list's recordings are absent.

    Returns
    -------
    Columns ``COLUMNS``: scores are means over training seeds; ``extract_ms`` from the file to the features and
    ``predict_ms`` from these to the answer (ms a clip, medians of 20), ``fit_s`` (s, once, on the training part),
    ``megabytes`` of the model with its scaling (networks that extract features are not counted).
    """
    rows = []
    for one, predictions in study.predict(compared(study), read=LABELS).items():
        scores = {name: baseline_results.by_draw(predictions, name).mean() for name in ("accuracy", "uar")}
        row = {"feature": one.feature, "model": one.model} | scores
        row["n"] = predictions.loc[predictions["role"] == "test", "clip_id"].nunique()
        rows.append(row | _cached_costs(one, study).iloc[0].to_dict())
    return pd.DataFrame(rows, columns=COLUMNS)


def compared(study: Study) -> list[Experiment]:
    """E000's two models, a network on its task, and our system; all are declared and scored elsewhere already."""
    baseline, part = baselines.BASELINES[BASELINE], study.baselines.get(baselines.BASELINES[BASELINE].selection)
    if part is None or any(corpora.pack_of(name, study.store) for name in part.clips["corpus"].unique()):
        return []  # a pack holds no sound to time
    row = (baseline.selection, "baseline_list", NETWORK)
    networks = [one for one in declare.networks(study) if (one.selection, one.protocol, one.model) == row]
    choice = baseline_results.choose(baseline, study.baselines, config=study.config, store=study.store)
    best = choice[choice["chosen"]].iloc[0]
    ours = baselines.ours(baseline, best["feature"], best["model"], study.config)["list"]
    return [*baselines.rebuilds(baseline, study.config).values(), *networks, ours]


def _cached_costs(one: Experiment, study: Study) -> pd.DataFrame:
    """Costs of one system, from the store or taken now."""
    job = execute.make(one, study.baselines, None, study.config, study.store)
    cache_key = {**job.cache_key, "costs": [VERSION, N_CLIPS]}
    make = partial(_costs, job, study.config, study.store)
    return study.store.cached(execute.artefact_name("costs", job), cache_key, make)


def _costs(job: Job, config: Config, store: Store) -> pd.DataFrame:
    """One row with ``COSTS``."""
    one, (values, truth) = job.experiment, execute.features_and_classes(job, config, store)
    folds = folds_of(one, job.selection, truth, config, store, 0)
    train = folds[(folds["role"] != "test") & (folds["variant"] == 0)]["clip_id"].unique()
    rows, classes = values.rows(train), truth.loc[train].to_numpy()
    model = registry.get(one.model)
    if job.is_deep:
        predict, fit_s, n_bytes = fit_network(model, rows, classes, config)
    else:
        predict, fit_s = timing.fit_classical(model, rows, classes, config)
        n_bytes = timing.size_of(predict)
    clips = job.selection.clips.iloc[:: max(1, len(job.selection.clips) // N_CLIPS)].head(N_CLIPS)
    extract_s = [timed(timing.extracted, one, clip, config, store)[1] for clip in [clips.iloc[0], *clips.iloc]][1:]
    predict_s = [timed(predict, rows[i : i + 1])[1] for i in range(N_CLIPS + 1)][1:]  # the first one warms up
    costs = (1000 * np.median(extract_s), 1000 * np.median(predict_s), fit_s, n_bytes / 1e6)
    return pd.DataFrame([dict(zip(COSTS, costs))])


def fit_network(model: Model, rows: np.ndarray, classes: np.ndarray, config: Config) -> tuple[Callable, float, int]:
    """Prediction of a fitted network, the seconds its fit took on all cores, and the bytes of its parameters in single
    precision; ``rows`` (n, …) are features, ``classes`` (n,) class names."""
    seed = settings.random_state(config, "costs")
    estimator = model.build(config.models, {}, seed).set_params(training=config.training)
    _, seconds = timed(estimator.fit, rows, classes)
    return partial(margins, estimator), seconds, 4 * estimator.n_parameters_
