"""Tables of several systems on the ladder: their scores, what each step costs them, their ranks, and declared leaks."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.chapters.splits.steps import STEPS
from ser_study.chapters.splits.tables import equal_sizes
from ser_study.evaluation import comparisons, metrics, significance, step_gaps, summaries, tables
from ser_study.experiments import benchmark, folds
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.published import LABELS
from ser_study.study import Study

SYSTEM = ["corpus", "feature", "model"]
LADDER_COLUMNS = [*SYSTEM, "protocol", "size", "value", "low", "high", "interval", "sd", "n", "n_train"]
COST_COLUMNS = [*SYSTEM, "step_from", "step_to", "difference", "low", "high", "p", "p_holm", "note", "n_speakers"]
LEAD_COLUMNS = [*SYSTEM, "lead_before", "lead_after", "difference", "low", "high", "p", "p_holm", "note", "n_speakers"]
RANK_COLUMNS = [*SYSTEM, "rank", "uar", "critical_difference", "statistic", "p", "n_speakers"]
LEAK_COLUMNS = ["corpus", "leak", "protocol", "without", "with", "difference", "low", "high", "p", "p_holm", "note"]
SPEAKER_STEP = ("random", "speaker_independent")
FEWEST_BLOCKS = 4  # speakers, below which ranks say nothing


@lru_cache(maxsize=1)
def with_built_in(study: Study) -> Study:
    """The study with the built-in corpus beside its own, where the settings ask for it."""
    if "synthetic" in study.selections or not study.config.ladder.built_in:
        return study
    built_in = Study(dataclasses.replace(study.config, corpora=("synthetic",)), study.store)
    return Study(study.config, study.store, {**study.selections, **built_in.selections})


@lru_cache(maxsize=1)
def sizes(study: Study) -> Mapping[str, int]:
    """Training clips of the smallest fold of the ladder, of the built-in corpus too."""
    whole, known = with_built_in(study), dict(equal_sizes(study))
    added = {name: protocols for name, protocols in whole.possible.items() if name not in known}
    ladder = benchmark.ladder(study.config, added)
    known |= folds.smallest_training(ladder, whole.selections, config=study.config, store=study.store)
    return MappingProxyType(known)


def declared(study: Study) -> dict[str, list[Experiment]]:
    """Experiments of all systems on the steps of the ladder, the reference first: at full size and at equal size."""
    whole = with_built_in(study)
    reference = [one for one in benchmark.ladder(study.config, whole.possible) if benchmark.is_step(one)]
    every = [*(one for one in reference if not one.leak), *benchmark.ladder_systems(study.config, whole.possible)]
    order = list(whole.selections)
    every.sort(key=lambda one: order.index(one.selection))
    return {"equal": benchmark.equal_size(study.config, every, sizes(study)), "full": every}


def ladder(study: Study) -> pd.DataFrame:
    """UAR of every system on every step (``LADDER_COLUMNS``): size "equal" or "full", ``sd`` over training seeds."""
    whole, each = with_built_in(study), []
    for size, experiments in declared(study).items():
        scores = summaries.uar(whole.scores(experiments, read=LABELS)).assign(size=size)
        spread = {one.name: _seed_sd(whole, one) for one in experiments if size == "full" and one.draws > 1}
        each.append(scores.assign(sd=scores["experiment"].map(spread).astype(float)))
    return pd.concat(each, ignore_index=True).reindex(columns=LADDER_COLUMNS)


def _seed_sd(study: Study, one: Experiment) -> float:
    """Standard deviation of the UAR over the training seeds of a network."""
    predictions = study.predict([one], read=LABELS)[one]
    test = predictions[predictions["role"] == "test"]
    return float(np.std([metrics.uar_of(part) for _, part in test.groupby("draw")], ddof=1))


def encoder(scores: pd.DataFrame) -> tuple[str, str] | None:
    """Feature and model of the first system whose features come from a pretrained network; None where there is none."""
    pairs = dict.fromkeys(scores[["feature", "model"]].itertuples(index=False, name=None))
    return next((pair for pair in pairs if features.is_pretrained(pair[0])), None)


def _steps_of(study: Study) -> dict[tuple[str, str, str], dict[str, Experiment]]:
    """(corpus, feature, model) → protocol → its experiment at equal size."""
    steps: dict[tuple[str, str, str], dict[str, Experiment]] = {}
    for one in declared(study)["equal"]:
        steps.setdefault((one.selection, one.feature, one.model), {})[one.protocol] = one
    return steps


def costs(study: Study) -> pd.DataFrame:
    """What each step costs the systems beside the reference (``COST_COLUMNS``), Holm by corpus over all of them."""
    whole, frames = with_built_in(study), []
    reference = (study.config.ladder.feature, study.config.ladder.model)
    for (corpus, *system), steps in _steps_of(study).items():
        pairs = [(steps[a].name, steps[b].name) for a, b in STEPS if a in steps and b in steps]
        if tuple(system) == reference or not pairs:
            continue
        predictions = pd.concat(whole.predict(steps.values(), read=LABELS).values())
        random = settings.rng(study.config, f"steps/{corpus}/{'/'.join(system)}")
        options = {"family": corpus, "evaluation": study.config.evaluation, "rng": random}
        table = comparisons.steps(predictions, whole.clips(corpus), pairs, **options)
        protocol = {one.name: name for name, one in steps.items()}
        ends = {"step_from": table["experiment_a"].map(protocol), "step_to": table["experiment_b"].map(protocol)}
        frames.append(table.assign(corpus=corpus, feature=system[0], model=system[1], **ends))
    families = pd.concat(frames).groupby("corpus", sort=False) if frames else ()
    return _joined([comparisons.corrected(family) for _, family in families], COST_COLUMNS)


def leads(study: Study) -> pd.DataFrame:
    """How far the encoder is ahead of every other system on a random split and on new speakers (``LEAD_COLUMNS``).

    ``difference`` is the change of that lead: what the step costs the encoder less than the other. Holm over the
    systems of a corpus.
    """
    whole, steps, frames = with_built_in(study), _steps_of(study), []
    able = {key: made for key, made in steps.items() if all(name in made for name in SPEAKER_STEP)}
    named = pd.DataFrame(list(able), columns=SYSTEM)
    if (chosen := encoder(named)) is None:
        return pd.DataFrame(columns=LEAD_COLUMNS)
    for corpus in named.loc[named["feature"] == chosen[0], "corpus"].unique():
        own = {key[1:]: [made[name] for name in SPEAKER_STEP] for key, made in able.items() if key[0] == corpus}
        pairs = {system: tuple(one.name for one in made) for system, made in own.items()}
        others = [system for system in pairs if system != chosen]
        if not others:
            continue
        predictions = pd.concat(whole.predict((one for made in own.values() for one in made), read=LABELS).values())
        random = settings.rng(study.config, f"leads/{corpus}")
        options = {"family": corpus, "evaluation": study.config.evaluation, "rng": random}
        rows = [pairs[system] for system in others]
        table = step_gaps.step_gaps(predictions, whole.clips(corpus), pairs[chosen], rows, **options)
        feature, model = zip(*others)
        frames.append(table.assign(corpus=corpus, feature=feature, model=model))
    return _joined(frames, LEAD_COLUMNS)


def ranks(study: Study) -> pd.DataFrame:
    """Mean rank of every system over the speakers of a corpus, on new speakers, all training clips (``RANK_COLUMNS``).

    Friedman's test and Nemenyi's critical difference (Demšar 2006) with speakers as blocks; corpora of fewer than
    ``FEWEST_BLOCKS`` speakers, or of two systems, are left out.
    """
    whole, frames = with_built_in(study), []
    chosen = [one for one in declared(study)["full"] if one.protocol == "speaker_independent"]
    for corpus in dict.fromkeys(one.selection for one in chosen):
        own = [one for one in chosen if one.selection == corpus]
        if whole.selections[corpus].n_speakers < FEWEST_BLOCKS or len(own) < 3:
            continue
        predictions = whole.predict(own, read=LABELS).values()
        uar = np.stack([_by_speaker(part, whole.clips(corpus)) for part in predictions], axis=1)
        ranking = significance.friedman_nemenyi(uar, alpha=1 - study.config.evaluation.level)
        rows = {"corpus": corpus, "feature": [one.feature for one in own], "model": [one.model for one in own]}
        test = {"statistic": ranking.statistic, "p": ranking.p, "critical_difference": ranking.critical_difference}
        table = pd.DataFrame(rows | {"rank": ranking.ranks, "uar": uar.mean(axis=0)} | test)
        frames.append(table.assign(n_speakers=len(uar)).sort_values("rank", kind="stable"))
    return _joined(frames, RANK_COLUMNS)


def _by_speaker(predictions: pd.DataFrame, clips: pd.DataFrame) -> pd.Series:
    """UAR of every speaker, mean over training seeds, speakers in order."""
    each = [tables.speaker_scores(part, clips) for _, part in predictions.groupby("draw")]
    return pd.concat(each).groupby("speaker")["uar"].mean()


def leaks(study: Study) -> pd.DataFrame:
    """What each declared leak adds to the score of the reference system (``LEAK_COLUMNS``), Holm within a corpus."""
    pairs, frames = benchmark.leaks(study.config, study.possible), []
    for corpus in study.selections:
        own = {leaking: plain for leaking, plain in pairs.items() if leaking.selection == corpus}
        if not own:
            continue
        predictions = pd.concat(study.predict([*own, *own.values()], read=LABELS).values())
        random = settings.rng(study.config, f"leaks/{corpus}")
        options = {"family": corpus, "evaluation": study.config.evaluation, "rng": random}
        names = [(plain.name, leaking.name) for leaking, plain in own.items()]
        table = comparisons.steps(predictions, study.clips(corpus), names, **options)
        facts = {"leak": [one.leak for one in own], "protocol": [one.protocol for one in own]}
        table = table.rename(columns={"value_a": "without", "value_b": "with"})
        frames.append(table.assign(corpus=corpus, **facts))
    return _joined(frames, LEAK_COLUMNS)


def _joined(frames: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    """Some columns of several tables, one under the other; none where there are no tables."""
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)
