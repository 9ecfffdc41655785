"""The student projects rebuilt: which of their clips are here, how our system is named, and what a model scores.

Conventions
-----------
A value on the published list is the mean over training seeds, never the best of them. The leak-free value is the
UAR of every corpus, and their unweighted mean where there are several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.config import Config, unknown
from ser_study.evaluation import intervals, metrics, tables
from ser_study.experiments import baselines, ledger, runner
from ser_study.experiments.baselines import Baseline
from ser_study.experiments.execute import feature_names
from ser_study.experiments.selections import Selection, incomplete_list, load_baseline_selection
from ser_study.models import ensembles
from ser_study.store import Store

MODEL_COLUMNS = ["id", "model", "published", "low", "high", "rebuilt", "sd", "n_seeds", "uar", "inside"]


def load(config: Config, store: Store) -> dict[str, Selection]:
    """Clips of every project whose recordings are here and that the settings ask for, by selection."""
    wanted = config.baselines.systems or tuple(baselines.BASELINES)
    for name in wanted:
        if name not in baselines.BASELINES:
            raise ValueError(unknown("student project", name, baselines.BASELINES))
    here = {name: load_baseline_selection(baselines.BASELINES[name].split, config, store) for name in wanted}
    return {part.name: part for part in here.values() if part is not None}


def left_out(here: Mapping[str, Selection], config: Config, store: Store) -> dict[str, str]:
    """Id → reason, of every project that the settings ask for and whose published list is not whole here.

    Parameters
    ----------
    here : what ``load`` gave; these are whole, so only the others are looked at
    """
    wanted = [baselines.BASELINES[name] for name in config.baselines.systems or baselines.BASELINES]
    reasons = {one.id: incomplete_list(one.split, config, store) for one in wanted if one.selection not in here}
    return {name: reason for name, reason in reasons.items() if reason}


def choose(baseline: Baseline, selections: Mapping[str, Selection], *, config: Config, store: Store) -> pd.DataFrame:
    """Cross-validated score of every candidate inside the training part: ``feature, model, <metric>, n, chosen``.

    Test clips take no part; this is the naming of our system before it is scored.
    """
    declared = [e for e in baselines.candidates(baseline) if not features.unavailable(e.feature, config)]
    done = runner.predict_validation(declared, selections, config=config, store=store)
    metric = metric_of(baseline)
    rows = [
        {"feature": e.feature, "model": e.model, metric: metrics.score_of(done[e], metric), "n": len(done[e])}
        for e in declared
    ]
    table = pd.DataFrame(rows)
    return table.assign(chosen=table.index == table[metric].idxmax())


def with_votes(baseline: Baseline, tables: Mapping[str, pd.DataFrame], store: Store) -> dict[str, pd.DataFrame]:
    """The tables with the votes over them, each of which is a test-set evaluation."""
    voted = {}
    for vote in baseline.votes:
        if set(vote.members) <= set(tables):
            members = [tables[name] for name in vote.members]
            fewest = min(part["draw"].nunique() for part in members)  # networks may have fewer training seeds
            members = [part[part["draw"] < fewest] for part in members]
            name = f"{baseline.selection}/{members[0]['protocol'].iloc[0]}/{vote.name}/{baseline.scheme}"
            table = ensembles.soft_vote(members, weights=vote.weights, name=vote.name).assign(experiment=name)
            known = ledger.declaration_hash([vote.name, vote.members, vote.weights])
            ledger.log_test_evaluations({name: known}, ledger.test_uar(table), store)
            voted[vote.name] = table
    return {**tables, **voted}


def test_rows(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of the test part."""
    return table[table["role"] == "test"]


def by_draw(table: pd.DataFrame, metric: str) -> np.ndarray:
    """Score of the test rows of every draw, shape (draws,)."""
    return np.array([metrics.score_of(part, metric) for _, part in test_rows(table).groupby("draw", sort=True)])


def rebuilt_models(selections: Mapping[str, Selection], *, config: Config, store: Store) -> pd.DataFrame:
    """Only the rebuilt models and votes of every project whose clips are here (columns ``MODEL_COLUMNS``)."""
    tables = []
    for baseline in baselines.BASELINES.values():
        if baseline.selection in selections:
            lists = baselines.rebuilds(baseline, config)
            done = runner.predict(lists.values(), selections, config=config, store=store)
            by_model = with_votes(baseline, {name: done[e] for name, e in lists.items()}, store)
            tables.append(models_table(baseline, by_model, selections[baseline.selection].clips["corpus"].unique()))
    return pd.concat(tables, ignore_index=True)[MODEL_COLUMNS] if tables else pd.DataFrame(columns=MODEL_COLUMNS)


