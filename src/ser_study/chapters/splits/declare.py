"""The experiments of chapter 03 beside the ladder: the learning curve and the controls with shuffled labels."""

from __future__ import annotations

from ser_study.experiments.experiment import Experiment
from ser_study.study import Study

CONTROL_LIMIT = 3000  # clips; shuffled labels are repeated many times, so only on selections below this


def curve(study: Study) -> list[Experiment]:
    """Speaker-independent score against the number of training speakers."""
    ladder = study.config.ladder
    return [
        Experiment(
            name,
            "speaker_independent",
            ladder.feature,
            ladder.model,
            fixed=True,
            train_speakers=number,
            draws=ladder.draws,
        )
        for name, part in study.selections.items()
        for number in ladder.curve_speakers
        if number <= part.n_speakers - 1
    ]


def controls(study: Study) -> list[Experiment]:
    """Shuffled labels: leak-free protocols must fall to chance, augmentation before the split must not."""
    ladder, possible = study.config.ladder, study.possible
    cases = (("random", ""), ("speaker_independent", ""), ("random", "augment_before_split"))
    return [
        Experiment(
            name,
            protocol,
            ladder.feature,
            ladder.model,
            fixed=True,
            leak=leak,
            shuffle="within_speaker",
            draws=ladder.shuffles,
        )
        for name, part in study.selections.items()
        if len(part.clips) <= CONTROL_LIMIT and ladder.shuffles
        for protocol, leak in cases
        if protocol in possible[name]
    ]
