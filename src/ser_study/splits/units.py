"""The units that a protocol may separate, and the check that it does.

Conventions
-----------
A unit is a column of the clips table whose values must not be shared: the decoded samples
(``duplicate``), the recording again of the same thing (``take``), the ``sentence``, the ``speaker``,
the ``corpus``. An empty value is unknown and equals no other value.

Test is separated from train and validation in all units that a protocol declares. Validation is separated from
train in the same way, but for one declared exception: a speaker goes to validation only where two others of
the same corpus remain for training. Where none can (TESS: two actresses), validation is separated from
train by sentence inside the training speakers, or by take where sentences are unknown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ser_study.schema import FOLD_COLUMNS, ROLES, check_columns

UNITS: Mapping[str, str] = {  # unit → column of the clips table
    "duplicate": "sha256",
    "take": "take",
    "sentence": "statement",
    "speaker": "speaker",
    "corpus": "corpus",
}
MIN_POOL_SPEAKERS = 3  # one for validation, two for train


def known(values: pd.Series) -> np.ndarray:
    """Which values are known (neither missing nor an empty text), bool, shape (n,)."""
    return (values.notna() & (values != "")).to_numpy(bool)


def codes(values: pd.Series) -> np.ndarray:
    """Values as integers, shape (n,): equal values share one, sorted by name; −1 where unknown."""
    return pd.factorize(values.where(known(values)), sort=True)[0]


def groups(clips: pd.DataFrame, units: Sequence[str]) -> np.ndarray:
    """Smallest groups of clips that share no value of the units, int, shape (n,).

    Two clips are in one group when a chain of shared values joins them.
    """
    rows, first = [], []
    for unit in units:
        code = codes(clips[UNITS[unit]])
        here = np.flatnonzero(code >= 0)
        _, start, inverse = np.unique(code[here], return_index=True, return_inverse=True)
        rows.append(here)
        first.append(here[start][inverse])
    edges = (np.concatenate(rows), np.concatenate(first))
    graph = coo_array((np.ones(len(edges[0]), dtype=np.int8), edges), shape=(len(clips), len(clips)))
    return connected_components(graph, directed=False)[1]


def deal(strata: np.ndarray, *, n_parts: int, rng: np.random.Generator, sizes: np.ndarray | None = None) -> np.ndarray:
    """Deal things like cards into parts, so that each stratum spreads evenly over the parts.

    Parameters
    ----------
    strata : shape (m,), the stratum of each thing
    n_parts : number of parts
    rng : random stream, decides the order inside a stratum
    sizes : shape (m,), clips in each thing; larger things are dealt first

    Returns
    -------
    int array, shape (m,): part of each thing, 0 … n_parts − 1; the parts differ by one thing at most.
    """
    order = rng.permutation(len(strata))
    sizes = np.zeros(len(strata)) if sizes is None else sizes
    order = order[np.lexsort((-sizes[order], codes(pd.Series(strata))[order]))]
    part = np.empty(len(strata), dtype=int)
    part[order] = np.arange(len(strata)) % n_parts
    return part


def pool_is_large(pool: pd.DataFrame) -> bool:
    """Whether some corpus of the pool (train and validation together) can give a speaker to validation."""
    return bool(pool.groupby("corpus")["speaker"].nunique().max() >= MIN_POOL_SPEAKERS) if len(pool) else False


def inner_unit(pool: pd.DataFrame) -> str:
    """Unit that separates validation from train where no speaker can be spared."""
    for unit in ("sentence", "take"):
        values = pool[UNITS[unit]]
        if known(values).all() and values.nunique() > 1:
            return unit
    return "duplicate"


def validation_units(pool: pd.DataFrame, separates_validation: Sequence[str]) -> tuple[str, ...]:
    """Units in which train and validation of one fold must differ, given the clips of both."""
    if "speaker" not in separates_validation or pool_is_large(pool):
        return tuple(separates_validation)
    units = {unit for unit in separates_validation if unit != "speaker"} | {inner_unit(pool)}
    return tuple(unit for unit in UNITS if unit in units)


def check_disjoint(
    folds: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    name: str,
    separates: Sequence[str],
    separates_validation: Sequence[str],
) -> None:
    """Check that the roles of each fold share no clip and no value of the declared units.

    Parameters
    ----------
    folds : folds table of one protocol
    clips : clips table that holds every clip of the folds
    name : of the protocol, for the message
    separates : units between test and the other two roles
    separates_validation : units between train and validation, where a speaker can be spared

    Raises
    ------
    ValueError
        A value occurs in two roles of one fold, a role is unknown, or a clip is not in the table.
    """
    place = _rows_of(folds, clips, name)
    narrow = clips[list(dict.fromkeys(("corpus", *UNITS.values())))]
    columns = {"clip": clips["clip_id"]} | {unit: clips[column] for unit, column in UNITS.items()}
    coded = {unit: codes(values) for unit, values in columns.items()}
    role = folds["role"].to_numpy()
    for (_, fold), rows in folds.groupby(["repeat", "fold"], sort=True).indices.items():
        at = {which: place[rows[role[rows] == which]] for which in ROLES}
        pool = narrow.iloc[np.union1d(at["train"], at["validation"])]
        for one, other in (("train", "test"), ("validation", "test"), ("train", "validation")):
            units = separates if other == "test" else validation_units(pool, separates_validation)
            for unit in ("clip", *units):
                code = coded[unit]
                shared = np.setdiff1d(np.intersect1d(code[at[one]], code[at[other]]), [-1])
                if len(shared):
                    value = columns[unit].iloc[np.flatnonzero(code == shared[0])[0]]
                    raise ValueError(f"Fold {fold} of {name!r} has {unit} {value} in {one} and {other}.")


def _rows_of(folds: pd.DataFrame, clips: pd.DataFrame, name: str) -> np.ndarray:
    """Row of the clips table for each row of the folds, int, shape (len(folds),)."""
    check_columns(folds, FOLD_COLUMNS, what="folds")
    place = pd.Index(clips["clip_id"]).get_indexer(folds["clip_id"])
    if (place < 0).any():
        unknown = folds["clip_id"].to_numpy()[place < 0]
        raise ValueError(
            f"Folds of {name!r} name {len(set(unknown))} clips that the clips table lacks, first {unknown[0]!r}."
        )
    undefined = set(folds["role"].unique()) - set(ROLES)
    if undefined:
        raise ValueError(f"Folds of {name!r} hold roles {sorted(undefined)}; use {', '.join(ROLES)}.")
    return place
