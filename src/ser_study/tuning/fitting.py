"""Searches over estimators: what a trial fits on each inner fold, and scikit-learn's random search."""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import Pipeline

from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import metrics
from ser_study.parallel import single_threaded
from ser_study.schema import FeatureSet
from ser_study.store import Store, versions
from ser_study.tuning.baseline_spaces import get
from ser_study.tuning.spaces import Space
from ser_study.tuning.trials import TRIAL_COLUMNS, VERSION, Search, search


@dataclass(frozen=True)
class Rows:
    """Values (n, …) and integer classes (n,) of every row that some inner fold uses, and where it uses them."""

    values: np.ndarray
    classes: tuple[str, ...]
    codes: np.ndarray
    places: Mapping[int, tuple[np.ndarray, np.ndarray]]  # fold → places of its train rows, of its validation rows

    @property
    def digest(self) -> str:
        """Fingerprint of values, classes and folds."""
        content = hashlib.sha256(np.ascontiguousarray(self.values).tobytes())
        content.update(self.codes.astype(np.int64).tobytes())
        for fold, roles in self.places.items():
            content.update(str(fold).encode() + b"".join(part.astype(np.int64).tobytes() for part in roles))
        return content.hexdigest()


def rows_of(features: FeatureSet, truth: pd.Series, folds: pd.DataFrame) -> Rows:
    """Rows of inner folds.

    Raises
    ------
    ValueError
        A fold holds another role than train and validation, or lacks one; a clip has no features or no class.
    """
    strange = set(folds["role"].unique()) - {"train", "validation"}
    if strange:
        raise ValueError(f"Inner folds hold roles {sorted(strange)}; a search may see train and validation rows only.")
    used = folds[["clip_id", "variant"]].drop_duplicates().sort_values(["variant", "clip_id"], ignore_index=True)
    wanted = truth.reindex(used["clip_id"])
    if wanted.isna().any():
        lost = used["clip_id"][wanted.isna().to_numpy()]
        raise ValueError(f"{len(lost)} rows of the inner folds have no class, first {lost.iloc[0]!r}; leave them out.")
    values = [features.rows(rows["clip_id"].to_numpy(), variant=number) for number, rows in used.groupby("variant")]
    classes, codes = np.unique(wanted.to_numpy(str), return_inverse=True)
    place = pd.MultiIndex.from_frame(used)
    places = {}
    for fold, rows in folds.groupby("fold", sort=True):
        where, role = place.get_indexer(pd.MultiIndex.from_frame(rows[["clip_id", "variant"]])), rows["role"].to_numpy()
        places[int(fold)] = (where[role == "train"], where[role == "validation"])
        if not all(len(part) for part in places[int(fold)]):
            raise ValueError(f"Inner fold {fold} lacks train or validation rows; make the folds with inner_folds.")
    return Rows(np.concatenate(values), tuple(classes), codes, places)


