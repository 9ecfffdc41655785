"""One experiment made ready and carried out: its parts, its features, its folds → predictions, kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd
import sklearn

from ser_study import config as settings
from ser_study import features, schema, splits, training
from ser_study.audio import augment, signal
from ser_study.config import Config
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.models import deep, registry
from ser_study.store import Store

VERSION = 1  # rises when folds, fitting or scoring give other numbers
KEEPS_VALID = ("speaker_independent", "seed_list", "seed_speakers")  # their valid rows choose systems and weights


SLOW = {  # rough seconds a thousand clips, of what is not quick
    **{"logistic": 3, "linear_svm": 5, "pca_lda": 2, "bagged_lda": 5, "lda_004": 20, "bagged_lda_004": 40},
    **dict.fromkeys(("forest", "lightgbm", "xgboost", "mlp", "gradient_boosting", "hist_boosting", "adaboost"), 8),
    **dict.fromkeys(("forest_001", "forest_gini_001", "forest_002", "lightgbm_002", "mlp_002"), 60),
    **{"mlp_001": 150, "xgboost_002": 15},
}


@dataclass(frozen=True)
class Job:
    """One experiment with everything that travels to a worker."""

    experiment: Experiment
    material: Material
    params: Mapping[str, Any] | None  # hyperparameters from other corpora; None: choose inside
    parts: Mapping[str, Any]  # what the predictions depend on

    @property
    def is_deep(self) -> bool:
        """Networks are trained in the main process, on all cores."""
        return registry.get(self.experiment.model).family == "deep"


def make(experiment: Experiment, gathered: Mapping[str, Material], params, config: Config, store: Store) -> Job:
    """Job of an experiment; ``params`` are hyperparameters chosen elsewhere, or None."""
    material = gathered[experiment.selection]
    if experiment.sources:
        material = materials.together(material, [gathered[name] for name in experiment.sources])
    model = registry.get(experiment.model)
    heard = heard_as(config, experiment)
    described = [features.get(name).settings(heard) for name in feature_names(experiment)]
    parts = {
        "experiment": experiment.declaration(),
        "clips": material.digest,
        "features": described[0] if len(described) == 1 else described,
        "model": {name: getattr(config.models, name) for name in model.uses},
        "params": params,
        "seed": config.seed,
        "folds": splits.committed_hash(experiment.selection, experiment.protocol, store.project / "data" / "folds"),
        "versions": [VERSION, sklearn.__version__, *(version(name) for name in model.libraries)],
    }
    if experiment.leak or experiment.variants:
        parts["augmentation"] = [augment.VERSION, materials.N_VARIANTS]
    if model.family == "deep":
        parts["network"] = deep.declaration(experiment.model)
        parts["training"] = settings.as_dict(config.training) | {"seeds": None}
    if experiment.protocol == "seed_inner":
        parts["inner"] = config.seeds.inner_folds
    return Job(experiment, material, params, parts)


def heard_as(config: Config, experiment: Experiment) -> Config:
    """Settings with the experiment's own preparation of the signal."""
    if not experiment.treatment:
        return config
    return signal.treated(config, experiment.treatment, section=features.get(experiment.feature).audio)


def feature_names(experiment: Experiment) -> list[str]:
    """Features of an experiment; ``campplus+seed184`` stands for the two side by side."""
    return experiment.feature.split("+")


def variants_of(experiment: Experiment) -> tuple[int, ...]:
    """Variants of the clips that the experiment reads, the clean clips (0) first."""
    if experiment.leak == "augment_before_split":
        return tuple(range(1 + materials.N_VARIANTS))
    return (0, *experiment.variants)


def extract_first(jobs: list[Job], config: Config, store: Store) -> dict[Experiment, str]:
    """Extract what the jobs need before they start, so that no two workers extract the same.

    Returns
    -------
    The experiments whose features cannot be had (no weights, no library, not in the pack), with the reason.
    """
    needed, lost = {}, {}
    for job in jobs:
        for feature in feature_names(job.experiment):
            key = (feature, job.experiment.selection, job.experiment.treatment, variants_of(job.experiment))
            needed.setdefault(key, []).append(job)
    for (feature, _, _, variants), asking in needed.items():
        heard = heard_as(config, asking[0].experiment)
        try:
            for variant in variants:
                features.load(feature, asking[0].material.clips, config=heard, store=store, variant=variant)
        except (ConnectionError, ImportError, ValueError) as error:
            lost |= {job.experiment: str(error) for job in asking}
    return lost


