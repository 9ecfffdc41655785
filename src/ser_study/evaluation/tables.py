"""The study's tables, computed from predictions and clips alone.

Conventions
-----------
One experiment's clean test predictions are pooled over all folds. A clip predicted several times
(repeats, draws, seeds) counts once, its probabilities averaged; only ``scores_by_draw``
scores every draw by itself and averages the scores, as equal-size comparisons must.
Tables are tidy and sorted as the predictions are. Intervals of equal speakers and truths share
their resamples, and an experiment's interval does not depend on what else is in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from ser_study.config import Evaluation
from ser_study.evaluation import intervals, metrics, probabilities
from ser_study.evaluation.predictions import FACTS, Predictions, draws_of, experiments, pooled, rows_of

SCORE_COLUMNS = (
    *("corpus", "protocol", "feature", "model", "metric", "value", "low", "high", "interval"),
    *("n", "n_speakers", "n_train", "experiment", "scheme", "leak"),
)
ROC_COLUMNS = (*FACTS, "class", "auc", "false_positive_rate", "true_positive_rate")


def scores(
    predictions: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    role: str = "test",
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Every metric of every experiment with its interval, one row each (``SCORE_COLUMNS``).

    Parameters
    ----------
    predictions : predictions table with ``corpus``, ``feature``, ``draw`` and ``leak``
    clips : clips table
    role : rows that are scored, ``test`` or ``validation``
    evaluation : level, resamples and bins

    Notes
    -----
    ``uar_fold_mean`` is the mean of the folds' own UARs. It, the parts of the Brier score and ECE
    have no interval: ``low`` and ``high`` are empty. ``n`` counts clips, ``n_train`` is a mean over folds.
    """
    return _scores(experiments(predictions, clips, role=role), lambda one: [pooled(one)], evaluation, rng)


