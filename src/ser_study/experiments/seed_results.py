"""The student systems rebuilt: what is run for a row, and the tables that are computed from its answers.

Conventions
-----------
A value on the published list is the mean over training seeds, never the best of them. ``ours_sd`` is
training noise; the Wilson interval is the sampling noise of that one list, and is given for accuracy only.
The leak-free value is the UAR of every corpus, and their unweighted mean where there are several.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.config import Config
from ser_study.evaluation import intervals, metrics, significance
from ser_study.experiments import jobs, ledger, run, seeds
from ser_study.experiments import material as materials
from ser_study.experiments.material import Material
from ser_study.experiments.seeds import System
from ser_study.models import ensembles
from ser_study.store import Store
from ser_study.words import word

SUMMARY = (
    *("id", "system", "metric", "published", "rebuild", "ours", "ours_sd", "n_seeds", "wilson_low", "wilson_high"),
    *("n", "fresh_mean", "fresh_sd", "honest", "honest_low", "honest_high", "honest_protocol"),
)
VERDICT = ["id", "metric", "bar", "ours", "wilson_low", "verdict"]
MODEL_COLUMNS = ["id", "model", "published", "low", "high", "rebuilt", "sd", "n_seeds", "uar", "inside"]
PROTOCOLS = {"003": "8 × 3 actors, each tested once"}  # else the joint speaker folds


@dataclass(frozen=True)
class Row:
    """A system with everything that was answered for it; predictions by model name."""

    system: System
    material: Material
    choice: pd.DataFrame  # candidates and their cross-validated scores
    rebuilt: Mapping[str, pd.DataFrame]  # on the list, votes included
    rebuilt_honest: Mapping[str, pd.DataFrame]
    ours: Mapping[str, pd.DataFrame]  # list, fresh, honest

    @property
    def best(self) -> pd.Series:
        """The candidate that was named: feature, model, score inside."""
        return self.choice[self.choice["chosen"]].iloc[0]

    @property
    def name(self) -> str:
        """Feature and model of our system."""
        return f"{word(self.best['feature'])}, {word(self.best['model'])}"


def gather(config: Config, store: Store) -> dict[str, Material]:
    """Clips of every system whose recordings are here and that the settings ask for, by selection."""
    asked = config.seeds.systems or tuple(seeds.SYSTEMS)
    unknown = [name for name in asked if name not in seeds.SYSTEMS]
    if unknown:
        raise ValueError(f"Unknown system {unknown[0]!r} in seeds.systems; known: {', '.join(seeds.SYSTEMS)}.")
    found = {name: materials.gather_seed(seeds.SYSTEMS[name].split, config, store) for name in asked}
    return {material.selection: material for material in found.values() if material is not None}


def row_of(system: System, gathered: Mapping[str, Material], *, config: Config, store: Store) -> Row:
    """Run everything of one system: rebuilt models, the choice of ours, and ours on three kinds of folds."""
    choice = choose(system, gathered, config=config, store=store)
    best = choice[choice["chosen"]].iloc[0]
    lists, honest = seeds.rebuilds(system, config), seeds.honest_rebuilds(system, config)
    mine = seeds.ours(system, best["feature"], best["model"], config)
    wanted = [*lists.values(), *honest.values(), *mine.values()]
    done = run.answers(wanted, gathered, config=config, store=store)
    return Row(
        system,
        gathered[system.selection],
        choice,
        _with_votes(system, {name: done[e] for name, e in lists.items()}, store),
        _with_votes(system, {name: done[e] for name, e in honest.items()}, store),
        {name: done[e] for name, e in mine.items()},
    )


def rebuilt_models(gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Only the rebuilt models and votes of every system whose clips are here (columns ``MODEL_COLUMNS``)."""
    tables = []
    for system in seeds.SYSTEMS.values():
        if system.selection in gathered:
            lists = seeds.rebuilds(system, config)
            done = run.answers(lists.values(), gathered, config=config, store=store)
            told = _with_votes(system, {name: done[e] for name, e in lists.items()}, store)
            tables.append(_models_table(system, told, gathered[system.selection].clips["corpus"].unique()))
    return pd.concat(tables, ignore_index=True)[MODEL_COLUMNS] if tables else pd.DataFrame(columns=MODEL_COLUMNS)


def choose(system: System, gathered: Mapping[str, Material], *, config: Config, store: Store) -> pd.DataFrame:
    """Cross-validated score of every candidate inside the training part: ``feature, model, <metric>, n, chosen``.

    Test clips take no part; this is the naming of our system before it is scored.
    """
    declared = [e for e in seeds.candidates(system) if not any(map(features.unavailable, jobs.feature_names(e)))]
    done = run.answers(declared, gathered, config=config, store=store, look=False)
    metric = _metric(system)
    rows = [
        {"feature": e.feature, "model": e.model, metric: float(_score(done[e], metric)), "n": len(done[e])}
        for e in declared
    ]
    table = pd.DataFrame(rows)
    return table.assign(chosen=table.index == table[metric].idxmax())


