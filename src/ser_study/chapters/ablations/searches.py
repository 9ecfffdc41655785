"""The students' hyperparameter searches replayed with a stated budget.

A replay sees the training part of the published list and nothing else; its scores are cross-validation
scores. The inner folds are random, as the published ones were, but a clip and its augmented copies share a fold.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features, splits, tuning
from ser_study.audio import augment
from ser_study.config import Config
from ser_study.experiments.selections import Selection, classes_of, load_baseline_selection
from ser_study.schema import FeatureSet
from ser_study.store import Store, versions
from ser_study.study import Study
from ser_study.tuning import Search, Space
from ser_study.tuning.trials import VERSION as SEARCH_VERSION

VERSION = 2  # rises when inner folds or tables give other numbers
SHORT = ("000-lightgbm", "001-logistic", "002-knn", "002-tree", "002-logistic")  # of seconds to minutes


def names(system: str = "") -> list[str]:
    """Searches that can be replayed, of one student project ("000", "001", "002", "004") or of all."""
    return [name for name in tuning.SPACES if name.startswith(system)]


def chosen(config: Config) -> list[str]:
    """Searches that the settings ask for: the short ones, and those of hours (``ablations.long_searches``)."""
    long = [name for name in names() if name not in SHORT]
    return [*SHORT * config.ablations.searches, *long * config.ablations.long_searches]


def table(study: Study) -> pd.DataFrame:
    """The chosen searches, see ``replays``; empty where all are switched off."""
    return replays(study, chosen(study.config))


def replays(study: Study, wanted: Sequence[str], *, trials: int = 0) -> pd.DataFrame:
    """Published searches beside our replays, one row a search; cached, so that a second call computes nothing.

    Columns: search, model, metric; published_trials, published_score, published_params, published_cost;
    trials, complete, pruned, failed, score, params, seconds; n_clips. Searches whose clips are absent are left out.
    """
    rows = [_cached_row(study, name, trials) for name in wanted]
    rows = [row for row in rows if row is not None]
    return pd.concat(rows, ignore_index=True) if rows else pd.DataFrame()


def replay(study: Study, name: str, *, trials: int = 0) -> Search | None:
    """One published search again, inside the training part of the published list.

    Parameters
    ----------
    name : a key of ``tuning.SPACES``
    trials : finished trials wanted; 0: ``budget``, for a random search as many as published

    Returns
    -------
    Search, or None where the RAVDESS recordings of the project are absent.

    Raises
    ------
    ValueError
        An unknown search, or listed clips that are missing.
    """
    config, store = study.config, study.store
    space, training_part = tuning.get(name), _training_part(name, config, store)
    if training_part is None:
        return None
    part, ids = training_part
    truth = classes_of(part, space.scheme)
    values = values_of(space, part.clips[part.clips["clip_id"].isin(ids)], study)
    random = settings.rng(config, f"inner folds/{space.system}/{space.n_folds}")
    ids = ids[ids.isin(values.clip_id)]  # a clip whose extraction failed was named on stderr
    folds = splits.inner_folds(part.clips, truth, ids, by="clip", n=space.n_folds, rng=random, variants=space.variants)
    n_trials = trials if space.method == "random" else budget(space, config, trials)
    return tuning.tune(space, values, truth, folds, config=config, store=store, trials=n_trials)


def _cached_row(study: Study, name: str, trials: int) -> pd.DataFrame | None:
    """One row of ``replays``, from the store or computed now."""
    space, training_part = tuning.get(name), _training_part(name, study.config, study.store)
    if training_part is None:
        return None
    part, ids = training_part
    key = cache_key(space, study.config, trials)
    key |= {"clips": part.digest, "train": settings.fingerprint(sorted(ids))}

    def make() -> pd.DataFrame:
        return pd.DataFrame([_row(space, replay(study, name, trials=trials), len(ids))])

    return study.store.cached(f"searches/{name}", key, make)


def _row(space: Space, search: Search, n_clips: int) -> dict[str, Any]:
    counts = search.counts
    return {
        "search": space.name,
        "model": space.title,
        "metric": space.metric,
        "published_trials": space.published.trials,
        "published_score": space.published.score,
        "published_params": json.dumps(dict(space.published.params)),
        "published_cost": space.published.cost,
        "trials": counts["complete"] + counts["pruned"],
        "complete": counts["complete"],
        "pruned": counts["pruned"],
        "failed": counts["failed"],
        "score": search.value,
        "params": json.dumps(dict(search.params)),
        "seconds": search.seconds,
        "n_clips": n_clips,
    }


def budget(space: Space, config: Config, trials: int = 0) -> int:
    """Finished trials of a replay: as given, otherwise ``tuning.trials`` or what the space has at most."""
    return trials or min(config.tuning.trials, space.most or config.tuning.trials)


def cache_key(space: Space, config: Config, trials: int) -> dict[str, Any]:
    """What a search depends on besides its clips."""
    return {
        "versions": [VERSION, SEARCH_VERSION],
        "libraries": features.get(space.feature).made_with(config) | versions(["scikit-learn", *space.libraries]),
        "space": {key: [type(one).__name__, settings.as_dict(one)] for key, one in space.dimensions.items()},
        "features": features.get(space.feature).settings(config),
        "variants": [space.variants, augment.VERSION],
        "trials": budget(space, config, trials),
        "tuning": [config.tuning.startup, config.tuning.max_iter, config.models.tree_cap],
        "seed": config.seed,
    }


def _training_part(name: str, config: Config, store: Store) -> tuple[Selection, pd.Series] | None:
    """Clips of a search's student project, and which of them its published list trains on."""
    space = tuning.get(name)
    part = load_baseline_selection(space.system, config, store)
    if part is None:
        return None
    published = splits.RECIPES[space.system].published
    folds = splits.fixed(part.clips, published, folder=store.project / "data" / "folds")
    return part, folds.loc[folds["role"] == "train", "clip_id"]


def values_of(space: Space, clips: pd.DataFrame, study: Study) -> FeatureSet:
    """Features of clips with the variants that the space trains on; clips that lack one are left out."""
    options = {"config": study.config, "store": study.store}
    sets = [features.load(space.feature, clips, variant=variant, **options) for variant in space.variants]
    ids = sets[0].clip_id[np.logical_and.reduce([np.isin(sets[0].clip_id, part.clip_id) for part in sets])]
    values = np.concatenate([part.rows(ids, variant=v) for part, v in zip(sets, space.variants)])
    variant = np.repeat(space.variants, len(ids))
    return FeatureSet(space.feature, np.tile(ids, len(sets)), variant, values, sets[0].columns)
