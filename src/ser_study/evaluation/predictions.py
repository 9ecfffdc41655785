"""The predictions table as arrays, one ``Predictions`` an experiment.

Conventions
-----------
Rows of one role are kept, of clean clips only (``variant`` 0): augmented rows would let a leak score itself.
By default these are the test rows; a study in development compares validation rows. Labels become codes into
the experiment's classes, clips become places in the clips table.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ser_study.evaluation.metrics import check_proba
from ser_study.schema import EMOTIONS, PREDICTION_COLUMNS, check_columns

FACTS = ("experiment", "corpus", "scheme", "protocol", "feature", "model", "leak")  # one value an experiment
EXTRA_COLUMNS = ("corpus", "feature", "draw", "leak")


@dataclass(frozen=True)
class Predictions:
    """Predictions of one experiment, one row a prediction; a clip may occur several times."""

    facts: Mapping[str, str]  # the columns of FACTS
    n_train: float  # clips, mean over predictions
    classes: tuple[str, ...]
    clip: np.ndarray  # (n,) places in the clips table
    speaker: np.ndarray  # (n,) names; empty where unknown
    truth: np.ndarray  # (n,) codes
    prediction: np.ndarray  # (n,) codes
    proba: np.ndarray | None  # (n, C) float64
    fold: np.ndarray  # (n,) codes of repeat × draw × seed × fold
    draw: np.ndarray  # (n,) codes of the draws


def experiments(predictions: pd.DataFrame, clips: pd.DataFrame, *, role: str = "test") -> Iterator[Predictions]:
    """Predictions of each experiment, in the order of their first row.

    Parameters
    ----------
    predictions : predictions table with ``corpus``, ``feature``, ``draw`` and ``leak``
    clips : clips table
    role : rows that are kept, ``test`` or ``validation``

    Raises
    ------
    ValueError
        A column is missing, an experiment has no clean row of that role, a clip is unknown, or an experiment
        disagrees with itself (two models, two truths of a clip, a label without a probability column).
    """
    check_columns(predictions, (*PREDICTION_COLUMNS, *EXTRA_COLUMNS), what="predictions")
    name, names = pd.factorize(predictions["experiment"])
    rows = np.flatnonzero((predictions["role"] == role) & (predictions["variant"] == 0))
    missing = np.setdiff1d(np.arange(len(names)), name[rows])
    if len(missing) or not len(rows):
        which = f", first {names[missing[0]]!r}" if len(missing) else ""
        raise ValueError(
            f"{len(missing)} of {len(names)} experiments have no clean {role} row{which}; run their folds."
        )
    rows = rows[np.argsort(name[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(name[rows], prepend=-1))
    ordered = predictions.iloc[rows]
    labels, columns = _columns(ordered, clips)
    facts = ordered[list(FACTS)]
    for begin, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        part = {key: column[begin:end] for key, column in columns.items()}
        yield _one_experiment(part, _facts(facts.iloc[begin:end]), labels)


def _columns(rows: pd.DataFrame, clips: pd.DataFrame) -> tuple[list[str], dict[str, np.ndarray]]:
    """The labels that occur, those with probabilities first, and the needed columns as arrays (text as codes)."""
    clip = pd.Index(clips["clip_id"]).get_indexer(rows["clip_id"])
    if (clip < 0).any():
        unknown = rows["clip_id"][clip < 0]
        raise ValueError(f"{unknown.nunique()} predicted clips are not in the clips table, first {unknown.iloc[0]!r}.")
    proba = [column for column in rows.columns if column.startswith("p_")]
    used = set(rows["truth"].unique()) | set(rows["prediction"].unique())
    labels = [column.removeprefix("p_") for column in proba]
    others = used - set(labels)
    labels += [label for label in EMOTIONS if label in others] + sorted(others - set(EMOTIONS), key=str)
    fold = np.zeros(len(rows), dtype=np.int64)
    for key in ("repeat", "draw", "seed", "fold"):
        codes, values = pd.factorize(rows[key])
        fold = fold * max(1, len(values)) + codes
    return labels, {
        "clip": clip,
        "speaker": clips["speaker"].to_numpy(dtype=object)[clip],
        "truth": pd.Index(labels).get_indexer(rows["truth"]),
        "prediction": pd.Index(labels).get_indexer(rows["prediction"]),
        "proba": rows[proba].to_numpy(dtype=np.float32),
        "n_train": rows["n_train"].to_numpy(dtype=float),
        "fold": fold,
        "draw": pd.factorize(rows["draw"], sort=True)[0],
    }


def _facts(rows: pd.DataFrame) -> dict[str, str]:
    """The columns with one value an experiment; a second value is an error."""
    facts = {}
    for key in FACTS:
        values = rows[key].unique()
        if len(values) != 1:
            raise ValueError(
                f"Experiment {rows['experiment'].iloc[0]!r} has {len(values)} values of {key}: "
                f"{', '.join(map(str, values[:3]))}; give each its own experiment name."
            )
        facts[key] = "" if pd.isna(values[0]) else str(values[0])
    return facts


def _one_experiment(part: Mapping[str, np.ndarray], facts: Mapping[str, str], labels: Sequence[str]) -> Predictions:
    """One experiment; its classes are the probability columns it fills, or else the labels it uses."""
    filled = ~np.isnan(part["proba"]).all(axis=0)
    used = np.flatnonzero(filled) if filled.any() else np.unique([part["truth"], part["prediction"]])
    place = np.full(len(labels), -1)
    place[used] = np.arange(len(used))
    truth, prediction = place[part["truth"]], place[part["prediction"]]
    if min(truth.min(), prediction.min()) < 0:
        alone = {labels[code] for key in ("truth", "prediction") for code in np.unique(part[key]) if place[code] < 0}
        raise ValueError(
            f"Experiment {facts['experiment']!r} uses {', '.join(sorted(map(str, alone)))} without a p_ column."
        )
    proba = part["proba"][:, used].astype(np.float64) if filled.any() else None
    if proba is not None:
        proba = check_proba(proba, n=len(truth), n_classes=len(used))
    classes = tuple(labels[code] for code in used)
    rest = {key: part[key] for key in ("clip", "speaker", "fold", "draw")}
    n_train = float(part["n_train"].mean())
    return Predictions(facts, n_train, classes, truth=truth, prediction=prediction, proba=proba, **rest)


def rows_of(one: Predictions, chosen: np.ndarray) -> Predictions:
    """Some rows of an experiment's predictions, by mask or place."""
    names = ("clip", "speaker", "truth", "prediction", "fold", "draw")
    proba = None if one.proba is None else one.proba[chosen]
    return replace(one, proba=proba, **{name: getattr(one, name)[chosen] for name in names})