def _with_votes(system: System, tables: Mapping[str, pd.DataFrame], store: Store) -> dict[str, pd.DataFrame]:
    """The tables with the votes over them, each of which is a look of its own."""
    voted = {}
    for vote in system.votes:
        if set(vote.members) <= set(tables):
            members = [tables[name] for name in vote.members]
            fewest = min(part["draw"].nunique() for part in members)  # networks may have fewer training seeds
            members = [part[part["draw"] < fewest] for part in members]
            name = f"{system.selection}/{members[0]['protocol'].iloc[0]}/{vote.name}/{system.scheme}"
            table = ensembles.soft_vote(members, weights=vote.weights, name=vote.name).assign(experiment=name)
            known = settings.fingerprint([vote.name, vote.members, vote.weights])[:12]
            ledger.record({name: known}, ledger.look(table), store)
            voted[vote.name] = table
    return {**tables, **voted}


def _test(table: pd.DataFrame) -> pd.DataFrame:
    return table[table["role"] == "test"]


def _score(rows: pd.DataFrame, metric: str) -> float:
    classes = sorted(set(rows["truth"]) | set(rows["prediction"]))
    return float(metrics.COUNT_METRICS[metric](metrics.confusion(rows["truth"], rows["prediction"], classes)))


def by_draw(table: pd.DataFrame, metric: str) -> np.ndarray:
    """Score of the test rows of every draw, shape (draws,)."""
    return np.array([_score(part, metric) for _, part in _test(table).groupby("draw", sort=True)])


def summary(row: Row, config: Config) -> pd.DataFrame:
    """The row of ``seeds.csv``, one line a metric (columns ``SUMMARY`` and ``VERDICT``)."""
    system, level = row.system, config.evaluation.level
    honest = honest_score(row.ours["honest"], row.material, config)
    lines = []
    for metric in system.bars or system.quoted:
        mine, fresh = by_draw(row.ours["list"], metric), by_draw(row.ours["fresh"], metric)
        rebuilt = by_draw(row.rebuilt[system.bar_model], metric).mean()
        bar = system.bar(metric, rebuilt, row.material.clips["corpus"])
        n = _test(row.ours["list"])["clip_id"].nunique()
        span = significance.wilson(round(mine.mean() * n), n, level=level) if metric == "accuracy" else None
        lines.append(
            {
                "id": system.id,
                "system": row.name,
                "metric": metric,
                "published": system.bars.get(metric, system.quoted.get(metric)),
                "rebuild": rebuilt,
                "ours": mine.mean(),
                "ours_sd": mine.std(ddof=1) if len(mine) > 1 else np.nan,
                "n_seeds": len(mine),
                "wilson_low": span.low if span else np.nan,
                "wilson_high": span.high if span else np.nan,
                "n": n,
                "fresh_mean": fresh.mean(),
                "fresh_sd": fresh.std(ddof=1) if len(fresh) > 1 else np.nan,
                **honest,
                "honest_protocol": _protocol(row),
                "bar": bar,
                "verdict": _verdict(mine.mean(), span.low if span else np.nan, bar),
            }
        )
    return pd.DataFrame(lines)


def _verdict(value: float, low: float, bar: float) -> str:
    """Passed: the mean over training seeds is above the bar; clearly: so is the lower end of its interval."""
    return "missed" if value <= bar else "passed clearly" if low > bar else "passed"


def _protocol(row: Row) -> str:
    names = sorted(row.material.clips["corpus"].unique())
    mean = f"mean of {len(names)} corpora" if len(names) > 1 else "one corpus"
    return f"{PROTOCOLS.get(row.system.split, 'new speakers, each tested once')}; {mean}"


def honest_score(table: pd.DataFrame, material: Material, config: Config) -> dict[str, float]:
    """Leak-free UAR with its interval, see ``over_corpora``."""
    return over_corpora(by_corpus(table, material, config))


def over_corpora(parts: pd.DataFrame) -> dict[str, float]:
    """The value of ``by_corpus`` over all corpora: keys ``honest, honest_low, honest_high``.

    Several corpora: unweighted mean; the half-widths of the corpora's intervals add as independent errors do. Where
    one of them has too few speakers for an interval over speakers, the mean has none.
    """
    if (parts["interval"] == intervals.CLIPS).any():
        return {"honest": parts["value"].mean(), "honest_low": np.nan, "honest_high": np.nan}
    reach = np.sqrt(((parts["high"] - parts["low"]) ** 2).sum()) / 2 / len(parts)
    value = parts["value"].mean()
    if len(parts) == 1:
        return {"honest": value, "honest_low": parts["low"].iloc[0], "honest_high": parts["high"].iloc[0]}
    return {"honest": value, "honest_low": max(0.0, value - reach), "honest_high": min(1.0, value + reach)}