def fitted(estimator: Any, values: np.ndarray, codes: np.ndarray) -> tuple[Any, np.ndarray]:
    """The estimator fitted on classes numbered without gaps, and the class that each number stands for."""
    present, numbers = np.unique(codes, return_inverse=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # iterations are capped on purpose
        estimator.fit(values, numbers)
    return estimator, present


def score_of(truth: np.ndarray, prediction: np.ndarray, metric: str, n_classes: int) -> float:
    """A count metric of integer classes."""
    return float(metrics.COUNT_METRICS[metric](metrics.confusion(truth, prediction, range(n_classes))))


def tune(
    space: Space | str,
    features: FeatureSet,
    truth: pd.Series,
    folds: pd.DataFrame,
    *,
    config: Config,
    store: Store,
    name: str = "",
    trials: int = 0,
    metric: str = "",
) -> Search:
    """Search a space by the mean score over inner folds.

    Parameters
    ----------
    space : a space or its name
    features : values of the training part, every variant that the folds name
    truth : class of each clip, indexed by ``clip_id``
    folds : inner folds (train and validation rows only), as ``inner_folds`` makes them
    name : of the search; empty: the space's
    trials : finished trials wanted; 0: ``tuning.trials`` (a random search: as many as published)
    metric : a key of ``metrics.COUNT_METRICS``; empty: the space's

    Returns
    -------
    Search; ``params`` are those of the best complete trial.

    Raises
    ------
    ValueError
        A role other than train and validation, a clip without features or class.
    RuntimeError
        Fits fail more often than they end.
    """
    space = get(space) if isinstance(space, str) else space
    rows, metric, name = rows_of(features, truth, folds), metric or space.metric, name or space.name
    seed = settings.random_state(config, f"estimators/{name}")
    options = {
        "name": name,
        "cache_key": _cache_key(space, rows, metric, seed, config),
        "trials": trials,
        "store": store,
    }
    if space.method == "random":
        return randomised(space, rows, seed=seed, metric=metric, config=config, **options)
    scorer = _scorer(space, rows, metric, seed, config)
    with single_threaded():  # results must not depend on the number of threads
        return search(space.dimensions, scorer, list(rows.places), config=config, **options)


def _scorer(space: Space, rows: Rows, metric: str, seed: int, config: Config) -> Callable:
    def score(params: Mapping[str, Any], fold: int) -> float:
        train, validation = rows.places[fold]
        estimator, present = fitted(space.build(params, seed, config), rows.values[train], rows.codes[train])
        prediction = present[np.asarray(estimator.predict(rows.values[validation]), dtype=int)]
        _released(estimator)
        return score_of(rows.codes[validation], prediction, metric, len(rows.classes))

    return score


def _released(estimator: Any) -> None:
    """Networks hold memory until they are told to let go."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    if hasattr(last, "release"):
        last.release()


def _cache_key(space: Space, rows: Rows, metric: str, seed: int, config: Config) -> dict[str, Any]:
    return {
        "space": space.name,
        "build": f"{getattr(space.build, '__module__', '')}.{getattr(space.build, '__qualname__', repr(space.build))}",
        "rows": rows.digest,
        "metric": metric,
        "seed": seed,
        "caps": [config.models.tree_cap, config.tuning.max_iter],
        "libraries": versions(["scikit-learn", *space.libraries]),
        "dimensions": {key: [type(one).__name__, settings.as_dict(one)] for key, one in space.dimensions.items()},
        "prefix": space.prefix,
    }


def randomised(
    space: Space,
    rows: Rows,
    *,
    cache_key: Mapping[str, Any],
    seed: int,
    metric: str,
    name: str,
    trials: int = 0,
    config: Config,
    store: Store,
) -> Search:
    """Random draws from a grid, by scikit-learn's ``RandomizedSearchCV``; nothing can be pruned.

    Parameters
    ----------
    space : a space of lists of values
    rows, cache_key : rows of the inner folds and what the scores depend on
    trials : draws; 0: as many as published

    Returns
    -------
    Search with one row a draw, kept in the store.
    """
    n_draws = trials or space.published.trials

    def make() -> pd.DataFrame:
        return _drawn(space, space.build({}, seed, config), rows, n_draws, seed, metric)

    table = store.cached(f"tuning/{name}", {**cache_key, "search": VERSION, "method": "random", "draws": n_draws}, make)
    best = table.loc[table["value"].idxmax()]
    return Search(name, json.loads(best["params"]), float(best["value"]), table)


def _drawn(space: Space, estimator: Any, rows: Rows, n_draws: int, seed: int, metric: str) -> pd.DataFrame:
    """Random draws from the grid of a space, each scored on every inner fold."""
    from sklearn.model_selection import RandomizedSearchCV

    def scoring(estimator, values, codes) -> float:
        return score_of(codes, np.asarray(estimator.predict(values), dtype=int), metric, len(rows.classes))

    hunt = RandomizedSearchCV(
        estimator,
        {space.prefix + key: list(one.values) for key, one in space.dimensions.items()},
        n_iter=n_draws,
        scoring=scoring,
        cv=list(rows.places.values()),
        refit=False,
        random_state=seed,
        error_score="raise",
    )
    with single_threaded(), warnings.catch_warnings(), TemporaryDirectory() as memory:
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        if isinstance(estimator, Pipeline):  # what no draw changes is fitted once a fold, not once a draw
            estimator.set_params(memory=memory)
        hunt.fit(rows.values, rows.codes)
    return _draws(hunt.cv_results_, len(rows.places), space.prefix)


def _draws(results: Mapping[str, Any], n_folds: int, prefix: str) -> pd.DataFrame:
    """What a random search kept, as a table of trials."""
    spent = (results["mean_fit_time"] + results["mean_score_time"]) * n_folds
    params = [json.dumps({key.removeprefix(prefix): one[key] for key in one}) for one in results["params"]]
    table = pd.DataFrame({"number": range(len(params)), "value": results["mean_test_score"], "seconds": spent})
    return table.assign(state="complete", folds=n_folds, params=params, reason="")[list(TRIAL_COLUMNS)]
