"""The scores that a run publishes in one table."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from ser_study.experiments import benchmark
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import smallest_training
from ser_study.experiments.published import LABELS
from ser_study.store import replacing
from ser_study.study import Study

SCORE_COLUMNS = [
    *("corpus", "protocol", "feature", "model", "metric", "value", "low", "high", "interval"),
    *("n", "n_speakers", "n_train", "experiment", "scheme", "leak", "fixed", "size", "source", "others"),
]
MAIN_METRICS = ("uar", "accuracy", "macro_f1")


def all_scores(study: Study) -> pd.DataFrame:
    """Scores of the benchmark, the ladder and its leaks (full and equal size) and across corpora (``SCORE_COLUMNS``).

    ``fixed`` says that no hyperparameter was chosen, ``size`` is the number of training rows that every fold was
    cut to, ``source`` the corpora trained on where these are not the tested one, ``others`` the corpora that could join
    the training clips; empty where it does not apply.
    """
    config, possible = study.config, study.possible
    full = benchmark.ladder(config, possible)
    sizes = smallest_training(full, study.selections, config=config, store=study.store)
    full += benchmark.ladder_systems(config, possible)
    leaking = benchmark.leaks(config, possible)
    experiments = [
        *benchmark.benchmark(config, possible),
        *benchmark.joint(config, possible),
        *full,
        *benchmark.cross_corpus(config, possible),
        *benchmark.transfer(config, possible, study.selections),
    ]
    compared = [*benchmark.equal_size(config, full, sizes), *(one for pair in leaking.items() for one in pair)]
    scores = pd.concat([study.scores(experiments), study.scores(compared, read=LABELS)], ignore_index=True)
    scores = scores.merge(_declarations([*experiments, *compared]), on="experiment", how="left")
    return scores[SCORE_COLUMNS].drop_duplicates(["experiment", "metric"], ignore_index=True)


def _declarations(experiments: Iterable[Experiment]) -> pd.DataFrame:
    """What the columns of scores do not tell of an experiment: ``experiment, fixed, size, source, others``."""
    rows = [
        (e.name, e.fixed, str(e.size or "") or None, "+".join(e.sources) or None, "+".join(e.others) or None)
        for e in dict.fromkeys(experiments)
    ]
    return pd.DataFrame(rows, columns=["experiment", "fixed", "size", "source", "others"])


def main_scores(scores: pd.DataFrame) -> pd.DataFrame:
    """UAR, accuracy and macro F1 of every experiment."""
    return scores[scores["metric"].isin(MAIN_METRICS)].reset_index(drop=True)


def publish(scores: pd.DataFrame, study: Study) -> None:
    """Write ``tables/scores.csv`` of the run.

    Parameters
    ----------
    scores : ``all_scores``
    """
    with replacing(study.store.outputs / "tables" / "scores.csv") as temporary:
        scores.to_csv(temporary, index=False, float_format="%.6g")
