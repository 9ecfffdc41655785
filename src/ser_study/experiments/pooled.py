"""One system for all corpora, on the six common classes: what it scores on new speakers and on a corpus it never saw.

Of a corpus with several selections the first stands for it, so that singing is no speech. The built-in corpus takes
part only where there is no other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ser_study import corpora, features, pooled_training, splits
from ser_study.config import Config
from ser_study.experiments import execute, joint, ledger
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.pooled_training import NEVER, Fitted, Pool
from ser_study.splits.joint import PROTOCOL
from ser_study.store import Store, file_hash, versions

MODEL, SCHEME, ELSEWHERE = "lda_pooled", "6_common", "cross_corpus"
Selections = Mapping[str, Selection]


def chosen(selections: Selections) -> dict[str, Selection]:
    """The first selection of every corpus; the built-in one only where there is no other."""
    first = {corpora.corpus_of(name): name for name in reversed(list(selections))}
    names = [name for corpus, name in first.items() if corpus != "synthetic" or len(first) == 1]
    return {name: selections[name] for name in sorted(names)}


def experiments(feature: str, selections: Selections, protocol: str = PROTOCOL) -> dict[str, Experiment]:
    """The experiment of every corpus: on new speakers (``PROTOCOL``), or on a corpus that is not trained on
    (``ELSEWHERE``)."""
    names = list(chosen(selections))
    rest = {name: tuple(other for other in names if other != name) for name in names}
    field = "sources" if protocol == ELSEWHERE else "others"
    return {name: Experiment(name, protocol, feature, MODEL, SCHEME, **{field: rest[name]}) for name in names}


def predict(
    feature: str, selections: Selections, *, config: Config, store: Store, protocol: str = PROTOCOL
) -> dict[str, pd.DataFrame]:
    """Predictions of every corpus, from the store or made now; the test evaluations are logged.

    Parameters
    ----------
    feature : names of features, side by side with ``+``
    selections : name → clips, all of the study
    protocol : ``PROTOCOL``, with validation rows and a fold for each part of the speakers, or ``ELSEWHERE``

    Returns
    -------
    Selection → predictions; one that is never tested (no speaker is named) is left out.

    Raises
    ------
    ValueError
        The speakers make fewer than three parts.
    """
    key = cache_key(feature, selections, config, store)

    def make() -> pd.DataFrame:
        work = pooled_training.elsewhere if protocol == ELSEWHERE else pooled_training.predict
        return work(pool(feature, selections, config, store), models=config.models)

    kind = {"protocol": protocol} | ({"keeps": "validation"} if protocol == ELSEWHERE else {})
    table = store.cached(f"pooled/{feature}_{protocol}", {**key, **kind}, make)
    tables, lines = {}, {}
    for name, one in experiments(feature, selections, protocol).items():
        rows = table[table["corpus"] == name] if len(table) else table
        if len(rows):
            rows = rows.drop(columns="corpus").assign(repeat=0, draw=0, seed=config.seed)
            tables[name] = execute.complete(rows, one)
            lines[one.name] = ledger.declaration_of({**key, "experiment": one.declaration()})
    for rows in tables.values():
        ledger.log_test_evaluations(lines, ledger.test_uar(rows), store)
    return tables


def fit(feature: str, selections: Selections, *, config: Config, store: Store, without: tuple[int, ...] = ()) -> Fitted:
    """The head of all clips, or of all but those of some folds; see ``pooled_training.fit``."""
    return pooled_training.fit(pool(feature, selections, config, store), models=config.models, without=without)


def pool(feature: str, selections: Selections, config: Config, store: Store) -> Pool:
    """Clips of all corpora that have features and one of the six classes, with the fold that tests each."""
    parts, names = chosen(selections), feature.split("+")
    clips = pd.concat([part.clips for part in parts.values()], ignore_index=True)
    for name in names:
        features.load(name, clips, config=config, store=store)  # all at once, not corpus by corpus
    joins = joint.joining_classes(store)
    options = {"names": names, "scheme": SCHEME, "config": config, "store": store}
    rows = {name: joint.rows_of_one(part, joins, **options) for name, part in parts.items()}
    tested = _tested(clips, config)
    table = pd.concat([one.rows for one in rows.values()], ignore_index=True)
    return Pool(
        table,
        np.concatenate([one.values for one in rows.values()]),
        np.concatenate([one.truth for one in rows.values()]),
        np.repeat(list(rows), [len(one.truth) for one in rows.values()]),
        table["clip_id"].map(tested).fillna(NEVER).to_numpy(int),
    )


def _tested(clips: pd.DataFrame, config: Config) -> pd.Series:
    """Fold in which each clip is tested, by ``clip_id``; one that never is does not appear."""
    folds = splits.joint_folds(clips, config=config)
    return folds[folds["role"] == "test"].set_index("clip_id")["fold"]


def cache_key(feature: str, selections: Selections, config: Config, store: Store) -> dict[str, Any]:
    """All that the predictions depend on."""
    names = feature.split("+")
    return {
        "clips": {name: part.digest for name, part in chosen(selections).items()},
        "features": [features.get(name).settings(config) for name in names],
        "libraries": features.made_with(names, config) | versions(["scikit-learn"]),
        "model": {"version": pooled_training.VERSION, "powers": pooled_training.POWERS},
        "params": {
            "shrinkage": config.models.covariance_shrinkage,
            "class_map": file_hash(store.project / "data" / joint.CLASS_MAP),
        },
        "seed": config.seed,
    }
