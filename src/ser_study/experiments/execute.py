"""One experiment made ready and run: its clips, features and folds → predictions, cached."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features, schema, splits, training
from ser_study.audio import augment, signal
from ser_study.config import Config, Training
from ser_study.experiments import coding, joint, published
from ser_study.experiments.experiment import COPYING_LEAKS, Experiment
from ser_study.experiments.folds import N_VARIANTS, folds_of, has_inner_folds, shuffled
from ser_study.experiments.selections import BASELINE, Selection, classes_of, joined, sample
from ser_study.models import deep, registry
from ser_study.store import Store, versions

VERSION = 2  # rises when folds, fitting or scoring give other numbers
# protocols whose validation rows choose systems and weights
KEEPS_VALIDATION = ("speaker_independent", "leave_one_speaker_out", "baseline_list", "baseline_speakers")
INNER_VERSION = 1  # rises when inner folds are dealt in another way


@dataclass(frozen=True)
class Job:
    """One experiment with everything that travels to a worker."""

    experiment: Experiment
    selection: Selection
    params: Mapping[str, Any] | None  # hyperparameters from other corpora; None: choose inside
    cache_key: Mapping[str, Any]  # what the predictions depend on
    others: Mapping[str, Selection] = field(default_factory=dict)  # other corpora that may join the training clips

    @property
    def is_deep(self) -> bool:
        """Networks are trained in the main process, on all cores."""
        return registry.get(self.experiment.model).family == "deep"


def make(experiment: Experiment, selections: Mapping[str, Selection], params, config: Config, store: Store) -> Job:
    """Job of an experiment; ``params`` are hyperparameters chosen elsewhere, or None."""
    part = selections[experiment.selection]
    if experiment.clips:
        part = sample(part, experiment.clips, config)
    if experiment.sources:
        part = joined(part, [selections[name] for name in experiment.sources])
    model = registry.get(experiment.model)
    treated = treated_config(config, experiment)
    described = [features.get(name).settings(treated) for name in feature_names(experiment)]
    version = {"version": model.version} if model.version else {}
    cache_key = {
        "experiment": experiment.declaration(),
        "clips": part.digest,
        "features": described[0] if len(described) == 1 else described,
        "model": {name: getattr(config.models, name) for name in model.uses} | version,
        "params": params,
        "seed": config.seed,
        "folds": splits.committed_hash(experiment.selection, experiment.protocol, store.project / "data" / "folds"),
        "version": VERSION,
        "libraries": features.made_with(feature_names(experiment), treated)
        | versions(["scikit-learn", *model.libraries]),
    }
    others = {name: selections[name] for name in experiment.others}
    if others:
        digests = {name: other.digest for name, other in others.items()}
        cache_key |= {"others": joint.declaration(config, store), "other_clips": digests}
    return Job(experiment, part, params, cache_key | _of_kind(experiment, config, store), others)


def _of_kind(experiment: Experiment, config: Config, store: Store) -> dict[str, Any]:
    """What the predictions of some kinds of experiments depend on besides."""
    cache_key: dict[str, Any] = {}
    if experiment.leak == "augment_before_split" or experiment.variants:
        cache_key["augmentation"] = [augment.VERSION, N_VARIANTS]
    elif experiment.leak and experiment.leak not in COPYING_LEAKS:
        cache_key["leak"] = 2  # 1 was scored on random folds of copied clips
    if experiment.protocol in splits.BASELINE_KINDS:
        name = experiment.selection.removeprefix(BASELINE)
        cache_key["list"] = splits.list_hash(name, store.project / "data" / "folds")
    if registry.get(experiment.model).family == "deep":
        cache_key["network"] = deep.declaration(experiment.model)
        cache_key["training"] = settings.as_dict(training_of(experiment, config)) | {"seeds": None}
    if has_inner_folds(experiment):
        cache_key["inner"] = [config.tuning.inner_folds, INNER_VERSION]
    if keeps_validation(experiment) and experiment.protocol not in KEEPS_VALIDATION:
        cache_key["keeps"] = "validation"
    if experiment.protocol == "baseline_inner":
        cache_key["inner"] = config.baselines.inner_folds
    return cache_key


def keeps_validation(experiment: Experiment) -> bool:
    """Whether validation rows are kept: they choose systems and weights or, of one other corpus, say how sure to be."""
    elsewhere = experiment.protocol == "cross_corpus" and len(experiment.sources) == 1
    chooses = not experiment.fixed and experiment.leak != "select_on_test"
    return chooses and (experiment.protocol in KEEPS_VALIDATION or elsewhere)


def training_of(experiment: Experiment, config: Config) -> Training:
    """How a network is trained; where nothing may be chosen, no clip says when to stop: it runs to its last epoch."""
    return replace(config.training, validation_share=0.0) if experiment.fixed else config.training


def inner_folds(job: Job, truth: pd.Series, config: Config) -> training.InnerFolds | None:
    """Inner folds of any training part of a job, the same for every feature and model; None where it has none."""
    experiment = job.experiment
    if not has_inner_folds(experiment):
        return None
    clips = job.selection.clips.set_index("clip_id", drop=False)

    def masks(clip_ids: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        random = settings.rng(config, f"inner/{experiment.selection}/{experiment.protocol}")
        part, classes = clips.loc[clip_ids].reset_index(drop=True), truth.loc[clip_ids].to_numpy(str)
        return splits.inner_masks(part, classes, experiment.protocol, n=config.tuning.inner_folds, rng=random)

    return masks


def treated_config(config: Config, experiment: Experiment) -> Config:
    """Settings with the experiment's own preparation of the signal."""
    if not experiment.treatment:
        return config
    return signal.treated(config, experiment.treatment, section=features.get(experiment.feature).audio)