def pooled(every: Predictions) -> Predictions:
    """One row a clip, sorted by clip: several predictions of a clip become one.

    Their probabilities are averaged and the likeliest class predicted; without probabilities the
    most frequent prediction wins, the first in the order of the classes when tied.
    """
    clip, first, inverse, times = np.unique(every.clip, return_index=True, return_inverse=True, return_counts=True)
    if (every.truth[first][inverse] != every.truth).any():
        raise ValueError(f"Experiment {every.facts['experiment']!r} gives a clip two truths; mend its folds.")
    one = rows_of(every, first)
    if len(clip) == len(every.clip):
        return one
    votes = np.eye(len(every.classes))[every.prediction] if every.proba is None else every.proba
    total = np.stack([np.bincount(inverse, votes[:, place]) for place in range(votes.shape[1])], axis=1)
    prediction = np.where(times > 1, total.argmax(axis=1), one.prediction)
    return replace(one, prediction=prediction, proba=None if every.proba is None else total / times[:, None])


def draws_of(one: Predictions) -> list[Predictions]:
    """Each draw by itself, pooled; all must hold the same clips."""
    each = [pooled(rows_of(one, one.draw == code)) for code in np.unique(one.draw)]
    for other in each[1:]:
        if not np.array_equal(other.clip, each[0].clip):
            raise ValueError(
                f"Experiment {one.facts['experiment']!r} predicts {len(each[0].clip)} clips in one draw and "
                f"{len(other.clip)}, partly others, in another; finish its runs."
            )
    return each