def scores_by_draw(
    predictions: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """As ``scores``, but every value is the mean over draws of the scores of each."""
    return _scores(experiments(predictions, clips), draws_of, evaluation, rng)


def _scores(
    every: Iterable[Predictions],
    split: Callable[[Predictions], list[Predictions]],
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    sample, rows = _sampler(evaluation, rng), []
    for one in every:
        rows += _score_rows(one, split(one), sample, evaluation)
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def stream(rng: np.random.Generator) -> np.random.Generator:
    """The random stream that resamples the clips of every experiment of a table, for scores that are taken elsewhere.

    Clips must come in the order of their names.
    """
    return np.random.default_rng([_seed(rng), 0])


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(2**63))


def _sampler(
    evaluation: Evaluation, rng: np.random.Generator
) -> Callable[[Predictions], tuple[intervals.Resamples, np.random.Generator]]:
    """Resamples of an experiment's clips, and a stream for its other draws; both start from one seed."""
    seed = _seed(rng)
    known: dict[tuple[bytes, bytes], intervals.Resamples] = {}

    def sample(one: Predictions) -> tuple[intervals.Resamples, np.random.Generator]:
        key = (one.clip.tobytes(), one.truth.tobytes())
        if key not in known:
            fresh = np.random.default_rng([seed, 0])  # as ``stream`` has it
            known[key] = intervals.resample(one.truth, one.speaker, n_bootstrap=evaluation.n_bootstrap, rng=fresh)
        return known[key], np.random.default_rng([seed, 1])

    return sample


def _totals(each: Sequence[Predictions], drawn: intervals.Resamples) -> list[intervals.Totals]:
    return [intervals.totals(one.truth, one.prediction, one.proba, drawn, n_classes=len(one.classes)) for one in each]


def _score_rows(whole: Predictions, each: list[Predictions], sample: Callable, evaluation: Evaluation) -> list[dict]:
    """One row a metric; ``each`` holds the pooled predictions, or those of each draw."""
    drawn, rng = sample(each[0])
    values, spans = intervals.score_intervals(_totals(each, drawn), drawn, level=evaluation.level)
    values["uar_fold_mean"] = _fold_mean(whole)
    if whole.proba is not None:
        bins = evaluation.calibration_bins
        parts = [probabilities.calibration(one.truth, one.proba, bins=bins, rng=rng) for one in each]
        values |= {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    facts = _facts(each[0]) | {"n_train": round(whole.n_train)}
    return [facts | {"metric": name, "value": value} | _span(spans.get(name)) for name, value in values.items()]


def _facts(one: Predictions) -> dict:
    return dict(one.facts) | {"n": len(one.clip), "n_speakers": pd.Series(one.speaker).nunique()}


def _span(limits: intervals.Interval | None) -> dict:
    limits = limits or intervals.Interval(np.nan, np.nan, "")
    return {"low": limits.low, "high": limits.high, "interval": limits.kind}


def _counts(one: Predictions, group: np.ndarray) -> np.ndarray:
    """Confusion counts of each group of clips (codes), shape (groups, C, C)."""
    size = len(one.classes)
    cell = (group * size + one.truth) * size + one.prediction
    return np.bincount(cell, minlength=(group.max() + 1) * size**2).reshape(-1, size, size)


def _fold_mean(one: Predictions) -> float:
    """Mean of the folds' UARs; a fold of another repeat is another fold."""
    fold = np.unique(one.fold, return_inverse=True)[1]
    return float(metrics.uar(_counts(one, fold)).mean())


def confusion_table(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Pooled confusion of every experiment: ``count``, and ``share`` of the true class, of each pair of classes.

    Pairs come in the order of the classifier's own classes.
    """
    tables = []
    for every in experiments(predictions, clips):
        one = pooled(every)
        counts = _counts(one, np.zeros(len(one.clip), dtype=int))[0]
        cells = {
            "truth": np.repeat(one.classes, len(one.classes)),
            "prediction": np.tile(one.classes, len(one.classes)),
            "count": counts.ravel(),
            "share": metrics.row_normalised(counts).ravel(),
        }
        tables.append(pd.DataFrame(dict(one.facts) | cells))
    return pd.concat(tables, ignore_index=True)


def per_class(
    predictions: pd.DataFrame, clips: pd.DataFrame, *, evaluation: Evaluation, rng: np.random.Generator
) -> pd.DataFrame:
    """Every class of every experiment: ``class, n, precision, recall, low, high, interval, f1, auc``.

    ``n`` counts the clips of the class (its support), ``low`` and ``high`` bound its recall. ``auc`` sets the
    class against all others and is empty without probabilities. A class without a clip has no line.
    """
    sample, lines = _sampler(evaluation, rng), []
    for every in experiments(predictions, clips):
        one = pooled(every)
        drawn, _ = sample(one)
        parts = _totals([replace(one, proba=None)], drawn)[0]
        counts = parts.counts.sum(axis=0)
        empty = np.full(len(one.classes), np.nan)
        columns = {
            "class": one.classes,
            "n": counts.sum(axis=1).astype(int),
            "precision": metrics.precision_per_class(counts),
            "recall": metrics.recall_per_class(counts),
            **_recall_limits(parts, drawn, evaluation.level),
            "f1": metrics.f1_per_class(counts),
            "auc": empty if one.proba is None else probabilities.auc_per_class(one.truth, one.proba),
        }
        table = pd.DataFrame(dict(one.facts) | columns)
        lines.append(table[table["n"] > 0])
    return pd.concat(lines, ignore_index=True)


def _recall_limits(parts: intervals.Totals, drawn: intervals.Resamples, level: float) -> dict[str, list]:
    """``low, high, interval`` of the recall of every class; empty for a class without a clip."""
    values = metrics.recall_per_class(parts.counts.sum(axis=0))
    resampled = metrics.recall_per_class(intervals.resampled_counts(parts, drawn.weights))
    spans = []
    for value, scores in zip(values, resampled.T):
        finite = scores[np.isfinite(scores)]  # a left-out speaker may hold all of a class
        limits = intervals.limits(value, finite, drawn.kind, level=level, bounds=(0.0, 1.0)) if len(finite) else None
        spans.append(_span(limits))
    return {name: [span[name] for span in spans] for name in ("low", "high", "interval")}


def roc(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Points of the ROC curve of every class against all others, every experiment with probabilities.

    Columns: the facts of the experiment, ``class, auc, false_positive_rate, true_positive_rate``. A class that is
    absent from the truth, or its only one, has no curve.
    """
    curves = []
    for every in experiments(predictions, clips):
        one = pooled(every)
        areas = [] if one.proba is None else probabilities.auc_per_class(one.truth, one.proba)
        for place in np.flatnonzero(np.isfinite(areas)):
            false_rate, true_rate, _ = roc_curve(one.truth == place, one.proba[:, place])
            points = {"false_positive_rate": false_rate, "true_positive_rate": true_rate}
            head = {"class": one.classes[place], "auc": areas[place]}
            curves.append(pd.DataFrame(dict(one.facts) | head | points))
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(ROC_COLUMNS))


def speaker_scores(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """UAR and accuracy of every speaker in every experiment, for tests and plots.

    ``uar`` averages over the ``n_classes`` classes that speaker has; clips of unknown speakers are left out.
    """
    tables = []
    for one in experiments(predictions, clips):
        tables.append(pd.DataFrame(dict(one.facts) | _by_speaker(pooled(one))))
    return pd.concat(tables, ignore_index=True)


def _by_speaker(one: Predictions) -> dict[str, np.ndarray]:
    speaker, names = pd.factorize(one.speaker, sort=True)
    known = rows_of(one, speaker >= 0)
    counts = _counts(known, speaker[speaker >= 0]) if len(names) else np.zeros((0, 1, 1))
    return {
        "speaker": names,
        "n": counts.sum(axis=(1, 2)),
        "n_classes": (counts.sum(axis=2) > 0).sum(axis=1),
        "uar": metrics.uar(counts),
        "accuracy": metrics.accuracy(counts),
    }
