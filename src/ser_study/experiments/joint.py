"""Experiments that train on several corpora: what of the other corpora joins in, and the fit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study import features, joint_training, schema
from ser_study.config import Config
from ser_study.experiments.selections import Selection, classes_of
from ser_study.joint_training import Rows
from ser_study.store import Store, file_hash
from ser_study.training import InnerFolds

CLASS_MAP = "class_map.csv"  # in data/: which class of which corpus counts as which emotion beside other corpora
MODEL = "lda"  # the only one whose sums of corpora add


def declaration(config: Config, store: Store) -> dict:
    """How other corpora join in."""
    return {
        "class_map": file_hash(store.project / "data" / CLASS_MAP),
        "weights": list(config.models.joint_weights),
        "version": joint_training.VERSION,
    }


def predict(
    names: list[str],
    scheme: str,
    own: Selection,
    others: Mapping[str, Selection],
    folds: pd.DataFrame,
    inner: InnerFolds,
    *,
    config: Config,
    store: Store,
) -> pd.DataFrame:
    """Predictions of every fold of ``own``; see ``joint_training.run_folds``.

    Parameters
    ----------
    names : features, side by side
    scheme : label scheme
    folds : folds of ``own`` by speaker
    """
    own_rows, beside = rows_of(names, scheme, own, others, config=config, store=store)
    return joint_training.run_folds(own_rows, beside, folds, models=config.models, inner=inner)


def rows_of(
    names: list[str], scheme: str, own: Selection, others: Mapping[str, Selection], *, config: Config, store: Store
) -> tuple[Rows, dict[str, Rows]]:
    """Rows of the own clips, and of each other corpus those that may join them; see ``predict``."""
    joins = joining_classes(store)
    options = {"names": names, "scheme": scheme, "config": config, "store": store}
    return rows_of_one(own, None, **options), {
        name: rows_of_one(part, joins, **options) for name, part in others.items()
    }


def joining_classes(store: Store) -> set[tuple[str, str]]:
    """(corpus, emotion) of every class that may be trained on beside another corpus (``data/class_map.csv``)."""
    table = pd.read_csv(store.project / "data" / CLASS_MAP, keep_default_na=False)
    schema.check_columns(table, ("corpus", "label", "emotion", "joins"), what="class map")
    table = table[table["joins"] == "yes"]
    return set(zip(table["corpus"], table["emotion"]))


def may_join(corpus: str, emotion: str, joins: set[tuple[str, str]]) -> bool:
    """Whether clips of a class are trained on beside other corpora; of a corpus that the class map lacks, all are."""
    return (corpus, emotion) in joins or corpus not in {known for known, _ in joins}


def rows_of_one(part: Selection, joins: set[tuple[str, str]] | None, *, names, scheme: str, config, store) -> Rows:
    """Clips with features and a class; of another corpus those whose class joins in (a user's own corpora: all)."""
    clips = part.clips
    if joins is not None:
        clips = clips[[may_join(*pair, joins) for pair in zip(clips["corpus"], clips["emotion"])]]
    sets = [features.load(name, clips, config=config, store=store) for name in names]
    values, truth = schema.side_by_side(sets), classes_of(part, scheme)
    clips = clips[clips["clip_id"].isin(truth.index) & clips["clip_id"].isin(values.clip_id)]
    ids = clips["clip_id"].to_numpy()
    rows = pd.DataFrame({"clip_id": ids, "variant": 0})
    speakers = clips["speaker"].fillna("").to_numpy(str)
    flat = values.rows(ids).reshape(len(ids), -1).astype(np.float64)
    return Rows(rows, flat, truth.loc[ids].to_numpy(str), speakers)