def by_corpus(table: pd.DataFrame, material: Material, config: Config) -> pd.DataFrame:
    """UAR of the test rows by corpus: ``corpus, n, n_speakers, value, low, high, interval``."""
    clips = material.clips.set_index("clip_id")
    rows = _test(table)
    rows = rows.assign(home=clips["corpus"].loc[rows["clip_id"]].to_numpy())
    lines = []
    for corpus, part in rows.groupby("home", sort=True):
        speakers = clips["speaker"].loc[part["clip_id"]].to_numpy()
        random = settings.rng(config, f"seed rows/{corpus}")
        options = {"level": config.evaluation.level, "n_bootstrap": config.evaluation.n_bootstrap, "rng": random}
        classes = sorted(set(part["truth"]) | set(part["prediction"]))
        found = intervals.interval("uar", part["truth"], part["prediction"], speakers, classes=classes, **options)
        head = {"corpus": corpus, "n": len(part), "n_speakers": len(set(speakers)), "value": metrics.uar_of(part)}
        lines.append(head | {"low": found.low, "high": found.high, "interval": found.kind})
    return pd.DataFrame(lines)


def _models_table(system: System, rebuilt: Mapping[str, pd.DataFrame], corpora: Iterable[str]) -> pd.DataFrame:
    """Every rebuilt model beside its published accuracy: ``model, published, low, high, rebuilt, sd, n_seeds``.

    ``low`` and ``high`` bound where a faithful rebuild must land on the full list; ``inside`` says whether it does.
    """
    told = {r.model: (r.published, r.band) for r in system.rebuilt}
    told |= {vote.name: (vote.published, None) for vote in system.votes}
    lines, whole = [], system.is_whole(corpora)
    for name, table in rebuilt.items():
        published, band = told[name]
        scores = by_draw(table, "accuracy")
        low, high = band if band and whole else (np.nan, np.nan)
        line = {"id": system.id, "model": name, "published": published, "low": low, "high": high}
        line |= {"rebuilt": scores.mean(), "sd": scores.std(ddof=1).round(9) if len(scores) > 1 else np.nan}
        inside = bool(low <= scores.mean() <= high) if band and whole else None
        lines.append(line | {"n_seeds": len(scores), "uar": by_draw(table, "uar").mean(), "inside": inside})
    return pd.DataFrame(lines)


def rows(gathered: Mapping[str, Material], *, config: Config, store: Store) -> tuple[list[Row], dict[str, str]]:
    """Everything of every system whose clips are here, in the order of ``seeds.SYSTEMS``; and by id why one failed.

    A system that fails (weights that cannot be had, a model that does not fit) does not take the others with it.
    """
    told, failed = [], {}
    for system in seeds.SYSTEMS.values():
        if system.selection not in gathered:
            continue
        try:
            told.append(row_of(system, gathered, config=config, store=store))
        except (RuntimeError, ConnectionError, ImportError) as error:
            failed[system.id] = str(error)
    return told, failed


def insist(failed: Mapping[str, str]) -> None:
    """Raise ``RuntimeError`` where a system failed, so that the chapter counts as unfinished and runs again."""
    if failed:
        name, reason = next(iter(failed.items()))
        raise RuntimeError(f"{len(failed)} of the systems could not be run, first {name}: {reason}")


def lacking(systems: Iterable[System]) -> list[str]:
    """Why candidates are left out: a library that is not installed, or weights that cannot be had."""
    names = {name for system in systems for e in seeds.candidates(system) for name in jobs.feature_names(e)}
    return sorted({reason for name in names if (reason := features.unavailable(name))})


def summary_of(rows: Sequence[Row], config: Config) -> pd.DataFrame:
    """One line a row and metric; ``SUMMARY`` are the columns of ``seeds.csv``, ``VERDICT`` of ``seed_verdicts.csv``."""
    empty = pd.DataFrame(columns=list(dict.fromkeys([*SUMMARY, *VERDICT])))
    return pd.concat([summary(row, config) for row in rows], ignore_index=True) if rows else empty


def choices(rows: Sequence[Row]) -> pd.DataFrame:
    """The candidates of all rows with their score inside the training part."""
    tables = [row.choice.rename(columns={_metric(row.system): "score"}) for row in rows]
    tables = [t.assign(id=row.system.id, metric=_metric(row.system)) for row, t in zip(rows, tables)]
    columns = ["id", "feature", "model", "metric", "score", "n", "chosen"]
    return pd.concat(tables, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def all_models(rows: Sequence[Row]) -> pd.DataFrame:
    """The rebuilt models of all rows."""
    tables = [_models_table(row.system, row.rebuilt, row.material.clips["corpus"].unique()) for row in rows]
    return pd.concat(tables, ignore_index=True)[MODEL_COLUMNS] if rows else pd.DataFrame(columns=MODEL_COLUMNS)


def _metric(system: System) -> str:
    return next(iter(system.bars), "accuracy")
