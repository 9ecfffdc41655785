"""What a score on new speakers costs: time of one clip, training, bytes and memory, for systems of every size.

Conventions
-----------
Times are those of one thread of the processor that is named, taken once and kept, so that a page does not change from
one rendering to the next. The training part is that of the first fold, with the hyperparameters chosen there. What a
clip costs is measured in a fresh process a system: least of three times for each clip, median over clips. Networks from
scratch were trained by the run on all cores; the seconds of that training are read from its record.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import features
from ser_study.chapters.testing import declare
from ser_study.config import Config
from ser_study.download import weights
from ser_study.experiments import execute, timing
from ser_study.experiments.execute import Job
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.models import registry
from ser_study.models.model import margins
from ser_study.parallel import Failure, cpu_model, parallel_map
from ser_study.store import Store
from ser_study.study import EXAMPLES, Study
from ser_study.tuning.comparison import timed

VERSION = 1  # rises when costs are taken in another way
REPEATS = 3  # the least counts: whatever else the machine does only adds
BATCH = 100  # clips
FEWEST = 20  # rows that are predicted one by one
ALIKE = 0.05  # of a time
COSTS = ["extract_ms", "fit_s", "predict_ms", "batch_ms", "model_kb", "memory_mb"]
COLUMNS = [
    *("corpus", "feature", "model", "uar", "low", "high", "interval", "n_train", "ms", *COSTS, "weights_mb"),
    *("front", "processor"),
]


def selection(study: Study) -> str:
    """The first of ``study.EXAMPLES`` that is here with its sound and can be tested by new speakers; empty for none."""
    here = study.with_audio().selections
    able = [name for name, allowed in study.possible.items() if declare.PROTOCOL in allowed and name in here]
    choosing = [name for name in able if study.selections[name].n_speakers > 2]
    return next((name for name in EXAMPLES if name in choosing), next(iter(choosing), ""))


def systems(study: Study) -> list[Experiment]:
    """Hand-crafted features under several models, the networks that the run trains from scratch on new speakers, one
    and two encoders under the discriminant; on one selection."""
    name = selection(study)
    if not name:
        return []
    kinds = declare.systems(study)[name]
    feature = kinds["classical"].feature
    rows = [(feature, model) for model in study.config.testing.timed_models]
    rows += [tuple(named.split("/")) for named in study.config.networks.by_speaker]
    chosen = [Experiment(name, declare.PROTOCOL, *row) for row in rows]
    return [*chosen, *(one for kind, one in kinds.items() if kind != "classical")]


def table(study: Study) -> pd.DataFrame:
    """Scores and costs of every system (``COLUMNS``).

    Returns
    -------
    ``extract_ms`` from the file to the features, ``predict_ms`` from these to the answer, ``ms`` both; ``batch_ms`` the
    answer for one clip of a hundred (ms a clip); ``fit_s`` (s) one fit; ``model_kb`` of the fitted model with its
    scaling; ``weights_mb`` of the encoders; ``memory_mb`` the peak of a process that does nothing else; ``front``
    whether no other system is as fast and as good.
    """
    declared = systems(study)
    scores = study.scores(declared)
    uar = scores[scores["metric"] == "uar"].set_index("experiment")
    rows = []
    for one in declared:
        score = uar.loc[one.name]
        row = {"corpus": one.selection, "feature": one.feature, "model": one.model, "uar": score["value"]}
        row |= {name: score[name] for name in ("low", "high", "interval", "n_train")}
        row |= {"weights_mb": weights_mb(one.feature), "processor": cpu_model()}
        rows.append(row | _cached(one, study))
    measured = pd.DataFrame(rows, columns=COLUMNS)
    measured["extract_ms"] = measured.groupby("feature")["extract_ms"].transform("min")
    measured["ms"] = measured["extract_ms"] + measured["predict_ms"]
    return measured.assign(front=on_front(measured["ms"], measured["uar"]))


def on_front(cost: pd.Series, gain: pd.Series) -> np.ndarray:
    """Whether no other row costs as little and gains as much, one of them more so (Pareto), bool (n,).

    Costs that differ by less than ``ALIKE`` count as alike, for times vary as much from one measurement to the next.
    """
    cost, gain = np.asarray(cost, float), np.asarray(gain, float)
    as_good = (cost[None, :] <= (1 + ALIKE) * cost[:, None]) & (gain[None, :] >= gain[:, None])
    better = ((1 + ALIKE) * cost[None, :] < cost[:, None]) | (gain[None, :] > gain[:, None])
    return ~(as_good & better).any(axis=1)


def weights_mb(feature: str) -> float:
    """Megabytes of the weights of a feature, or of several side by side."""
    names = [features.get(part).weights for part in feature.split("+")]
    return sum(weights.get(name).size for name in names if name) / 1e6


def _cached(one: Experiment, study: Study) -> dict:
    """Costs of one system, from the store or taken now."""
    job = execute.make(one, study.selections, None, study.config, study.store)
    cache_key = {**job.cache_key, "costs": [VERSION, study.config.testing.timed_clips], "processor": cpu_model()}
    make = partial(_costs, job, study)
    return study.store.cached(execute.artefact_name("time_costs", job), cache_key, make).iloc[0].to_dict()


def _costs(job: Job, study: Study) -> pd.DataFrame:
    """One row with ``COSTS``."""
    one, config, store = job.experiment, study.config, study.store
    values, truth = execute.features_and_classes(job, config, store)
    folds = folds_of(one, job.selection, truth, config, store, 0)
    repeat, fold = folds[["repeat", "fold"]].min()
    first = (folds["repeat"] == repeat) & (folds["fold"] == fold)
    train = folds.loc[first & (folds["role"] != "test"), "clip_id"].unique()
    rows, classes, params = (
        values.rows(train),
        truth.loc[train].to_numpy(),
        _params(study.predictions(one), repeat, fold),
    )
    fitted, costs = _fit(job, rows, classes, params, config)
    clips = _some(job.selection.clips, config.testing.timed_clips)
    places = _some(pd.DataFrame(index=range(len(rows))), max(len(clips), FEWEST)).index
    work = partial(per_clip, one, fitted, rows[places], classes[places], clips, config=config)
    ((_, measured),) = parallel_map(work, [store], jobs=1, apart=f"costs of {one.name}", batch=1)
    if isinstance(measured, Failure):
        raise RuntimeError(f"The costs of {one.name} could not be measured: {measured.reason}")
    return pd.DataFrame([costs | measured])[COSTS]


def _fit(job: Job, rows, classes, params: Mapping[str, Any], config: Config) -> tuple[timing.Fitted | None, dict]:
    """A fitted model, ``fit_s`` and ``model_kb``; of a network, which is trained long before, what was noted then."""
    if job.is_deep:
        return None, {"fit_s": sum(params["history"]["seconds"]), "model_kb": 4 * params["n_parameters"] / 1000}
    fits = []
    while len(fits) < REPEATS and (not fits or fits[0][1] < 1):  # a long fit is timed once
        fits.append(timing.fit_classical(registry.get(job.experiment.model), rows, classes, config, params=params))
    fitted = fits[0][0]
    return fitted, {"fit_s": min(seconds for _, seconds in fits), "model_kb": timing.size_of(fitted) / 1000}


def _params(predictions: pd.DataFrame, repeat: int, fold: int) -> dict:
    """Hyperparameters that were chosen in a fold."""
    test = predictions["role"] == "test"
    chosen = predictions[test & (predictions["repeat"] == repeat) & (predictions["fold"] == fold)]
    return json.loads(chosen["params"].iloc[0])


def _some(clips: pd.DataFrame, number: int) -> pd.DataFrame:
    """Clips spread over a table."""
    return clips.iloc[:: max(1, len(clips) // number)].head(number)


def per_clip(
    one: Experiment, fitted: timing.Fitted | None, rows, classes, clips: pd.DataFrame, store: Store, *, config: Config
) -> dict[str, float]:
    """``extract_ms``, ``predict_ms``, ``batch_ms`` and ``memory_mb``, measured in this process.

    Parameters
    ----------
    fitted : None: a network of the same shape that has seen these rows once, for answers take as long
    rows, classes : features (m, …) and classes (m,) of some clips
    clips : recordings that are read from their files
    """
    fitted = fitted or _network(one, rows, classes, config)
    read = [partial(timing.extracted, one, clip, config, store) for _, clip in clips.iterrows()]
    answer = [partial(fitted, rows[place : place + 1]) for place in range(len(rows))]
    read[0](), answer[0]()  # the first loads networks and compiles
    batch = np.resize(rows, (BATCH, *rows.shape[1:]))
    return {
        "extract_ms": 1000 * float(np.median([least(call) for call in read])),
        "predict_ms": 1000 * float(np.median([least(call) for call in answer])),
        "batch_ms": 1000 * least(partial(fitted, batch)) / BATCH,
        "memory_mb": peak_memory() / 1e6,
    }


def _network(one: Experiment, rows: np.ndarray, classes: np.ndarray, config: Config) -> Callable:
    brief = dataclasses.replace(config.training, max_epochs=1, validation_share=0.0)
    estimator = registry.get(one.model).build(config.models, {}, 0).set_params(training=brief)
    return partial(margins, estimator.fit(rows, classes))


def least(call: Callable) -> float:
    """Seconds of the quickest of ``REPEATS`` calls."""
    return min(timed(call)[1] for _ in range(REPEATS))


def peak_memory() -> float:
    """Most bytes that this process has held at a time; NaN where the system does not tell.

    Linux counts into ``ru_maxrss`` what the parent held when it started the process, so its own record comes first.
    """
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return 1024.0 * int(next(line for line in lines if line.startswith("VmHWM")).split()[1])
    with suppress(ImportError):
        import resource

        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS
    return float("nan")
