"""The built-in corpus as a control: what its planted truth makes of the ladder, and whether we find it.

The generator says how far each speaker acts in a way of their own, so random folds must score more than
speaker folds there, and no more where ``speaker_confound`` is 0. How much more follows from no
formula; it is estimated once, on 25 corpora of 8 speakers, and kept in ``synthetic_expected.csv`` beside this file,
which ``python tests/synthetic_control.py`` makes anew (minutes). Other corpora must agree with it.

Two results over generator seeds 1–20 and 101–125. Logistic regression's intervals over 8
speakers hold the mean inflation of all 45 corpora in 43; the forest's in only 37, so claims rest on the
former. And without the confound the difference is not quite 0 but about −.01: in random folds of so
evenly balanced a design a test clip's class is rarer among the training clips of its own speaker.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd

from ser_study import config as settings
from ser_study.config import Run
from ser_study.evaluation import metrics, significance
from ser_study.experiments.experiment import Experiment
from ser_study.parallel import Failure, parallel_map
from ser_study.store import Store, replacing
from ser_study.study import Study

FEATURE, MODELS = "summary", ("logistic", "forest")
PROTOCOLS = ("random", "speaker_independent")
SEEDS = tuple(range(101, 126))  # of the generator, for the expectation; the tests use others
EXPECTED = Path(__file__).with_name("synthetic_expected.csv")
EXPECTED_COLUMNS = ["model", "speaker_confound", "protocol", "mean", "sd", "n_seeds"]


def simulate(
    study: Study, seeds: Sequence[int], confounds: Sequence[float], *, models: Sequence[str] = MODELS
) -> pd.DataFrame:
    """Score freshly made corpora, one for each generator seed and speaker confound.

    Parameters
    ----------
    study : its settings hold everything else; ``run.jobs`` corpora are made at a time, the number changes no value;
        each corpus lives below its ``derived`` folder until it is scored
    seeds : of the generator; the folds keep the seed of the settings
    confounds : values of ``synthetic.speaker_confound``
    models : names of models, with their fixed hyperparameters

    Returns
    -------
    One row a corpus and model: ``seed, speaker_confound, model``, the UAR ``random`` and
    ``speaker_independent``, and their difference ``inflation`` with the interval over speakers ``low, high``.

    Raises
    ------
    RuntimeError
        A corpus could not be made or scored.
    """
    cases = [(confound, seed) for confound in confounds for seed in seeds]
    work = partial(_one_corpus, study=Study(study.config, study.store), models=tuple(models))
    tables, jobs = [], study.config.run.jobs
    for (confound, seed), table in parallel_map(work, cases, jobs=jobs, label="control", unit="corpora", batch=1):
        if isinstance(table, Failure):
            raise RuntimeError(f"Synthetic corpus of seed {seed}, speaker confound {confound:g}: {table.reason}")
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def expected(study: Study, seeds: Sequence[int] = SEEDS) -> pd.DataFrame:
    """Mean and sd over generator seeds of what the reference models score, with and without the confound.

    Returns
    -------
    Columns ``EXPECTED_COLUMNS``; ``protocol`` is one of the two, or ``inflation`` for their difference.
    """
    confounds = dict.fromkeys((study.config.synthetic.speaker_confound, 0.0))
    return summarised(simulate(study, seeds, tuple(confounds)))


def summarised(rows: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``simulate`` as columns ``EXPECTED_COLUMNS``."""
    long = rows.melt(["model", "speaker_confound"], [*PROTOCOLS, "inflation"], var_name="protocol")
    grouped = long.groupby(["model", "speaker_confound", "protocol"], sort=False)["value"]
    return grouped.agg(mean="mean", sd="std", n_seeds="size").reset_index()[EXPECTED_COLUMNS]


def read_expected() -> pd.DataFrame:
    """The committed expectation."""
    return pd.read_csv(EXPECTED)


def expected_inflation(model: str, speaker_confound: float) -> float:
    """Expected random minus speaker-independent UAR; ``ValueError`` where none is committed."""
    table = read_expected()
    chosen = table["model"].eq(model) & table["protocol"].eq("inflation")
    means = table.loc[chosen & table["speaker_confound"].eq(speaker_confound), "mean"]
    if means.empty:
        raise ValueError(f"No expected inflation of {model!r} at speaker confound {speaker_confound:g} is committed.")
    return float(means.iloc[0])


def _one_corpus(case: tuple[float, int], *, study: Study, models: tuple[str, ...]) -> pd.DataFrame:
    """Make a corpus in a folder of its own, score it and remove it; runs in any process."""
    (confound, seed), store = case, study.store
    synthetic = dataclasses.replace(study.config.synthetic, seed=seed, speaker_confound=confound)
    config = dataclasses.replace(study.config, synthetic=synthetic, corpora=("synthetic",), run=Run(jobs=1))
    store.derived.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.derived, prefix="control-") as folder:
        own = Study(config, Store(store.raw, Path(folder), store.run, store.project))
        with contextlib.redirect_stderr(io.StringIO()):  # the bars of a hundred corpora
            rows = [_inflation(model, own) for model in models]
    return pd.DataFrame(rows).assign(seed=seed, speaker_confound=confound)


def _inflation(model: str, study: Study) -> dict[str, float | str]:
    """UAR of one model on both protocols, and the difference with its interval over speakers."""
    clips = study.selections["synthetic"].clips.set_index("clip_id")
    predictions = {}
    for protocol in PROTOCOLS:
        table = study.predictions(Experiment("synthetic", protocol, FEATURE, model, fixed=True))
        test = table[table["role"] == "test"].set_index("clip_id")
        predictions[protocol] = test["prediction"].loc[clips.index]
    truth, classes = clips["emotion"], sorted(clips["emotion"].unique())
    scores = {
        protocol: float(metrics.uar(metrics.confusion(truth, predicted, classes)))
        for protocol, predicted in predictions.items()
    }
    random = settings.rng(study.config, f"control/{model}")
    pair = [predictions[protocol] for protocol in ("speaker_independent", "random")]
    options = {"classes": classes, "level": study.config.evaluation.level, "rng": random}
    inflation, span = significance.paired_difference(truth, *pair, clips["speaker"], **options)
    return {"model": model, **scores, "inflation": inflation, "low": span.low, "high": span.high}


def _write_expected() -> None:
    with replacing(EXPECTED) as temporary:
        expected(Study.open("demo")).to_csv(temporary, index=False, float_format="%.5f", lineterminator="\n")


if __name__ == "__main__":
    _write_expected()