def feature_names(experiment: Experiment) -> list[str]:
    """Features of an experiment; ``campplus+means184`` stands for the two side by side."""
    return experiment.feature.split("+")


def variants_of(experiment: Experiment) -> tuple[int, ...]:
    """Variants of the clips that the experiment reads, the clean clips (0) first."""
    if experiment.leak == "augment_before_split":
        return tuple(range(1 + N_VARIANTS))
    return (0, *experiment.variants)


def extract_features(jobs: list[Job], config: Config, store: Store) -> dict[Experiment, str]:
    """Extract what the jobs without predictions need before they start, so that no two workers extract the same.

    Returns
    -------
    The experiments whose features cannot be had (no weights, no library, not in the pack), with the reason.
    """
    needed, unavailable = {}, {}
    for job in (job for job in jobs if not is_cached(job, store)):
        for feature in feature_names(job.experiment):
            key = (feature, job.experiment.selection, job.experiment.treatment, variants_of(job.experiment))
            needed.setdefault(key, []).append(job)
    for (feature, _, _, variants), waiting in needed.items():
        treated = treated_config(config, waiting[0].experiment)
        clips = pd.concat([waiting[0].selection.clips, *(p.clips for job in waiting for p in job.others.values())])
        clips = clips.drop_duplicates("clip_id")
        try:
            for variant in variants:
                features.extract_missing(feature, clips, config=treated, store=store, variant=variant)
        except (ConnectionError, ImportError, ValueError) as error:
            unavailable |= {job.experiment: str(error) for job in waiting}
    return unavailable


def artefact_name(kind: str, job: Job) -> str:
    """Readable name of an artefact of a job."""
    return f"{kind}/{job.experiment.name.replace('/', '_')}"


def path_of(job: Job, store: Store) -> Path:
    """Where the predictions are, or will be."""
    return store.path(artefact_name("predictions", job), job.cache_key, ".parquet")


def is_cached(job: Job, store: Store) -> bool:
    """Whether the predictions are in the store, or in the published run that stands in for the audio."""
    return published.is_published(job.experiment, store) or store.is_fresh(path_of(job, store))


