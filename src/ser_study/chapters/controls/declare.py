"""The experiments of the chapter: shuffled labels, and encoders with their own weights and with random ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ser_study import features
from ser_study.experiments import benchmark
from ser_study.experiments.experiment import Experiment
from ser_study.study import Study

WITHIN, GLOBAL = "within_speaker", "global"
PAIR = ("random", "speaker_independent")
DUPLICATED = "random_duplicated"  # the random split of clips that are all there twice
STEP_OF_LEAK = {"augment_before_split": benchmark.AUGMENTED, "duplicate_before_split": DUPLICATED}
RANDOM_WEIGHTS = {  # encoder → the same network with random weights, three draws
    "campplus": ("campplus_random", "campplus_random1", "campplus_random2"),
    "moonshine": ("moonshine_random0", "moonshine_random1", "moonshine_random2"),
}
FILTERBANK = "campplus_filterbank"
HEAD = "lda"


def step_of(one: Experiment) -> str:
    """Name of the split of an experiment: its protocol, or the leak in it."""
    return STEP_OF_LEAK.get(one.leak, one.protocol)


def clips_of(study: Study, selection: str, at_most: int) -> int:
    """Value of ``Experiment.clips``: 0 where the selection has no more clips than that."""
    return at_most if len(study.selections[selection].clips) > at_most else 0


def true_labels(study: Study) -> list[Experiment]:
    """The systems of the control with their true labels; those of whole selections are steps of the ladder."""
    ladder, wanted = study.config.ladder, study.config.controls
    also_augmented = benchmark.augmented(study.config, study.possible)
    declared = []
    for name, possible in study.possible.items():
        clips = clips_of(study, name, wanted.shuffled_clips)
        row = Experiment(name, "random", ladder.feature, ladder.model, fixed=True, clips=clips)
        declared += [replace(row, protocol=one) for one in wanted.protocols if one in possible]
        if name in also_augmented and not clips and "random" in possible:
            declared.append(replace(row, leak="augment_before_split"))
    return declared


def shuffled(study: Study) -> list[Experiment]:
    """The same with labels permuted within speakers, and over all clips on two protocols; and with every clip twice."""
    wanted, declared = study.config.controls, []
    plain = true_labels(study) if wanted.shuffles else []
    twice = [replace(one, leak="duplicate_before_split") for one in plain if one.protocol == "random" and not one.leak]
    for one in [*plain, *twice]:
        declared.append(replace(one, shuffle=WITHIN, draws=wanted.shuffles))
        if wanted.global_shuffles and one.protocol in PAIR and not one.leak:
            declared.append(replace(one, shuffle=GLOBAL, draws=wanted.global_shuffles))
    order = list(study.selections)
    return sorted([*declared, *_networks(study)], key=lambda one: order.index(one.selection))


def _networks(study: Study) -> list[Experiment]:
    """A network with shuffled labels, on the smallest selection that allows new speakers; none unless asked for."""
    draws, systems = study.config.controls.network_shuffles, study.config.networks.by_speaker
    able = [name for name in study.with_audio().selections if "speaker_independent" in study.possible[name]]
    if not (draws and systems and able):
        return []
    smallest = min(able, key=lambda name: len(study.selections[name].clips))
    return [Experiment(smallest, one, *systems[0].split("/"), shuffle=WITHIN, draws=draws) for one in PAIR]


@dataclass(frozen=True)
class Vectors:
    """One way to turn a clip into a vector, and what stands behind it."""

    feature: str
    kind: str  # published, random_weights, filterbank or hand_crafted
    encoder: str = ""


def group_of(made: Any) -> str:
    """What vectors, or a row with the same fields, are called where draws of random weights count as one."""
    return f"{made.encoder}_random_weights" if made.kind == "random_weights" else made.feature


def vectors(study: Study) -> list[Vectors]:
    """Encoders of the settings that are here, their random twins, the filterbank, and hand-crafted features; nothing
    without an encoder."""
    named = {part for name in study.config.benchmark.encoders for part in name.split("+")}
    encoders = [name for name in RANDOM_WEIGHTS if name in named and not features.unavailable(name, study.config)]
    if not encoders:
        return []
    n_draws = study.config.controls.random_weights
    made = [Vectors(name, "published", name) for name in encoders]
    made += [Vectors(twin, "random_weights", name) for name in encoders for twin in RANDOM_WEIGHTS[name][:n_draws]]
    made += [Vectors(FILTERBANK, "filterbank")] * bool(n_draws)
    return [*made, Vectors(study.config.ladder.feature, "hand_crafted")]


def encoders(study: Study) -> dict[Experiment, Vectors]:
    """A linear head on every kind of vectors, on random and on speaker folds of the same clips; nothing is chosen."""
    declared: dict[Experiment, Vectors] = {}
    for name in able(study):
        clips = clips_of(study, name, study.config.controls.encoder_clips)
        for one in vectors(study):
            for protocol in PAIR:
                declared[Experiment(name, protocol, one.feature, HEAD, fixed=True, clips=clips)] = one
    return declared


def able(study: Study) -> list[str]:
    """Selections whose sound is here and that can be tested on new speakers."""
    return [name for name in study.with_audio().selections if set(PAIR) <= set(study.possible[name])]


def pairs(declared: Mapping[Experiment, Vectors]) -> list[tuple[str, Vectors]]:
    """Selection and vectors, each pair once."""
    return list(dict.fromkeys((one.selection, made) for one, made in declared.items()))
