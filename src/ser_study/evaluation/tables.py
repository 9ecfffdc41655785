"""The study's tables, computed from predictions and clips alone.

Conventions
-----------
One experiment's clean test answers are pooled over all folds. A clip predicted several times
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
from ser_study.evaluation.answers import FACTS, Answers, experiments, pooled, rows_of, sittings

SCORE_COLUMNS = (
    *("corpus", "protocol", "feature", "model", "metric", "value", "low", "high", "interval"),
    *("n", "n_speakers", "n_train", "experiment", "scheme", "leak"),
)
ROC_COLUMNS = (*FACTS, "class", "auc", "false_positive_rate", "true_positive_rate")


def scores(
    predictions: pd.DataFrame, clips: pd.DataFrame, *, evaluation: Evaluation, rng: np.random.Generator
) -> pd.DataFrame:
    """Every metric of every experiment with its interval, one row each (``SCORE_COLUMNS``).

    Parameters
    ----------
    predictions : predictions table with ``corpus``, ``feature``, ``draw`` and ``leak``
    clips : clips table
    evaluation : level, resamples and bins

    Notes
    -----
    ``uar_fold_mean`` is the mean of the folds' own UARs. It, the parts of the Brier score and ECE
    have no interval: ``low`` and ``high`` are empty. ``n`` counts clips, ``n_train`` is a mean over folds.
    """
    return _scores(experiments(predictions, clips), lambda one: [pooled(one)], evaluation, rng)


def scores_by_draw(
    predictions: pd.DataFrame,
    clips: pd.DataFrame,
    *,
    over: str = "draw",
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """As ``scores``, but every value is the mean over draws (or seeds: ``over="seed"``) of the scores of each."""
    return _scores(experiments(predictions, clips, over=over), sittings, evaluation, rng)


def _scores(
    every: Iterable[Answers],
    split: Callable[[Answers], list[Answers]],
    evaluation: Evaluation,
    rng: np.random.Generator,
) -> pd.DataFrame:
    sample, rows = _sampler(evaluation, rng), []
    for answers in every:
        rows += _score_rows(answers, split(answers), sample, evaluation)
    return pd.DataFrame(rows, columns=list(SCORE_COLUMNS))


def _sampler(
    evaluation: Evaluation, rng: np.random.Generator
) -> Callable[[Answers], tuple[intervals.Resamples, np.random.Generator]]:
    """Resamples of an experiment's clips, and a stream for its other draws; both start from one seed."""
    seed = int(rng.integers(2**63))
    kept: dict[tuple[bytes, bytes], intervals.Resamples] = {}

    def sample(one: Answers) -> tuple[intervals.Resamples, np.random.Generator]:
        key = (one.clip.tobytes(), one.truth.tobytes())
        if key not in kept:
            fresh = np.random.default_rng([seed, 0])
            kept[key] = intervals.resample(one.truth, one.speaker, n_bootstrap=evaluation.n_bootstrap, rng=fresh)
        return kept[key], np.random.default_rng([seed, 1])

    return sample


def _totals(each: Sequence[Answers], drawn: intervals.Resamples) -> list[intervals.Totals]:
    return [intervals.totals(one.truth, one.prediction, one.proba, drawn, n_classes=len(one.classes)) for one in each]


def _score_rows(answers: Answers, each: list[Answers], sample: Callable, evaluation: Evaluation) -> list[dict]:
    """One row a metric; ``each`` holds the pooled answers, or one set of answers a draw."""
    drawn, rng = sample(each[0])
    values, found = intervals.score_intervals(_totals(each, drawn), drawn, level=evaluation.level)
    values["uar_fold_mean"] = _fold_mean(answers)
    if answers.proba is not None:
        bins = evaluation.calibration_bins
        parts = [probabilities.calibration(one.truth, one.proba, bins=bins, rng=rng) for one in each]
        values |= {name: float(np.mean([part[name] for part in parts])) for name in parts[0]}
    facts = _facts(each[0]) | {"n_train": round(answers.n_train)}
    return [facts | {"metric": name, "value": value} | _span(found.get(name)) for name, value in values.items()]


