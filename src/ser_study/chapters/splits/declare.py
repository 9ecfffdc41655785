"""The experiments of chapter 03 beside the ladder: the learning curve."""

from __future__ import annotations

from ser_study import features
from ser_study.experiments import benchmark
from ser_study.experiments.experiment import Experiment
from ser_study.experiments.folds import folds_of
from ser_study.experiments.selections import classes_of
from ser_study.study import Study


def curve(study: Study) -> list[Experiment]:
    """Speaker-independent score against the number of training speakers, where so few say two emotions."""
    return [one for one in _points(study) if not _unfed(one, study)]


def unfed(study: Study) -> list[Experiment]:
    """Points of the curve that are left out: in some fold the training speakers say one emotion."""
    return [one for one in _points(study) if _unfed(one, study)]


def _unfed(one: Experiment, study: Study) -> bool:
    part = study.selections[one.selection]
    emotion = part.clips.set_index("clip_id")["emotion"]
    if part.clips.groupby("speaker")["emotion"].nunique().min() > 1:
        return False  # whoever is chosen says two
    truth = classes_of(part, one.scheme)
    for draw in range(one.draws):
        made = folds_of(one, part, truth, study.config, study.store, draw)
        train = made[made["role"] == "train"]
        if (train["clip_id"].map(emotion).groupby(train["fold"]).nunique() < 2).any():
            return True
    return False


def curve_systems(study: Study, selection: str) -> list[tuple[str, str]]:
    """Feature and model of the learning curves: the reference, and the first encoder of ``ladder.systems``."""
    ladder = study.config.ladder
    beside = benchmark.ladder_systems(study.config, {selection: study.possible[selection]})
    encoders = [(one.feature, one.model) for one in beside if features.is_pretrained(one.feature)]
    return list(dict.fromkeys([(ladder.feature, ladder.model), *encoders[:1]]))


def _points(study: Study) -> list[Experiment]:
    ladder = study.config.ladder
    return [
        Experiment(
            name,
            "speaker_independent",
            *system,
            fixed=True,
            train_speakers=number,
            draws=benchmark.draws_of(study.config, *system),
        )
        for name, part in study.selections.items()
        if "speaker_independent" in study.possible[name]
        for system in curve_systems(study, name)
        for number in ladder.curve_speakers
        if number <= part.n_speakers - 1
    ]
