"""The chapters of the study as calls: what a notebook asks for and what it gets back."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import pandas as pd

from ser_study.config import Config
from ser_study.experiments import ladder, run
from ser_study.experiments import material as materials
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material
from ser_study.store import Store

Gathered = Mapping[str, Material]


def league(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Scores of every feature × model on random and on speaker folds of each selection."""
    return run.scores(ladder.league(config, ladder.possible(gathered)), gathered, config=config, store=store)


def climb(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Scores of the ladder: full size and equal training size, column ``size`` ("full", "equal")."""
    full = ladder.rungs(config, ladder.possible(gathered))
    equal = ladder.equal_size(config, full, smallest_training(full, gathered, config=config, store=store))
    tables = {
        "full": run.scores(full, gathered, config=config, store=store),
        "equal": run.scores(equal, gathered, config=config, store=store),
    }
    return pd.concat([table.assign(size=size) for size, table in tables.items()], ignore_index=True)


def curve(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Speaker-independent scores by number of training speakers, column ``train_speakers``."""
    declared = ladder.curve(config, {name: part.n_speakers - 1 for name, part in gathered.items()})
    if not declared:
        return pd.DataFrame()
    table = run.scores(declared, gathered, config=config, store=store)
    return table.assign(train_speakers=table["experiment"].map({e.name: e.train_speakers for e in declared}))


def controls(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Scores under shuffled labels, one value a draw kept in the interval columns (the null range)."""
    sizes = {name: len(part.clips) for name, part in gathered.items()}
    declared = ladder.controls(config, sizes, ladder.possible(gathered))
    return run.scores(declared, gathered, config=config, store=store) if declared else pd.DataFrame()


def across(gathered: Gathered, *, config: Config, store: Store) -> pd.DataFrame:
    """Scores of training on one corpus and testing on another, column ``source``."""
    declared = ladder.across(config, ladder.possible(gathered))
    if not declared:
        return pd.DataFrame()
    table = run.scores(declared, gathered, config=config, store=store)
    source = {e.name: e.sources[0] if e.sources else e.selection for e in declared}
    return table.assign(source=table["experiment"].map(source))


def smallest_training(full: list[Experiment], gathered: Gathered, *, config: Config, store: Store) -> dict[str, int]:
    """Training rows of the smallest fold of any rung, for each selection."""
    smallest: dict[str, int] = {}
    for rung in full:
        if rung.leak or rung.protocol in ladder.SIDE_RUNGS:
            continue
        material = gathered[rung.selection]
        truth = materials.classes_of(material, rung.scheme)
        folds = materials.folds_of(rung, material, truth, config, store, draw=0)
        n = int(folds[folds["role"] == "train"].groupby(["repeat", "fold"]).size().min())
        smallest[rung.selection] = min(n, smallest.get(rung.selection, n))
    return smallest


def declared(gathered: Gathered, config: Config) -> list[Experiment]:
    """Every experiment that may be scored by name."""
    return [
        *ladder.league(config, ladder.possible(gathered)),
        *ladder.rungs(config, ladder.possible(gathered)),
        *ladder.across(config, ladder.possible(gathered)),
    ]


def score(config: Config, store: Store, name: str) -> str:
    """Score one declared experiment on its test rows, log the look, and return the sentence to print.

    Raises
    ------
    ValueError
        No experiment of that name is declared; near names are given.
    """
    gathered = materials.gather(config, store)
    known = {experiment.name: experiment for experiment in declared(gathered, config)}
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.3)
        raise ValueError(
            f"No experiment {name!r} is declared. Near: {'; '.join(near) or 'none'} ({len(known)} in all)."
        )
    table = run.scores([known[name]], gathered, config=config, store=store)
    row = table[table["metric"] == "uar"].iloc[0]
    return (
        f"{name}: UAR {row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}] ({row['interval']}), "
        f"n = {int(row['n'])}, {int(row['n_speakers'])} speakers; logged in reports/ledger.csv."
    )