def _facts(one: Answers) -> dict:
    return dict(one.facts) | {"n": len(one.clip), "n_speakers": pd.Series(one.speaker).nunique()}


def _span(found: intervals.Interval | None) -> dict:
    found = found or intervals.Interval(np.nan, np.nan, "")
    return {"low": found.low, "high": found.high, "interval": found.kind}


def _counts(one: Answers, group: np.ndarray) -> np.ndarray:
    """Confusion counts of each group of clips (codes), shape (groups, C, C)."""
    size = len(one.classes)
    cell = (group * size + one.truth) * size + one.prediction
    return np.bincount(cell, minlength=(group.max() + 1) * size**2).reshape(-1, size, size)


def _fold_mean(answers: Answers) -> float:
    """Mean of the folds' UARs; repeats of a fold are folds of their own."""
    fold = np.unique(answers.fold, return_inverse=True)[1]
    return float(metrics.uar(_counts(answers, fold)).mean())


def confusion_table(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Pooled confusion of every experiment: ``count``, and ``share`` of the true class, of each pair of classes.

    Pairs come in the order of the classifier's own classes.
    """
    tables = []
    for answers in experiments(predictions, clips):
        one = pooled(answers)
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
    for answers in experiments(predictions, clips):
        one = pooled(answers)
        drawn, _ = sample(one)
        parts = _totals([replace(one, proba=None)], drawn)[0]
        counts = parts.counts.sum(axis=0)
        bare = np.full(len(one.classes), np.nan)
        told = {
            "class": one.classes,
            "n": counts.sum(axis=1).astype(int),
            "precision": metrics.precision_per_class(counts),
            "recall": metrics.recall_per_class(counts),
            **_recall_limits(parts, drawn, evaluation.level),
            "f1": metrics.f1_per_class(counts),
            "auc": bare if one.proba is None else probabilities.auc_per_class(one.truth, one.proba),
        }
        table = pd.DataFrame(dict(one.facts) | told)
        lines.append(table[table["n"] > 0])
    return pd.concat(lines, ignore_index=True)


def _recall_limits(parts: intervals.Totals, drawn: intervals.Resamples, level: float) -> dict[str, list]:
    """``low, high, interval`` of the recall of every class; empty for a class without a clip."""
    values = metrics.recall_per_class(parts.counts.sum(axis=0))
    resampled = metrics.recall_per_class(intervals.resampled_counts(parts, drawn.weights))
    spans = []
    for value, scores in zip(values, resampled.T):
        seen = scores[np.isfinite(scores)]  # a left-out speaker may hold all of a class
        found = intervals.limits(value, seen, drawn.kind, level=level, bounds=(0.0, 1.0)) if len(seen) else None
        spans.append(_span(found))
    return {name: [span[name] for span in spans] for name in ("low", "high", "interval")}


def roc(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """Points of the ROC curve of every class against all others, every experiment that states probabilities.

    Columns: the facts of the experiment, ``class, auc, false_positive_rate, true_positive_rate``. A class that
    truth does not hold, or that is all it holds, has no curve.
    """
    curves = []
    for answers in experiments(predictions, clips):
        one = pooled(answers)
        areas = [] if one.proba is None else probabilities.auc_per_class(one.truth, one.proba)
        for place in np.flatnonzero(np.isfinite(areas)):
            false_rate, true_rate, _ = roc_curve(one.truth == place, one.proba[:, place])
            points = {"false_positive_rate": false_rate, "true_positive_rate": true_rate}
            told = {"class": one.classes[place], "auc": areas[place]}
            curves.append(pd.DataFrame(dict(one.facts) | told | points))
    return pd.concat(curves, ignore_index=True) if curves else pd.DataFrame(columns=list(ROC_COLUMNS))


def speaker_scores(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.DataFrame:
    """UAR and accuracy of every speaker in every experiment, for tests and plots.

    ``uar`` averages over the ``n_classes`` classes that speaker has; clips of unknown speakers are left out.
    """
    tables = []
    for answers in experiments(predictions, clips):
        tables.append(pd.DataFrame(dict(answers.facts) | _by_speaker(pooled(answers))))
    return pd.concat(tables, ignore_index=True)


def _by_speaker(one: Answers) -> dict[str, np.ndarray]:
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
