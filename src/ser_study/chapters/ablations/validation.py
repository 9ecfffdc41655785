"""What the ablations share: on which clips they run, and how experiments are compared on validation speakers.

This is development: models and hyperparameters see training and validation rows only, no test row is read. The
hyperparameters are chosen on the same validation rows, alike for all, so the differences are fair while the scores
themselves are a little too high.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import sklearn

from ser_study import config as settings
from ser_study import features, splits
from ser_study.config import Config
from ser_study.evaluation import comparisons, metrics
from ser_study.experiments import folds as folding
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import classes_of
from ser_study.schema import FeatureSet
from ser_study.study import Study

PROTOCOL = "speaker_independent"
STEP = ("difference", "low", "high", "interval", "p", "p_holm", "note")  # of an experiment against its reference
COLUMNS = ("corpus", "feature", "model", "uar", *STEP, "n", "n_speakers", "n_train")


class SpeakerFolds(NamedTuple):
    """One selection with its features and speaker folds."""

    selection: str
    values: FeatureSet
    truth: pd.Series  # class of each clip, indexed by ``clip_id``
    folds: pd.DataFrame


def compared(study: Study) -> list[str]:
    """The selections compared: those of ``benchmark.large_corpora`` that are here, else the first with four speakers.

    With three speakers none is left for validation.
    """
    able = [n for n, part in study.selections.items() if part.n_speakers > 3 and PROTOCOL in study.possible[n]]
    return [name for name in able if name in study.config.benchmark.large_corpora] or able[:1]


def speaker_folds(study: Study, feature: str) -> SpeakerFolds | None:
    """The first compared selection; None where there is none."""
    chosen = compared(study)
    if not chosen:
        return None
    name, part = chosen[0], study.selections[chosen[0]]
    values = study.features(name, feature)
    truth = classes_of(part, "native")
    truth = truth[truth.index.isin(values.clip_id)]
    experiment = Experiment(name, PROTOCOL, feature, "logistic")
    return SpeakerFolds(name, values, truth, folding.folds_of(experiment, part, truth, study.config, study.store, 0))


def cache_key(study: Study, selection: str, feature: str) -> dict[str, Any]:
    """What a cached table of one selection depends on, besides the code that makes it."""
    return {
        "clips": study.selections[selection].digest,
        "features": features.get(feature).settings(study.config),
        "folds": splits.committed_hash(selection, PROTOCOL, study.store.project / "data" / "folds"),
        "models": study.config.models,
        "seed": study.config.seed,
        "versions": [sklearn.__version__, version("lightgbm")],
    }


def changes(
    predictions: Mapping[Experiment, pd.DataFrame],
    reference_of: Mapping[Experiment, Experiment],
    clips: pd.DataFrame,
    *,
    stream: str,
    config: Config,
    shared_clips: bool = False,
) -> pd.DataFrame:
    """UAR of experiments on the validation rows of one selection, and the change of each against its reference.

    Parameters
    ----------
    predictions : of every experiment; other rows than clean validation rows are left out
    reference_of : what each experiment is compared with; a reference is its own
    clips : clips table of the selection
    stream : purpose of the random numbers
    shared_clips : take ``uar`` and ``n`` from the rows shared with the reference (its own from those shared with the
        first that it is compared with), as the change always is: it may have rows of more inner folds

    Returns
    -------
    ``COLUMNS``, one row an experiment, in the order given; a reference has no change. Pairs are compared clip by
    clip, and Holm's correction runs over all of them.

    Raises
    ------
    ValueError
        An experiment has no validation rows.
    """
    validation = {one: _validation_rows(one, table) for one, table in predictions.items()}
    pairs = [(reference_of[one].name, one.name) for one in validation if reference_of[one] != one]
    steps = pd.DataFrame(columns=["experiment_a", "experiment_b"])
    if pairs:
        steps = comparisons.steps(
            pd.concat(validation.values(), ignore_index=True),
            clips,
            pairs,
            family="validation",
            role="validation",
            evaluation=config.evaluation,
            rng=settings.rng(config, stream),
        )
    speaker, steps = clips.set_index("clip_id")["speaker"], steps.set_index("experiment_b")
    rows = [_row(one, table, speaker, steps, shared_clips) for one, table in validation.items()]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _validation_rows(one: Experiment, table: pd.DataFrame) -> pd.DataFrame:
    rows = table[(table["role"] == "validation") & (table["variant"] == 0)]
    if rows.empty:
        raise ValueError(
            f"{one.name} has no validation rows to compare by; declare it on speaker folds, with fixed=False, "
            "on a selection with four speakers or more."
        )
    return rows


def _row(
    one: Experiment, table: pd.DataFrame, speaker: pd.Series, steps: pd.DataFrame, shared_clips: bool
) -> dict[str, Any]:
    row = {
        "corpus": one.selection,
        "feature": one.feature,
        "model": one.model,
        "uar": metrics.uar_of(table),
        "note": "",
        "n": table["clip_id"].nunique(),
        "n_speakers": speaker[table["clip_id"]].nunique(),
        "n_train": round(np.mean(table["n_train"])),
    }
    if one.name not in steps.index:
        pairs = steps[steps["experiment_a"] == one.name]
        return row | ({"uar": pairs["value_a"].iloc[0], "n": pairs["n"].iloc[0]} if shared_clips and len(pairs) else {})
    step = steps.loc[one.name]
    shared = {"uar": step["value_b"], "n": step["n"]} if shared_clips else {}
    return row | {name: step[name] for name in STEP} | shared
