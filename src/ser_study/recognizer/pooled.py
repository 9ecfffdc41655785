"""The recognisers that come with the package: fitted on all corpora at hand, for voices of none of them.

``ser-study fit`` writes them. Their cards say how well they do on speakers of each corpus that they were not fitted on,
and on a corpus that they know nothing of, which is the closest to a recording of one's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import __version__, features
from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import abstention, tables
from ser_study.experiments import pooled
from ser_study.experiments.selections import Selection
from ser_study.pooled_training import Fitted
from ser_study.recognizer import shipped
from ser_study.recognizer.card import INTENDED_USE, LIMITS, corpus_of, scores_of
from ser_study.recognizer.checks import described
from ser_study.recognizer.recognizer import Recognizer
from ser_study.store import Store, git

Selections = Mapping[str, Selection]


def write(selections: Selections, *, config: Config, store: Store, folder: Path = shipped.FOLDER) -> list[Path]:
    """Fit the recognisers that come with the package, and write them.

    Parameters
    ----------
    selections : name → clips, all of the study
    folder : where their files go; by default they replace those of the package

    Raises
    ------
    ValueError
        The speakers are too few to train, to choose and to test.
    ConnectionError
        The weights of an encoder cannot be had.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = {name: fit(name, selections, config=config, store=store) for name in shipped.FEATURES}
    return [one.save(folder / f"{name}.npz") for name, one in made.items()]


def fit(name: str, selections: Selections, *, config: Config, store: Store, without: Iterable[int] = ()) -> Recognizer:
    """One of the recognisers, fitted on all clips, or on all but those of some folds of the speakers.

    Parameters
    ----------
    name : a key of ``shipped.FEATURES``
    without : folds, as in the predictions of ``experiments.pooled``

    Notes
    -----
    The threshold that it answers by is learned on its validation rows, each predicted without its speaker's fold.
    """
    feature, options = shipped.FEATURES[name], {"config": config, "store": store}
    fitted = pooled.fit(feature, selections, **options, without=tuple(without))
    card = {"name": name} | _card(feature, fitted, selections, **options)
    return Recognizer(fitted.head, card)


def _card(feature: str, fitted: Fitted, selections: Selections, *, config: Config, store: Store) -> dict[str, Any]:
    options = {"config": config, "store": store}
    predictions = pooled.predict(feature, selections, **options)
    elsewhere = pooled.predict(feature, selections, **options, protocol=pooled.ELSEWHERE)
    parts, names = pooled.chosen(selections), feature.split("+")
    level = abstention.threshold(*abstention.right_and_confidence(fitted.validation), abstention.ANSWERS_AT)
    together = _together(predictions)
    return {
        "classes": list(fitted.head.classes),
        "features": [described(one, config) for one in names],
        "threshold": level if np.isfinite(level) else None,
        "distance": {"limit": fitted.limit},
        "params": dict(fitted.params),
        "n_train": fitted.n_train,
        "corpora": [corpus_of(name, part) | {"trained_on": True} for name, part in parts.items()],
        "protocol": pooled.PROTOCOL,
        "scheme": pooled.SCHEME,
        "scores": _scores(together, selections, config),
        "scores_by_corpus": {name: _scores(one, selections, config) for name, one in predictions.items()},
        "scores_of_unknown_corpus": {name: _scores(one, selections, config) for name, one in elsewhere.items()},
        "thresholds": abstention.coverage_by_aim(together),
        "answered_of_unknown_corpus": {name: _answered(one) for name, one in elsewhere.items()},
        "intended_use": INTENDED_USE,
        "limits": LIMITS,
        "made_with": {"ser_study": __version__, "commit": git(store.project, "rev-parse", "HEAD")}
        | features.made_with(names, config),
        "declaration": settings.fingerprint(pooled.cache_key(feature, selections, **options))[:12],
    }


def _answered(table: pd.DataFrame) -> dict[str, float | None]:
    """Share of the clips of a corpus that are answered, and how many of these answers are right; the threshold is
    learned on the validation rows of the others."""
    (row,) = (one for one in abstention.coverage_by_aim(table) if one["aim"] == abstention.ANSWERS_AT)
    return {name: row[name] for name in ("coverage", "accuracy")}


def _together(predictions: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Predictions of all corpora as those of one experiment; a clip is a clip, so large corpora count for more."""
    table = pd.concat(predictions.values(), ignore_index=True)
    return table.assign(experiment="all corpora", corpus="all corpora")


def _scores(table: pd.DataFrame, selections: Selections, config: Config) -> dict[str, dict[str, Any]]:
    clips = pd.concat([part.clips for part in pooled.chosen(selections).values()], ignore_index=True)
    random = settings.rng(config, f"scores/{table['experiment'].iloc[0]}")
    return scores_of(tables.scores(table, clips, evaluation=config.evaluation, rng=random))
