"""How often the study's intervals cover the truth, simulated where the truth is known.

Conventions
-----------
A simulated corpus has K speakers who say as many clips of each class as those of a real corpus of that size. A clip is
recognised with a probability whose log-odds are those of its class, plus a normal deviation of the speaker and one of
the speaker in that class. The truth is the UAR of the whole population of speakers, so an interval covers it when it
speaks for new speakers. Every interval is made from the study's own resamples and limits (``evaluation.intervals``).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from scipy.special import expit, roots_hermitenorm

from ser_study import config as settings
from ser_study.config import Config
from ser_study.evaluation import intervals
from ser_study.study import Study

VERSION = 1  # rises when a coverage changes
SPEAKER_SD, CELL_SD = 0.4, 0.8  # of the log-odds: between speakers, and between a speaker's classes
LOW, HIGH = 0.93, 0.97  # what counts as right
LEVEL = "level"  # in the ``attrs`` of the table: how often the intervals should cover the truth
BLOCK = 100  # simulated corpora at a time
COLUMNS = ["n_speakers", "like", "classes", "per_class", "used", "coverage", "error", "holds"]
COLUMNS += [intervals.JACKKNIFE, intervals.BOOTSTRAP, intervals.CLIPS]


@dataclass(frozen=True)
class Design:
    """A corpus to simulate: its speakers, classes, and clips a speaker and class."""

    n_speakers: int
    like: str
    classes: int
    per_class: int


DESIGNS = (
    Design(4, "savee", 7, 17),
    Design(10, "emodb", 7, 8),
    Design(24, "ravdess-speech", 8, 7),
    Design(91, "crema_d", 6, 14),
)


def table(study: Study) -> pd.DataFrame:
    """Coverage of the interval that the study uses at each number of speakers, and of the others (``COLUMNS``);
    ``attrs[LEVEL]`` is what it should be."""
    config = study.config
    key = {
        "designs": [vars(one) for one in DESIGNS],
        "spread": [SPEAKER_SD, CELL_SD],
        "limits": [LOW, HIGH, intervals.MIN_BOOTSTRAP, intervals.MIN_JACKKNIFE, intervals.CLIP_GROUPS],
        "evaluation": [config.evaluation.level, config.evaluation.n_bootstrap],
        "simulations": config.controls.simulations,
        "seed": config.seed,
        "version": VERSION,
    }
    made = study.store.cached("coverage/intervals", key, partial(_rows, config))
    made = made[COLUMNS]
    made.attrs[LEVEL] = config.evaluation.level
    return made


def _rows(config: Config) -> pd.DataFrame:
    rows = []
    for one in DESIGNS:
        covered = covering(one, config)
        used = kind_of(one.n_speakers)
        value = covered[used]
        error = float(np.sqrt(value * (1 - value) / config.controls.simulations))
        holds = LOW <= value <= HIGH
        rows.append(vars(one) | {"used": used, "coverage": value, "error": error, "holds": holds} | covered)
    return pd.DataFrame(rows)[COLUMNS]


def kind_of(n_speakers: int) -> str:
    """The interval that the study uses with so many speakers."""
    truth, speakers = np.zeros(n_speakers, int), np.arange(n_speakers)
    return intervals.resample(truth, speakers, n_bootstrap=1, rng=np.random.default_rng(0)).kind


def covering(design: Design, config: Config) -> dict[str, float]:
    """Share of simulated corpora whose interval covers the truth, by kind of interval."""
    rng = settings.rng(config, f"coverage/{design.n_speakers}")
    odds, level = np.linspace(-0.5, 1.5, design.classes), config.evaluation.level
    truth, resamples = expected(odds), resamples_of(design, config, rng)
    covered = dict.fromkeys(resamples, 0)
    for start in range(0, config.controls.simulations, BLOCK):
        n = min(BLOCK, config.controls.simulations - start)
        right = simulated(design, odds, n, rng)
        whole = right.mean(axis=(1, 2, 3))
        for kind, (weights, unit) in resamples.items():
            scores = resampled(right, weights, unit)
            spans = (intervals.limits(*pair, kind, level=level, bounds=(0.0, 1.0)) for pair in zip(whole, scores))
            covered[kind] += sum(span.low <= truth <= span.high for span in spans)
    return {kind: hits / config.controls.simulations for kind, hits in covered.items()}


def expected(odds: np.ndarray) -> float:
    """UAR of the population: the mean over classes of E[expit(odds + deviation)], by Gauss–Hermite quadrature."""
    nodes, weights = roots_hermitenorm(60)
    deviation = np.hypot(SPEAKER_SD, CELL_SD) * nodes
    return float(np.mean(expit(odds[:, None] + deviation) @ weights / weights.sum()))


def simulated(design: Design, odds: np.ndarray, n: int, rng: np.random.Generator) -> np.ndarray:
    """Which clips of n corpora are recognised, bool, shape (n, speakers, classes, clips a class)."""
    shape = (n, design.n_speakers, design.classes)
    logit = odds + rng.normal(0, SPEAKER_SD, (*shape[:2], 1)) + rng.normal(0, CELL_SD, shape)
    return rng.random((*shape, design.per_class)) < expit(logit)[..., None]


def resamples_of(design: Design, config: Config, rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Kind of interval → weights of resamples (b, units) and the unit of each clip (speakers, classes, clips).

    The design is the same for every corpus, so the resamples are too.
    """
    shape = (design.n_speakers, design.classes, design.per_class)
    truth = np.broadcast_to(np.arange(design.classes)[:, None], shape).ravel()
    speaker = np.broadcast_to(np.arange(design.n_speakers)[:, None, None], shape).ravel()
    options = {"n_bootstrap": config.evaluation.n_bootstrap, "rng": rng}
    n, n_bootstrap = design.n_speakers, config.evaluation.n_bootstrap
    unused = {
        intervals.JACKKNIFE: intervals.Resamples(speaker, 1.0 - np.eye(n), intervals.JACKKNIFE),
        intervals.BOOTSTRAP: intervals.Resamples(speaker, 1.0 * rng.multinomial(n, np.full(n, 1 / n), n_bootstrap), ""),
        intervals.CLIPS: intervals.resample(truth, np.full(len(truth), None), **options),
    }
    used = intervals.resample(truth, speaker, **options)
    kinds = unused | {used.kind: used}
    return {kind: (drawn.weights, drawn.unit.reshape(shape)) for kind, drawn in kinds.items()}


def resampled(right: np.ndarray, weights: np.ndarray, unit: np.ndarray) -> np.ndarray:
    """UAR of every resample of every corpus, shape (n, b).

    Parameters
    ----------
    right : bool, shape (n, speakers, classes, clips)
    weights : (b, units)
    unit : of each clip, shape (speakers, classes, clips)
    """
    n, n_classes = len(right), right.shape[2]
    member = [np.eye(weights.shape[1])[unit[:, place].ravel()] for place in range(n_classes)]  # (clips, units) each
    hits = [right[:, :, place].reshape(n, -1).astype(float) @ member[place] for place in range(n_classes)]
    clips = np.stack([part.sum(axis=0) for part in member])  # (classes, units)
    if (clips == clips[0]).all():  # as with speakers, who say as much of every class: one product does for all
        return np.mean(hits, axis=0) @ weights.T / (weights @ clips[0])
    return np.mean([part @ weights.T / (weights @ one) for part, one in zip(hits, clips)], axis=0)
