"""What training on votes changes: scores on intended labels and on the plurality, and cross-entropy to the votes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from scipy.special import xlogy

from ser_study import config as settings
from ser_study.chapters.testing import votes
from ser_study.evaluation import comparisons, intervals, metrics
from ser_study.evaluation.tables import stream
from ser_study.experiments.experiment import Experiment
from ser_study.schema import probability_columns
from ser_study.study import Study

MEASURES = ("uar_intended", "uar_plurality", "cross_entropy")
LISTENER = "listener"  # among labels: what people reach on the same clips
COLUMNS = [
    *("corpus", "feature", "model", "labels", "measure", "value", "low", "high", "difference", "difference_low"),
    *("difference_high", "interval", "n"),
]
_LEAST = np.finfo(np.float64).eps  # as in the log loss
Statistic = Callable[[np.ndarray], np.ndarray]  # weights (b, units) → scores (b,)


def table(study: Study) -> pd.DataFrame:
    """Scores of every system under each kind of labels, with intervals over speakers (``COLUMNS``).

    ``difference`` is to the same system trained on intended labels, on the same clips, with its own interval. Rows of
    ``LISTENER`` say what one listener scores, and the cross-entropy of the votes to themselves, which none goes below.
    """
    rows = []
    for one, tables in votes.predict(study).items():
        rows += _rows(study, one, tables)
    for name in dict.fromkeys(row["corpus"] for row in rows):
        rows += _listener(name, study.clips(name))
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows(study: Study, one: Experiment, tables: Mapping[str, pd.DataFrame]) -> list[dict]:
    """One row a measure and kind of labels."""
    by_clip = {labels: rows.set_index("clip_id").sort_index() for labels, rows in tables.items()}
    first = by_clip["intended"]
    clips = study.clips(one.selection)
    shares = votes.shares_of(clips).loc[first.index]
    speakers = clips.set_index("clip_id")["speaker"]
    truths = {"uar_intended": first["truth"], "uar_plurality": votes.winners(shares)}
    truths["cross_entropy"] = first["truth"][shares.to_numpy().any(axis=1)]
    rows, head = [], {"corpus": one.selection, "feature": one.feature, "model": one.model}
    for measure, truth in truths.items():
        if not len(truth):
            continue
        random = stream(settings.rng(study.config, settings.SCORES))
        codes = shares.columns.get_indexer(truth)
        n_bootstrap = study.config.evaluation.n_bootstrap
        drawn = intervals.resample(codes, speakers.loc[truth.index].to_numpy(), n_bootstrap=n_bootstrap, rng=random)
        some = {labels: each.loc[truth.index] for labels, each in by_clip.items()}
        if measure == "cross_entropy":
            statistics = {k: _entropy(each, shares.loc[truth.index], drawn) for k, each in some.items()}
        else:
            statistics = {k: _uar(codes, each, list(shares.columns), drawn) for k, each in some.items()}
        compared = _compared(statistics, drawn, study.config.evaluation.level, measure)
        rows += [head | {"measure": measure, "n": len(truth)} | row for row in compared]
    return rows


def _uar(codes: np.ndarray, predictions: pd.DataFrame, classes: list[str], drawn: intervals.Resamples) -> Statistic:
    guesses = metrics.encode(predictions["prediction"].to_numpy(), classes, what="Prediction")
    parts = intervals.totals(codes, guesses, None, drawn, n_classes=len(classes))
    return lambda weights: intervals.resampled_scores(parts, weights, "uar")["uar"]


def _entropy(predictions: pd.DataFrame, shares: pd.DataFrame, drawn: intervals.Resamples) -> Statistic:
    n_units = drawn.weights.shape[1]
    loss = cross_entropy(predictions[probability_columns(list(shares.columns))].to_numpy(float), shares.to_numpy())
    total = np.bincount(drawn.unit, loss, minlength=n_units)
    count = np.bincount(drawn.unit, minlength=n_units)
    return lambda weights: (weights @ total) / (weights @ count)


def cross_entropy(proba: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """−Σ share · ln p of each clip, in nats, (n,); both (n, C). p is kept above 2.2e-16, as in the log loss."""
    return -(shares * np.log(np.clip(proba, _LEAST, 1.0))).sum(axis=1)


def _compared(
    statistics: Mapping[str, Statistic], drawn: intervals.Resamples, level: float, measure: str
) -> list[dict]:
    """Each kind of labels with its interval, and its difference to intended labels with that of the pairs."""
    whole = np.ones((1, drawn.weights.shape[1]))
    top = np.inf if measure == "cross_entropy" else 1.0
    values = {labels: (float(of(whole)[0]), of(drawn.weights)) for labels, of in statistics.items()}
    base, base_drawn = values["intended"]
    rows = []
    for labels, (value, scores) in values.items():
        span = intervals.limits(value, scores, drawn.kind, level=level, bounds=(0.0, top))
        row = {"labels": labels, "value": value, "low": span.low, "high": span.high, "interval": span.kind}
        if labels != "intended":
            gap = intervals.limits(value - base, scores - base_drawn, drawn.kind, level=level, bounds=(-top, top))
            row |= {"difference": value - base, "difference_low": gap.low, "difference_high": gap.high}
        rows.append(row)
    return rows


def _listener(name: str, clips: pd.DataFrame) -> list[dict]:
    """What one listener scores on intended labels, and how far the votes disagree among themselves."""
    head = {"corpus": name, "feature": "", "model": "", "labels": LISTENER}
    reference = comparisons.human_reference(clips, sorted(clips["emotion"].unique()))
    one = reference[reference["reference"] == "one listener"]
    shares = votes.shares_of(clips)
    voted = shares[shares.any(axis=1)].to_numpy()
    least = -xlogy(voted, voted).sum(axis=1)
    rows = [{"measure": "uar_intended", "value": row.uar, "n": row.n} for row in one.itertuples()]
    rows.append({"measure": "cross_entropy", "value": float(least.mean()), "n": len(least)})
    return [head | row for row in rows]
