"""Tables of all projects: scores, bars, candidates, rebuilt models, and the test-set evaluations they took.

Conventions
-----------
``ours_sd`` is training noise; the Wilson interval is the sampling noise of that one list, and is given for
accuracy only.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from ser_study.chapters.baselines import protocols
from ser_study.chapters.baselines.results import Result
from ser_study.evaluation import significance
from ser_study.experiments import ledger
from ser_study.experiments.baseline_results import (
    MODEL_COLUMNS,
    by_corpus,
    by_draw,
    honest_score,
    metric_of,
    models_table,
    test_rows,
)
from ser_study.study import Study
from ser_study.wording import word

Results = Mapping[str, Result]
SUMMARY = [
    *("id", "system", "metric", "published", "rebuild", "rebuild_seeds", "ours", "ours_sd", "n_seeds"),
    *("wilson_low", "wilson_high", "n", "fresh_mean", "fresh_sd"),
    *("list_uar", "honest", "honest_low", "honest_high", "honest_protocol"),
]
VERDICT = ["id", "metric", "bar", "rebuild", "ours", "wilson_low", "verdict"]
CANDIDATES = ["id", "feature", "model", "metric", "score", "n", "chosen"]
PROTOCOLS = {"003": "8 × 3 actors, each tested once"}  # else the joint speaker folds


def scores(results: Results, study: Study) -> pd.DataFrame:
    """One line a project and metric (columns of ``SUMMARY`` and ``VERDICT``)."""
    if not results:
        return pd.DataFrame(columns=list(dict.fromkeys([*SUMMARY, *VERDICT])))
    return pd.concat([_scores_of(result, study) for result in results.values()], ignore_index=True)


def summary(scored: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``scores`` that make ``baselines.csv``."""
    return scored[SUMMARY]


def verdicts(scored: pd.DataFrame) -> pd.DataFrame:
    """The columns of ``scores`` that make ``baseline_verdicts.csv``."""
    return scored[VERDICT]


def _scores_of(result: Result, study: Study) -> pd.DataFrame:
    baseline, level = result.baseline, study.config.evaluation.level
    honest = honest_score(result.ours["honest"], result.selection, study.config)
    lines, list_uar = [], protocols.list_uar(result)
    for metric in baseline.bars or baseline.quoted:
        ours, fresh = by_draw(result.ours["list"], metric), by_draw(result.ours["fresh"], metric)
        by_seed = by_draw(result.best_rebuilt, metric)
        rebuilt = by_seed.mean()
        bar = baseline.bar(metric, rebuilt, result.corpora)
        n = test_rows(result.ours["list"])["clip_id"].nunique()
        span = significance.wilson(round(ours.mean() * n), n, level=level) if metric == "accuracy" else None
        lines.append(
            {
                "id": baseline.id,
                "system": result.system,
                "metric": metric,
                "published": baseline.bars.get(metric, baseline.quoted.get(metric)),
                "rebuild": rebuilt,
                "rebuild_seeds": len(by_seed),
                "ours": ours.mean(),
                "ours_sd": _sd(ours),
                "n_seeds": len(ours),
                "wilson_low": span.low if span else np.nan,
                "wilson_high": span.high if span else np.nan,
                "n": n,
                "fresh_mean": fresh.mean(),
                "fresh_sd": _sd(fresh),
                "list_uar": list_uar,
                **honest,
                "honest_protocol": _protocol(result),
                "bar": bar,
                "verdict": verdict(ours.mean(), span.low if span else np.nan, bar),
            }
        )
    return pd.DataFrame(lines)


def _sd(values: np.ndarray) -> float:
    return values.std(ddof=1) if len(values) > 1 else np.nan


def verdict(value: float, low: float, bar: float) -> str:
    """Passed: the mean over training seeds is above the bar; clearly: so is the lower end of its interval."""
    return "missed" if value <= bar else "passed clearly" if low > bar else "passed"


def _protocol(result: Result) -> str:
    n = len(result.corpora)
    mean = f"mean of {n} corpora" if n > 1 else "one corpus"
    return f"{PROTOCOLS.get(result.baseline.split, 'new speakers, each tested once')}; {mean}"


def candidates(results: Results) -> pd.DataFrame:
    """What our systems were chosen from, with the scores inside the training part (columns ``CANDIDATES``)."""
    tables = [
        result.candidates.rename(columns={metric: "score"}).assign(id=result.id, metric=metric)
        for result in results.values()
        for metric in [metric_of(result.baseline)]
    ]
    return pd.concat(tables, ignore_index=True)[CANDIDATES] if tables else pd.DataFrame(columns=CANDIDATES)


def models(results: Results) -> pd.DataFrame:
    """The rebuilt models and votes of all projects on their lists (columns ``MODEL_COLUMNS``)."""
    tables = [models_table(one.baseline, one.rebuilt, one.corpora) for one in results.values()]
    return pd.concat(tables, ignore_index=True)[MODEL_COLUMNS] if tables else pd.DataFrame(columns=MODEL_COLUMNS)


def new_speakers(result: Result, study: Study) -> pd.DataFrame:
    """UAR by corpus on new speakers, of ours and of the rebuilt models that were run there.

    Columns: ``system, corpus, n, n_speakers, value, low, high, interval``.
    """
    systems = {"ours": result.ours["honest"], **result.rebuilt_honest}
    tables = [
        by_corpus(predictions, result.selection, study.config).assign(system=word(name))
        for name, predictions in systems.items()
    ]
    table = pd.concat(tables, ignore_index=True)
    return table[["system", *[column for column in table.columns if column != "system"]]]


def test_evaluations(results: Results, study: Study) -> pd.DataFrame:
    """Lines of the ledger that belong to these projects: ``id, experiment, evaluations, first, last``."""
    known = ledger.read(study.store)
    owner = {name: result.id for result in results.values() for name in experiments_of(result)}
    mine = known[known["experiment"].isin(owner)]
    grouped = mine.assign(id=mine["experiment"].map(owner)).groupby(["id", "experiment"])["date"]
    return grouped.agg(evaluations="size", first="min", last="max").reset_index()


def experiments_of(result: Result) -> list[str]:
    """Names of the experiments of a project that were scored on test clips."""
    tables = (*result.rebuilt.values(), *result.rebuilt_honest.values(), *result.ours.values())
    return list(dict.fromkeys(name for table in tables for name in table["experiment"].unique()))
