"""What becomes of a system on another corpus, and in another language: its score, its calibration, and whether it
knows when to be silent there.

Conventions
-----------
Every system is trained on one corpus (*source*) and tested on another (*corpus*), on the six classes that most share;
selections that lack one of these are left out.
Temperatures and thresholds come from validation speakers of the source, so nothing of the tested corpus is known. The
pairs of a corpus with itself are tested on new speakers. All are declared in ``experiments.benchmark.transfer``.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ser_study.chapters.testing import calibration, declare
from ser_study.evaluation.abstention import ANSWERS_AT
from ser_study.experiments import benchmark
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.selections import Selection
from ser_study.study import Study
from ser_study.wording import word

COLUMNS = (
    *("system", "source", "corpus", "languages", "uar", "low", "high", "uar_within", "log_loss", "ece"),
    *("overconfidence", "coverage", "coverage_low", "coverage_high", "accuracy", "accuracy_low", "accuracy_high"),
    *("accuracy_of_all", "n", "note"),
)
MIN_SOURCE_SPEAKERS = 2  # one in validation, one in training; the tested speakers are of another corpus


def table(study: Study) -> pd.DataFrame:
    """Every pair of corpora and system (``COLUMNS``); empty with fewer than two corpora that have all
    six classes.

    ``uar_within`` is the same system's score on new speakers of the tested corpus, trained on its other speakers.
    ``coverage`` and ``accuracy`` are those at the threshold for ``ANSWERS_AT`` right answers on the source's validation
    speakers.
    """
    declared = benchmark.transfer(study.config, study.possible, study.selections)
    if not declared:
        return pd.DataFrame(columns=list(COLUMNS))
    predictions, scored = study.predict(declared), study.scores(declared)
    rows = []
    for one in declared:
        own = scored[scored["experiment"] == one.name].set_index("metric")
        row = {"system": title(one, study), "source": source_of(one), "corpus": one.selection}
        row |= {"languages": languages(one, study), "uar": own.loc["uar", "value"]}
        row |= own.loc["uar", ["low", "high", "n"]].to_dict() | own["value"][["log_loss", "ece"]].to_dict()
        rows.append(row | _confidence(one, predictions[one], study))
    frame = pd.DataFrame(rows)
    within = frame[frame["source"] == frame["corpus"]].set_index(["system", "corpus"])["uar"]
    frame["uar_within"] = within.reindex(pd.MultiIndex.from_frame(frame[["system", "corpus"]])).to_numpy()
    return frame.reindex(columns=list(COLUMNS))


def source_of(one: Experiment) -> str:
    """The selection that an experiment is trained on."""
    return one.sources[0] if one.sources else one.selection


def title(one: Experiment, study: Study) -> str:
    """Title of the system as the other sections of the chapter give it; of another, its feature in words."""
    kinds = declare.features_of(study.config).items()
    return next((declare.TITLES[kind] for kind, feature in kinds if feature == one.feature), word(one.feature))


def language(part: Selection) -> str:
    """Language of most clips, as ISO 639-1; ``"?"`` where none is given."""
    known = part.clips["language"].dropna()
    known = known[known != ""]
    return str(known.mode().iloc[0]) if len(known) else "?"


def languages(one: Experiment, study: Study) -> str:
    """Language of the source and of the tested corpus: ``en → de``, or ``en`` where they are alike."""
    pair = [language(study.selections[name]) for name in (source_of(one), one.selection)]
    return " → ".join(dict.fromkeys(pair))


def learns(one: Experiment, rows: pd.DataFrame, study: Study) -> bool:
    """Whether the source has validation speakers who are in neither training nor test."""
    source = study.selections[source_of(one)]
    if not one.sources:
        return calibration.learns(rows, source.n_speakers)
    named = source.clips["speaker"].notna().all() and source.n_speakers >= MIN_SOURCE_SPEAKERS
    return bool(named and (rows["role"] == "validation").any())


def _confidence(one: Experiment, rows: pd.DataFrame, study: Study) -> dict:
    """Mean confidence minus accuracy on test rows, and what the source's threshold brings there."""
    clips = study.clips(one.selection)
    tested = rows[rows["role"] == "test"]
    arrays = calibration.tested(tested, clips)
    surplus = float(arrays.proba.max(axis=1).mean() - (arrays.prediction == arrays.truth).mean())
    if not learns(one, rows, study):
        return {"overconfidence": surplus, "note": calibration.NO_VALIDATION}
    reached = calibration.answered(rows, clips, ANSWERS_AT, study)
    reached |= {"accuracy_low": reached.pop("low"), "accuracy_high": reached.pop("high")}
    return {"overconfidence": surplus} | reached


def matrix(frame: pd.DataFrame, system: str, value: str) -> pd.DataFrame:
    """A column of ``table`` for one system, by source (rows) and tested corpus (columns); NaN where not run."""
    own = frame[frame["system"] == system]
    names = list(dict.fromkeys(frame["corpus"]))
    return own.pivot(index="source", columns="corpus", values=value).reindex(index=names, columns=names).astype(float)


def between(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows whose source is another corpus."""
    return frame[frame["source"] != frame["corpus"]]


def crosses_language(frame: pd.DataFrame) -> np.ndarray:
    """Which rows are tested in another language than that of their source, bool (n,)."""
    return frame["languages"].str.contains(" → ", regex=False).to_numpy(bool)
