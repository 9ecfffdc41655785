"""The honest study, declared: the league, the ladder, the learning curve, the controls, across corpora.

``possible`` says everywhere which protocols each selection allows; without speakers, say, none by speakers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping

from ser_study import splits
from ser_study.config import Config
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material

LEAGUE_PROTOCOLS = ("random", "speaker_independent")
RUNGS = ("random", "take_disjoint", "sentence_independent", "speaker_independent", "speaker_and_sentence")
SIDE_RUNGS = ("leave_one_speaker_out",)
CONTROL_LIMIT = 3000  # clips; shuffled labels are repeated many times, so only on selections below this


def possible(gathered: Mapping[str, Material]) -> dict[str, list[str]]:
    """Protocols that each selection allows and that say something of their own: take-disjoint only where
    something was said twice, leave-one-speaker-out only where the speaker folds hold several speakers."""
    allowed = {}
    for name, part in gathered.items():
        idle = set() if part.clips["take"].duplicated().any() else {"take_disjoint"}
        if set(part.clips["corpus"]) <= set(splits.ONE_SPEAKER_A_FOLD):
            idle.add("leave_one_speaker_out")
        allowed[name] = [protocol for protocol in splits.possible(part.clips) if protocol not in idle]
    return allowed


def league(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """Every feature × model, tuned inside, on random and on speaker folds of each selection that allows them."""
    study, declared = config.study, []
    for selection, protocols in possible.items():
        for feature in (*study.features, *study.large_features):
            large = feature in study.large_features
            if large and selection not in study.large_corpora:
                continue
            models = [m for m in study.models if not (large and m not in ("logistic", "linear_svm"))]
            declared += [
                Experiment(selection, protocol, feature, model)
                for protocol in LEAGUE_PROTOCOLS
                if protocol in protocols
                for model in models
            ]
    return declared


def rungs(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """The ladder at full size."""
    study, declared = config.study, []
    for selection, protocols in possible.items():
        row = (selection, study.ladder_feature, study.ladder_model)
        declared.append(_rung(*row, "random", leak="augment_before_split"))
        declared += [_rung(*row, protocol) for protocol in (*RUNGS, *SIDE_RUNGS) if protocol in protocols]
    return declared


def equal_size(config: Config, full: Iterable[Experiment], sizes: Mapping[str, int]) -> list[Experiment]:
    """The same rungs with every training set cut to the smallest rung's size."""
    return [
        dataclasses.replace(rung, size=sizes[rung.selection], draws=config.study.ladder_draws)
        for rung in full
        if rung.selection in sizes and rung.protocol not in SIDE_RUNGS
    ]


def curve(config: Config, speakers: Mapping[str, int]) -> list[Experiment]:
    """Speaker-independent score against the number of training speakers."""
    study = config.study
    return [
        Experiment(
            selection,
            "speaker_independent",
            study.ladder_feature,
            study.ladder_model,
            fixed=True,
            train_speakers=number,
            draws=study.ladder_draws,
        )
        for selection, available in speakers.items()
        for number in study.curve_speakers
        if number <= available
    ]


def controls(config: Config, sizes: Mapping[str, int], possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """Shuffled labels: honest rungs must fall to chance, the leaking rung must not."""
    study = config.study
    cases = (("random", ""), ("speaker_independent", ""), ("random", "augment_before_split"))
    return [
        Experiment(
            selection,
            protocol,
            study.ladder_feature,
            study.ladder_model,
            fixed=True,
            leak=leak,
            shuffle="within_speaker",
            draws=study.shuffles,
        )
        for selection, n_clips in sizes.items()
        if n_clips <= CONTROL_LIMIT and study.shuffles
        for protocol, leak in cases
        if protocol in possible[selection]
    ]


def across(config: Config, possible: Mapping[str, Iterable[str]]) -> list[Experiment]:
    """Train on one corpus, test on another, on the six common classes; the diagonal is within-corpus, new speakers."""
    study = config.study
    chosen = [name for name in possible if name not in ("ravdess-song", "synthetic")]
    if len(chosen) < 2:
        return []
    return [
        Experiment(
            target,
            "speaker_independent" if source == target else "cross_corpus",
            study.ladder_feature,
            study.ladder_model,
            scheme="6_common",
            sources=() if source == target else (source,),
            fixed=True,
        )
        for target in chosen
        for source in chosen
        if source != target or "speaker_independent" in possible[target]
    ]


def _rung(selection: str, feature: str, model: str, protocol: str, *, leak: str = "") -> Experiment:
    return Experiment(selection, protocol, feature, model, fixed=True, leak=leak)
