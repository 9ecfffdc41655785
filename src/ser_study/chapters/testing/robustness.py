"""Degraded recordings: what noise, rooms, lines, codecs and haste take from the systems, on the same test clips.

Conventions
-----------
A change is the UAR of a condition less that of the clips as recorded, with its interval over speakers; both UARs and
the change share their resamples. Scores are of the clips that are degraded, fewer than the corpus has.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study.audio import degrade
from ser_study.audio.degrade import CLEAN, Condition
from ser_study.chapters.testing import declare
from ser_study.config import Evaluation
from ser_study.evaluation import intervals, metrics, significance
from ser_study.experiments import selections as parts
from ser_study.experiments.experiment import Experiment
from ser_study.recognizer import stress
from ser_study.schema import classes_in
from ser_study.study import Study

AUGMENTED = "augmented"
VARIANTS = (1, 2)  # of the training clips, see ``audio.augment``: noise and speed
TITLES: Mapping[str, str] = {**declare.TITLES, AUGMENTED: "hand-crafted features, augmented training"}
COLUMNS = (
    *("corpus", "degradation", "level", "system", "uar", "low", "high"),
    *("change", "change_low", "change_high", "interval", "n", "n_speakers"),
)


def systems(study: Study) -> dict[str, dict[str, Experiment]]:
    """Selection → key of ``TITLES`` → experiment, where there is audio and every fold has all classes in training."""
    audible = study.with_audio().selections
    chosen = {}
    for name, kinds in declare.systems(study).items():
        if name in audible and stress.able(study.selections[name], study.folds(name, declare.PROTOCOL)):
            plain = kinds["classical"]
            more = {AUGMENTED: dataclasses.replace(plain, variants=VARIANTS)} if study.config.testing.augmented else {}
            chosen[name] = {**kinds, **more}
    return chosen


def left_out(study: Study, table: pd.DataFrame) -> list[str]:
    """Selections with a test on new speakers that are not in the table."""
    return [name for name in declare.systems(study) if name not in set(table["corpus"])]


def predictions(study: Study) -> dict[str, pd.DataFrame]:
    """Selection → predictions of its systems on some test clips in every condition, with ``system``."""
    conditions, chosen, tables = degrade.conditions(study.config.testing.conditions), systems(study), {}
    known = study.predict(one for kinds in chosen.values() for one in kinds.values())
    options = {"config": study.config, "store": study.store, "n_clips": study.config.testing.clips}
    for name, kinds in chosen.items():
        clean = {one: known[one] for one in kinds.values()}
        rows = stress.predictions(clean, study.selections, conditions, **options)
        tables[name] = rows.assign(system=rows["experiment"].map({one.name: kind for kind, one in kinds.items()}))
    return tables


def table(study: Study) -> pd.DataFrame:
    """One row a selection, condition and system (``COLUMNS``); the first condition is the recordings as they are."""
    rows = []
    for name, predicted in predictions(study).items():
        random = settings.rng(study.config, f"robustness/{name}")
        rows += scores(predicted, study.clips(name), evaluation=study.config.evaluation, rng=random)
    return pd.DataFrame(rows, columns=list(COLUMNS))


def scores(
    predicted: pd.DataFrame, clips: pd.DataFrame, *, evaluation: Evaluation, rng: np.random.Generator
) -> list[dict]:
    """Rows of ``table`` for one selection.

    Parameters
    ----------
    predicted : test rows with ``degradation, level, system``; a clip that a condition lacks, or that is lacking as
        recorded, is left out of its change
    clips : clips table
    """
    speakers, classes = clips.set_index("clip_id")["speaker"], classes_in(predicted)
    seed, rows = int(rng.integers(2**63)), []
    for system, own in predicted.groupby("system", sort=False):
        as_read = own[own["degradation"] == CLEAN].set_index("clip_id")
        for (kind, level), changed in own.groupby(["degradation", "level"], sort=False):
            changed = changed[changed["clip_id"].isin(as_read.index)].set_index("clip_id")
            if changed.empty:
                continue
            before = as_read.loc[changed.index]
            random = np.random.default_rng(seed)  # equal clips have equal resamples
            score = _score(before, changed, speakers.loc[changed.index], classes, evaluation, random)
            head = {"corpus": changed["corpus"].iloc[0], "degradation": kind, "level": level, "system": system}
            rows.append(head | score)
    return rows


def _score(before, changed, speakers: pd.Series, classes: Sequence[str], evaluation: Evaluation, random) -> dict:
    truth, first, _ = metrics.check(before["truth"], before["prediction"], classes=classes)
    _, second, _ = metrics.check(changed["truth"], changed["prediction"], classes=classes)
    drawn = intervals.resample(truth, speakers, n_bootstrap=evaluation.n_bootstrap, rng=random)
    clean, then = ([intervals.totals(truth, guess, None, drawn, n_classes=len(classes))] for guess in (first, second))
    uar = float(intervals.mean_scores(then, np.ones((1, drawn.weights.shape[1])), "uar")["uar"][0])
    resampled = intervals.mean_scores(then, drawn.weights, "uar")["uar"]
    span = intervals.limits(uar, resampled, drawn.kind, level=evaluation.level, bounds=(0.0, 1.0))
    change, reach = significance.difference_interval(clean, then, drawn, level=evaluation.level)
    values = {"uar": uar, "low": span.low, "high": span.high, "change": change}
    values |= {"change_low": reach.low, "change_high": reach.high, "interval": span.kind}
    return values | {"n": len(truth), "n_speakers": int(speakers.nunique())}


def means(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over selections of the UAR and its change: ``degradation, level, system, uar, change, n_selections``.

    A system that some selection lacks in a condition has a mean over fewer, and is left out of it. Empty where no
    condition but the recordings as they are is left.
    """
    grouped = table.groupby(["degradation", "level", "system"], sort=False)
    short = grouped.agg(uar=("uar", "mean"), change=("change", "mean"), n_selections=("corpus", "nunique"))
    short = short[short["n_selections"] == table["corpus"].nunique()].reset_index()
    return short if (short["degradation"] != CLEAN).any() else short.iloc[:0]


def chance(study: Study, table: pd.DataFrame) -> float:
    """UAR of guessing, mean over the selections of the table; NaN without any."""
    levels = parts.chance_levels(study.selections)
    return float(np.mean([levels[name] for name in table["corpus"].unique()])) if len(table) else np.nan


def in_words(table: pd.DataFrame) -> pd.DataFrame:
    """The table as readers see it: names in words, changes in points."""
    words = table.assign(
        degradation=[title((row.degradation, row.level)) for row in table.itertuples()],
        system=table["system"].map(TITLES),
        **{name: 100 * table[name] for name in ("change", "change_low", "change_high")},
    )
    return words.drop(columns="level")


def title(condition: Condition) -> str:
    """A condition in words, such as ``white noise, 10 dB SNR``."""
    kind, level = condition
    if kind == CLEAN:
        return "as recorded"
    one = degrade.DEGRADATIONS[kind]
    return f"{one.title}, {one.at(level)}"
