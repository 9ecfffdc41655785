"""Every classical model on one corpus: scores on validation speakers, seconds to fit, milliseconds to predict."""

from __future__ import annotations

import pandas as pd

from ser_study import config as settings
from ser_study import features, splits
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.experiments.selections import classes_of
from ser_study.models import registry
from ser_study.store import versions
from ser_study.study import Study
from ser_study.tuning import comparison

FEATURE = "means184"
PROTOCOL = "speaker_independent"
VERSION = 1  # rises when a cached table would hold other numbers


def model_times(study: Study) -> pd.DataFrame:
    """Scores on validation speakers and times of every classical model, the best accuracy first.

    No test row is read. Empty where ``benchmark.times`` is off or no corpus has speakers to spare for validation.
    """
    name = _selection(study)
    if not name or not study.config.benchmark.times:
        return pd.DataFrame()
    config, part = study.config, study.selections[name]
    seed = settings.random_state(config, "league times")  # another text would seed other fits
    cache_key = {
        "clips": part.digest,
        "models": config.models,
        "seed": seed,
        "names": list(registry.CLASSICAL),
        "features": features.get(FEATURE).settings(config),
        "folds": splits.committed_hash(name, PROTOCOL, study.store.project / "data" / "folds"),
        "version": VERSION,
        "libraries": features.get(FEATURE).made_with(config) | versions(_libraries()),
    }

    def make() -> pd.DataFrame:
        values = study.features(name, FEATURE)
        truth = classes_of(part, "native")
        truth = truth[truth.index.isin(values.clip_id)]
        experiment = Experiment(name, PROTOCOL, FEATURE, "logistic")
        folds = folds_of(experiment, part, truth, config, study.store, 0)
        table = comparison.compare_models(values, truth, folds, models=config.models, seed=seed)
        return table.assign(corpus=name)

    return study.store.cached(f"times/{name}", cache_key, make).drop(columns="title")


def _libraries() -> set[str]:
    """Libraries that the models come from."""
    return {"scikit-learn", *(library for model in registry.CLASSICAL.values() for library in model.libraries)}


def _selection(study: Study) -> str:
    """The first corpus that large features run on, else the first with more than three speakers; or none."""
    able = [name for name, part in study.selections.items() if part.n_speakers > 3]
    large = [name for name in able if name in study.config.benchmark.large_corpora]
    return next(iter(large or able), "")
