"""The student systems' searches replayed with a stated budget.

A replay sees the training part of the published list and nothing else; its scores are cross-validation
scores. The inner folds are random, as the published ones were, but a clip stays whole with its copies.
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
from ser_study.experiments import material as materials
from ser_study.experiments.material import Material
from ser_study.schema import FeatureSet
from ser_study.store import Store
from ser_study.tuning import Search, Space, fitting
from ser_study.tuning.trials import VERSION as SEARCH_VERSION

VERSION = 2  # rises when inner folds or tables give other numbers


def names(system: str = "") -> list[str]:
    """Searches that can be replayed, of one student system ("000", "001", "002", "004") or of all."""
    return [name for name in tuning.SPACES if name.startswith(system)]


def replay(name: str, *, config: Config, store: Store, trials: int = 0, reports: bool = True) -> Search | None:
    """One published search again, inside the training part of the published list.

    Parameters
    ----------
    name : a key of ``tuning.SPACES``
    trials : finished trials wanted; 0: ``budget``, for a random search as many as published
    reports : False: nothing is reported after the inner folds, so nothing can be pruned

    Returns
    -------
    Search, or None where the RAVDESS recordings of the system are absent.

    Raises
    ------
    ValueError
        An unknown search, or listed clips that are missing.
    """
    space, part = tuning.get(name), _training_part(name, config, store)
    if part is None:
        return None
    material, ids = part
    truth = materials.classes_of(material, space.scheme)
    values = values_of(space, _only(material.clips, ids), config, store)
    random = settings.rng(config, f"inner folds/{space.system}/{space.n_folds}")
    ids = ids[ids.isin(values.clip_id)]  # a clip whose extraction failed was named on stderr
    folds = tuning.inner_folds(
        material.clips, truth, ids, by="clip", n=space.n_folds, rng=random, variants=space.variants
    )
    wanted = trials if space.method == "random" else budget(space, config, trials)
    return tuning.tune(space, values, truth, folds, config=config, store=store, trials=wanted, reports=reports)


def replays(chosen: Sequence[str], *, config: Config, store: Store, trials: int = 0) -> pd.DataFrame:
    """Published searches beside our replays, one row a search; kept, so that a second call computes nothing.

    Columns: search, model, metric; published_trials, published_score, published_params, published_cost;
    trials, complete, pruned, failed, score, params, seconds; n_clips. Searches whose clips are absent are left out.
    """
    found = _stacked([_kept(name, True, config, store, trials) for name in chosen])
    return found.drop(columns=["reports", "folds_fitted"], errors="ignore")


def with_and_without_reports(chosen: Sequence[str], *, config: Config, store: Store, trials: int = 0) -> pd.DataFrame:
    """The same searches as the students ran them (nothing reported) and with a report after each inner fold.

    Columns as ``replays``, and ``reports`` (bool) and ``folds_fitted``.
    """
    rows = [_kept(name, reports, config, store, trials) for name in chosen for reports in (False, True)]
    return _stacked(rows)


def _stacked(rows: Sequence[pd.DataFrame | None]) -> pd.DataFrame:
    found = [row for row in rows if row is not None]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame()


def _kept(name: str, reports: bool, config: Config, store: Store, trials: int) -> pd.DataFrame | None:
    """One row of a replay, from the store or computed now."""
    space, part = tuning.get(name), _training_part(name, config, store)
    if part is None:
        return None
    material, ids = part
    parts = rests_on(space, config, trials) | {
        "clips": material.digest,
        "train": settings.fingerprint(sorted(ids)),
        "reports": reports,
    }

    def make() -> pd.DataFrame:
        found = replay(name, config=config, store=store, trials=trials, reports=reports)
        return pd.DataFrame([_row(space, found, len(ids)) | {"reports": reports}])

    return store.cached(f"searches/{name}", parts, make)


def _row(space: Space, found: Search, n_clips: int) -> dict[str, Any]:
    counts = found.counts
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
        "score": found.value,
        "params": json.dumps(dict(found.params)),
        "seconds": found.seconds,
        "folds_fitted": int(found.trials["folds"].where(found.trials["folds"] > 0, space.n_folds).sum()),
        "n_clips": n_clips,
    }


def budget(space: Space, config: Config, trials: int = 0) -> int:
    """Finished trials of a replay: as many as told, otherwise ``tuning.trials`` or what the space has at most."""
    return trials or min(config.tuning.trials, space.most or config.tuning.trials)


def rests_on(space: Space, config: Config, trials: int) -> dict[str, Any]:
    """What a search depends on besides its clips."""
    return {
        "versions": [VERSION, SEARCH_VERSION, *fitting.versions(space)],
        "space": {key: [type(one).__name__, settings.as_dict(one)] for key, one in space.dimensions.items()},
        "features": features.get(space.feature).settings(config),
        "variants": [space.variants, augment.VERSION],
        "trials": budget(space, config, trials),
        "tuning": [config.tuning.startup, config.tuning.max_iter, config.models.tree_cap],
        "seed": config.seed,
    }


def _training_part(name: str, config: Config, store: Store) -> tuple[Material, pd.Series] | None:
    """Clips of a search's student system, and which of them its published list trains on."""
    space = tuning.get(name)
    material = materials.gather_seed(space.system, config, store)
    if material is None:
        return None
    published = splits.RECIPES[space.system].published
    folds = splits.fixed(material.clips, published, folder=store.project / "data" / "folds")
    return material, folds.loc[folds["role"] == "train", "clip_id"]


def _only(clips: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    return clips[clips["clip_id"].isin(ids)]


def values_of(space: Space, clips: pd.DataFrame, config: Config, store: Store) -> FeatureSet:
    """Features of clips with the variants that the space trains on; clips that lack one are left out."""
    sets = [features.load(space.feature, clips, config=config, store=store, variant=v) for v in space.variants]
    ids = sets[0].clip_id[np.logical_and.reduce([np.isin(sets[0].clip_id, part.clip_id) for part in sets])]
    values = np.concatenate([part.rows(ids, variant=v) for part, v in zip(sets, space.variants)])
    variant = np.repeat(space.variants, len(ids))
    return FeatureSet(space.feature, np.tile(ids, len(sets)), variant, values, sets[0].columns)
