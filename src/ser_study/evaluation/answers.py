"""What each experiment answered: the predictions table as arrays, one set an experiment.

Conventions
-----------
Only test rows of clean clips (``variant`` 0) are kept: valid rows serve votes and calibration, and
augmented rows would let a leak score itself. Labels become codes into the experiment's classes,
clips become places in the clips table.
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
class Answers:
    """Test answers of one experiment, one row a prediction; a clip may occur several times."""

    facts: Mapping[str, str]  # the columns of FACTS
    n_train: float  # clips, mean over predictions
    classes: tuple[str, ...]
    clip: np.ndarray  # (n,) places in the clips table
    speaker: np.ndarray  # (n,) names; empty where unknown
    truth: np.ndarray  # (n,) codes
    prediction: np.ndarray  # (n,) codes
    proba: np.ndarray | None  # (n, C) float64
    fold: np.ndarray  # (n,) codes of repeat × draw × seed × fold
    sitting: np.ndarray  # (n,) codes of the column that tells sittings apart


def experiments(predictions: pd.DataFrame, clips: pd.DataFrame, *, over: str = "draw") -> Iterator[Answers]:
    """Answers of each experiment, in the order of their first row.

    Parameters
    ----------
    predictions : predictions table with ``corpus``, ``feature``, ``draw`` and ``leak``
    clips : clips table
    over : column that tells the sittings apart (``draw`` or ``seed``)

    Raises
    ------
    ValueError
        A column is missing, an experiment has no clean test row, a clip is unknown, or an experiment
        disagrees with itself (two models, two truths of a clip, a label without a probability column).
    """
    check_columns(predictions, (*PREDICTION_COLUMNS, *EXTRA_COLUMNS, over), what="predictions")
    name, names = pd.factorize(predictions["experiment"])
    rows = np.flatnonzero((predictions["role"] == "test") & (predictions["variant"] == 0))
    lost = np.setdiff1d(np.arange(len(names)), name[rows])
    if len(lost) or not len(rows):
        which = f", first {names[lost[0]]!r}" if len(lost) else ""
        raise ValueError(f"{len(lost)} of {len(names)} experiments have no clean test row{which}; run their folds.")
    rows = rows[np.argsort(name[rows], kind="stable")]
    starts = np.flatnonzero(np.diff(name[rows], prepend=-1))
    ordered = predictions.iloc[rows]
    labels, columns = _columns(ordered, clips, over)
    facts = ordered[list(FACTS)]
    for begin, end in zip(starts, [*starts[1:], len(rows)], strict=True):
        part = {key: column[begin:end] for key, column in columns.items()}
        yield _answers(part, _facts(facts.iloc[begin:end]), labels)


def _columns(rows: pd.DataFrame, clips: pd.DataFrame, over: str) -> tuple[list[str], dict[str, np.ndarray]]:
    """The labels met, those with probabilities first, and the needed columns as arrays (text as codes)."""
    clip = pd.Index(clips["clip_id"]).get_indexer(rows["clip_id"])
    if (clip < 0).any():
        lost = rows["clip_id"][clip < 0]
        raise ValueError(f"{lost.nunique()} predicted clips are not in the clips table, first {lost.iloc[0]!r}.")
    stated = [column for column in rows.columns if column.startswith("p_")]
    spoken = set(rows["truth"].unique()) | set(rows["prediction"].unique())
    labels = [column.removeprefix("p_") for column in stated]
    others = spoken - set(labels)
    labels += [label for label in EMOTIONS if label in others] + sorted(others - set(EMOTIONS), key=str)
    fold = np.zeros(len(rows), dtype=np.int64)
    for key in ("repeat", "draw", "seed", "fold"):
        codes, met = pd.factorize(rows[key])
        fold = fold * max(1, len(met)) + codes
    return labels, {
        "clip": clip,
        "speaker": clips["speaker"].to_numpy(dtype=object)[clip],
        "truth": pd.Index(labels).get_indexer(rows["truth"]),
        "prediction": pd.Index(labels).get_indexer(rows["prediction"]),
        "proba": rows[stated].to_numpy(dtype=np.float32),
        "n_train": rows["n_train"].to_numpy(dtype=float),
        "fold": fold,
        "sitting": pd.factorize(rows[over], sort=True)[0],
    }


def _facts(rows: pd.DataFrame) -> dict[str, str]:
    """What is said once about an experiment; a second value is an error."""
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


def _answers(part: Mapping[str, np.ndarray], facts: Mapping[str, str], labels: Sequence[str]) -> Answers:
    """One experiment; its classes are the probability columns it fills, or else the labels it uses."""
    stated = ~np.isnan(part["proba"]).all(axis=0)
    used = np.flatnonzero(stated) if stated.any() else np.unique([part["truth"], part["prediction"]])
    place = np.full(len(labels), -1)
    place[used] = np.arange(len(used))
    truth, prediction = place[part["truth"]], place[part["prediction"]]
    if min(truth.min(), prediction.min()) < 0:
        bare = {labels[code] for key in ("truth", "prediction") for code in np.unique(part[key]) if place[code] < 0}
        raise ValueError(
            f"Experiment {facts['experiment']!r} uses {', '.join(sorted(map(str, bare)))} without a p_ column."
        )
    proba = part["proba"][:, used].astype(np.float64) if stated.any() else None
    if proba is not None:
        proba = check_proba(proba, n=len(truth), n_classes=len(used))
    classes = tuple(labels[code] for code in used)
    rest = {key: part[key] for key in ("clip", "speaker", "fold", "sitting")}
    n_train = float(part["n_train"].mean())
    return Answers(facts, n_train, classes, truth=truth, prediction=prediction, proba=proba, **rest)


def rows_of(answers: Answers, chosen: np.ndarray) -> Answers:
    """Some rows of the answers, by mask or place."""
    names = ("clip", "speaker", "truth", "prediction", "fold", "sitting")
    proba = None if answers.proba is None else answers.proba[chosen]
    return replace(answers, proba=proba, **{name: getattr(answers, name)[chosen] for name in names})


def pooled(answers: Answers) -> Answers:
    """One row a clip, sorted by clip: several predictions of a clip become one.

    Their probabilities are averaged and the likeliest class predicted; without probabilities the
    most frequent prediction wins, the first in the order of the classes when tied.
    """
    clip, first, inverse, times = np.unique(answers.clip, return_index=True, return_inverse=True, return_counts=True)
    if (answers.truth[first][inverse] != answers.truth).any():
        raise ValueError(f"Experiment {answers.facts['experiment']!r} gives a clip two truths; mend its folds.")
    one = rows_of(answers, first)
    if len(clip) == len(answers.clip):
        return one
    opinion = np.eye(len(answers.classes))[answers.prediction] if answers.proba is None else answers.proba
    total = np.stack([np.bincount(inverse, opinion[:, place]) for place in range(opinion.shape[1])], axis=1)
    prediction = np.where(times > 1, total.argmax(axis=1), one.prediction)
    return replace(one, prediction=prediction, proba=None if answers.proba is None else total / times[:, None])


def sittings(answers: Answers) -> list[Answers]:
    """Each sitting by itself, pooled; all must have answered the same clips."""
    each = [pooled(rows_of(answers, answers.sitting == code)) for code in np.unique(answers.sitting)]
    for one in each[1:]:
        if not np.array_equal(one.clip, each[0].clip):
            raise ValueError(
                f"Experiment {answers.facts['experiment']!r} answers {len(each[0].clip)} clips in one sitting and "
                f"{len(one.clip)}, partly others, in another; finish its runs."
            )
    return each