def honest_score(table: pd.DataFrame, part: Selection, config: Config) -> dict[str, float]:
    """Leak-free UAR with its interval, see ``over_corpora``."""
    return over_corpora(by_corpus(table, part, config))


def over_corpora(parts: pd.DataFrame) -> dict[str, float]:
    """The value of ``by_corpus`` over all corpora: keys ``honest, honest_low, honest_high``.

    Several corpora: unweighted mean; the half-widths of the corpora's intervals add as independent errors do. Where
    one of them has too few speakers for an interval over speakers, the mean has none.
    """
    if (parts["interval"] == intervals.CLIPS).any():
        return {"honest": parts["value"].mean(), "honest_low": np.nan, "honest_high": np.nan}
    half_width = np.sqrt(((parts["high"] - parts["low"]) ** 2).sum()) / 2 / len(parts)
    value = parts["value"].mean()
    if len(parts) == 1:
        return {"honest": value, "honest_low": parts["low"].iloc[0], "honest_high": parts["high"].iloc[0]}
    return {"honest": value, "honest_low": max(0.0, value - half_width), "honest_high": min(1.0, value + half_width)}


def by_corpus(table: pd.DataFrame, part: Selection, config: Config) -> pd.DataFrame:
    """UAR of the test rows by corpus: ``corpus, n, n_speakers, value, low, high, interval``."""
    clips = part.clips.set_index("clip_id")
    rows = test_rows(table).sort_values("clip_id")
    rows = rows.assign(clip_corpus=clips["corpus"].loc[rows["clip_id"]].to_numpy())
    lines = []
    for corpus, own in rows.groupby("clip_corpus", sort=True):
        speakers = clips["speaker"].loc[own["clip_id"]].to_numpy()
        random = tables.stream(settings.rng(config, settings.SCORES))
        options = {"level": config.evaluation.level, "n_bootstrap": config.evaluation.n_bootstrap, "rng": random}
        classes = sorted(set(own["truth"]) | set(own["prediction"]))
        span = intervals.interval("uar", own["truth"], own["prediction"], speakers, classes=classes, **options)
        head = {"corpus": corpus, "n": len(own), "n_speakers": len(set(speakers)), "value": metrics.uar_of(own)}
        lines.append(head | {"low": span.low, "high": span.high, "interval": span.kind})
    return pd.DataFrame(lines)


def models_table(baseline: Baseline, rebuilt: Mapping[str, pd.DataFrame], corpora: Iterable[str]) -> pd.DataFrame:
    """Every rebuilt model beside its published accuracy: ``model, published, low, high, rebuilt, sd, n_seeds``.

    ``low`` and ``high`` bound where a faithful rebuild must land on the full list; ``inside`` says whether it does.
    """
    published_of = {r.model: (r.published, r.band) for r in baseline.rebuilt}
    published_of |= {vote.name: (vote.published, None) for vote in baseline.votes}
    lines, whole = [], baseline.is_whole(corpora)
    for name, table in rebuilt.items():
        published, band = published_of[name]
        scores = by_draw(table, "accuracy")
        low, high = band if band and whole else (np.nan, np.nan)
        line = {"id": baseline.id, "model": name, "published": published, "low": low, "high": high}
        line |= {"rebuilt": scores.mean(), "sd": scores.std(ddof=1).round(9) if len(scores) > 1 else np.nan}
        inside = bool(low <= scores.mean() <= high) if band and whole else None
        lines.append(line | {"n_seeds": len(scores), "uar": by_draw(table, "uar").mean(), "inside": inside})
    return pd.DataFrame(lines)


def unavailable_candidates(some: Iterable[Baseline]) -> list[str]:
    """Why candidates are left out: a library that is not installed, or weights that cannot be had."""
    names = {name for baseline in some for e in baselines.candidates(baseline) for name in feature_names(e)}
    return sorted({reason for name in names if (reason := features.unavailable(name))})


def metric_of(baseline: Baseline) -> str:
    """The metric of the published number."""
    return next(iter(baseline.bars), "accuracy")