def cost(job: Job) -> float:
    """Rough seconds, only to start the longest first."""
    weight = SLOW.get(job.experiment.model, 0.1)
    grand = 30 if job.experiment.feature == "compare" else 1
    folds = 6 if job.experiment.protocol == "speaker_and_sentence" else 1
    return len(job.material.clips) * weight * grand * folds * job.experiment.draws


def file_of(kind: str, job: Job) -> str:
    """Readable name of what is kept for a job."""
    return f"{kind}/{job.experiment.name.replace('/', '_')}"


def is_kept(job: Job, store: Store) -> bool:
    """Whether the predictions are there already."""
    return store.is_fresh(store.path(file_of("predictions", job), job.parts, ".parquet"))


def predict(job: Job, *, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of a job, from the store or computed now; runs in any process."""
    return store.cached(file_of("predictions", job), job.parts, partial(_computed, job, config, store))


def _computed(job: Job, config: Config, store: Store) -> pd.DataFrame:
    """Predictions of every draw of an experiment."""
    experiment, material = job.experiment, job.material
    values, truth = ready(job, config, store)
    keep_valid = experiment.protocol in KEEPS_VALID and not experiment.fixed
    params = registry.get(experiment.model).fixed(config.models) if experiment.fixed else job.params
    task = training.Task(experiment.model, params, keep_valid)
    draws = []
    for draw in range(experiment.draws):
        random = settings.rng(config, f"labels/{experiment.name}/{draw}")
        labelled = (
            materials.shuffled(truth, material.clips, experiment.shuffle, random) if experiment.shuffle else truth
        )
        folds = materials.folds_of(experiment, material, labelled, config, store, draw)
        seed = settings.random_state(config, f"{experiment.model}/{draw}")
        options = {"training": config.training, "keep": keeper(job, draw, store)} if job.is_deep else {}
        table = training.run_folds(values, labelled, folds, task, models=config.models, seed=seed, **options)
        draws.append(table.assign(draw=draw, seed=seed))
    return complete(pd.concat(draws, ignore_index=True), experiment)


def ready(job: Job, config: Config, store: Store) -> tuple[schema.FeatureSet, pd.Series]:
    """Features of the job's clips, and the class of each clip that has some, indexed by ``clip_id``."""
    values = feature_values(job, config, store)
    truth = materials.classes_of(job.material, job.experiment.scheme)
    return values, truth[truth.index.isin(values.clip_id)]


def keeper(job: Job, draw: int, store: Store):
    """Keeps each finished fold of a network; more draws or a killed run train only what is missing."""
    declared = {**job.parts["experiment"], "draws": None}
    parts = {**job.parts, "experiment": declared, "draw": draw}

    def keep(fold: str, make_fold) -> pd.DataFrame:
        return store.cached(f"{file_of('networks', job)}_{draw}_{fold}", {**parts, "fold": fold}, make_fold)

    return keep


def feature_values(job: Job, config: Config, store: Store) -> schema.FeatureSet:
    """Features of the job's clips, several side by side, with the variants that the experiment reads."""
    heard, sets = heard_as(config, job.experiment), []
    for variant in variants_of(job.experiment):
        parts = [
            features.load(name, job.material.clips, config=heard, store=store, variant=variant)
            for name in feature_names(job.experiment)
        ]
        sets.append(schema.side_by_side(parts))
    return schema.FeatureSet(
        job.experiment.feature,
        np.concatenate([part.clip_id for part in sets]),
        np.concatenate([part.variant for part in sets]),
        np.concatenate([part.values for part in sets]),
        sets[0].columns,
    )


def complete(table: pd.DataFrame, experiment: Experiment) -> pd.DataFrame:
    """Predictions with the columns that say where they come from."""
    if experiment.protocol == "seed_inner":
        table = table.assign(role="valid")  # inside the training part; no test clip was touched
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