def predict(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of a job, published, from the store or computed now; runs in any process. Probabilities are those
    that are published of them, see ``coding``."""
    if published.is_published(job.experiment, store):
        return published.predictions(job.experiment, store)
    return coding.rounded(exact(job, config=config, store=store))


def exact(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """The same with the probabilities as they were computed."""
    return store.cached(artefact_name("predictions", job), job.cache_key, partial(_computed, job, config, store))


def _computed(job: Job, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of every draw of an experiment."""
    if job.others:
        return complete(_beside_others(job, config, store), job.experiment)
    values, truth = features_and_classes(job, config, store)
    draws = []
    for draw in range(job.experiment.draws):
        fit = partial(_one_draw, job, values, truth, draw, config=config, store=store)
        once = job.is_deep or job.experiment.draws == 1  # each fold of a network is cached by itself
        draws.append(fit() if once else _cached_draw(job, draw, store, fit))
    return complete(pd.concat(draws, ignore_index=True), job.experiment)


def _one_draw(job: Job, values, truth: pd.Series, draw: int, *, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of one draw: of one random split, shuffle of labels or training seed."""
    experiment = job.experiment
    params = registry.get(experiment.model).fixed(config.models) if experiment.fixed else job.params
    task = training.Task(experiment.model, params, keeps_validation(experiment), leak=experiment.leak)
    random = settings.rng(config, f"labels/{experiment.name}/{draw}")
    labelled = shuffled(truth, job.selection.clips, experiment.shuffle, random) if experiment.shuffle else truth
    folds = folds_of(experiment, job.selection, labelled, config, store, draw)
    seed = settings.random_state(config, f"{experiment.model}/{draw}")
    network = {"training": training_of(experiment, config), "fold_cache": fold_cache(job, draw, store)}
    options = (network if job.is_deep else {}) | {"inner": inner_folds(job, labelled, config)}
    table = training.run_folds(values, labelled, folds, task, models=config.models, seed=seed, **options)
    return table.assign(draw=draw, seed=seed)


def _beside_others(job: Job, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of an experiment that trains on other corpora too."""
    one, truth = job.experiment, classes_of(job.selection, job.experiment.scheme)
    folds, inner = folds_of(one, job.selection, truth, config, store, 0), inner_folds(job, truth, config)
    named = (feature_names(one), one.scheme, job.selection, job.others)
    return joint.predict(*named, folds, inner, config=config, store=store).assign(draw=0, seed=0)


def features_and_classes(job: Job, config: Config, store: Store) -> tuple[schema.FeatureSet, pd.Series]:
    """Features of the job's clips, and the class of each clip that has some, indexed by ``clip_id``."""
    values = feature_values(job, config, store)
    truth = classes_of(job.selection, job.experiment.scheme)
    return values, truth[truth.index.isin(values.clip_id)]


def _cached_draw(job: Job, draw: int, store: Store, fit: Callable[[], pd.DataFrame]) -> pd.DataFrame:
    """Predictions of a draw of a classical model: more draws or a killed run fit only what is missing."""
    return store.cached(f"{artefact_name('draws', job)}_{draw}", _draw_key(job, draw), fit)


def fold_cache(job: Job, draw: int, store: Store) -> training.FoldCache:
    """A cache of each finished fold of a network, and of how far an unfinished one has come."""

    def cached(fold: str, make_fold: Callable[..., pd.DataFrame]) -> pd.DataFrame:
        name, key = f"{artefact_name('networks', job)}_{draw}_{fold}", _draw_key(job, draw) | {"fold": fold}
        return store.cached(name, key, partial(_trained, make_fold, store.path(name, key, ".npz"), store))

    return cached


def _trained(make_fold: Callable[..., pd.DataFrame], state_file: Path, store: Store) -> pd.DataFrame:
    if not store.is_fresh(state_file):
        state_file.unlink(missing_ok=True)
    table = make_fold(state_file=state_file)
    state_file.unlink(missing_ok=True)
    return table


def _draw_key(job: Job, draw: int) -> dict[str, Any]:
    declared = {**job.cache_key["experiment"], "draws": None}
    return {**job.cache_key, "experiment": declared, "draw": draw}


def feature_values(job: Job, config: Config, store: Store) -> schema.FeatureSet:
    """Features of the job's clips, several side by side, with the variants that the experiment reads."""
    treated, sets = treated_config(config, job.experiment), []
    for variant in variants_of(job.experiment):
        side_by_side = [
            features.load(name, job.selection.clips, config=treated, store=store, variant=variant)
            for name in feature_names(job.experiment)
        ]
        sets.append(schema.side_by_side(side_by_side))
    return schema.FeatureSet(
        job.experiment.feature,
        np.concatenate([part.clip_id for part in sets]),
        np.concatenate([part.variant for part in sets]),
        np.concatenate([part.values for part in sets]),
        sets[0].columns,
    )


def complete(table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Predictions with the columns that say where they come from."""
    if experiment.protocol == "baseline_inner":
        table = table.assign(role="validation")  # inside the training part; no test clip was touched
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
