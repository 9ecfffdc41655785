"""What the chapter chooses from: every system of the benchmark on new speakers, by kind, and votes over some."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from ser_study import features
from ser_study.experiments import benchmark
from ser_study.experiments.experiment import Experiment
from ser_study.models import registry
from ser_study.study import Study

PROTOCOL, ONE_OUT = "speaker_independent", "leave_one_speaker_out"
KINDS = (  # of systems, in the order of tables; the last chooses among all of them
    *("dummy", "hand_crafted", "feature_vote", "scratch_network", "encoder_head", "joint_corpora", "encoder_vote"),
    "best_system",
)
MOST_LEFT_OUT = 30  # speakers; with more, one left out differs little from a fold of them
HEAD = "lda"  # model of the vote's members, and of everything that is left out one speaker at a time


def candidates(study: Study, selection: str, protocol: str = PROTOCOL) -> dict[str, list[Experiment]]:
    """Kind → systems of a selection; kinds that a run lacks are left out.

    Parameters
    ----------
    protocol : ``PROTOCOL``, or ``ONE_OUT`` with the models of ``HEAD`` alone, since it costs a fit a speaker
    """
    possible = {selection: [PROTOCOL]}
    plain = benchmark.benchmark(study.config, possible)
    everything = {name: study.possible[name] for name in study.selections}
    joint = [one for one in benchmark.joint(study.config, everything) if one.selection == selection]
    has_audio = selection in study.with_audio().selections
    networks = [Experiment(selection, PROTOCOL, *row) for row in by_speaker(study) if has_audio]
    groups: dict[str, list[Experiment]] = {kind: [] for kind in KINDS}
    for one in [*plain, *joint, *networks]:
        groups[kind_of(one)].append(one)
    if protocol != PROTOCOL:
        groups = {
            kind: [replace(one, protocol=protocol) for one in some if one.model in (HEAD, "dummy")]
            for kind, some in groups.items()
        }
    return {kind: some for kind, some in groups.items() if some}


def by_speaker(study: Study) -> list[tuple[str, str]]:
    """(feature, network) of the settings that are trained from scratch on new speakers."""
    return [tuple(name.split("/")) for name in study.config.networks.by_speaker]


def kind_of(one: Experiment) -> str:
    """The kind of a system."""
    if one.model == "dummy":
        return "dummy"
    if one.others:
        return "joint_corpora"
    if registry.get(one.model).family == "deep":
        return "scratch_network"
    return "encoder_head" if features.is_pretrained(one.feature) else "hand_crafted"


def votes(groups: Mapping[str, list[Experiment]]) -> dict[str, list[Experiment]]:
    """Kind of vote → its members: the same model on every feature, so that no score decides who votes."""
    members = {
        "feature_vote": [one for one in groups.get("hand_crafted", []) if one.model == HEAD],
        "encoder_vote": [
            one for kind in ("encoder_head", "joint_corpora") for one in groups.get(kind, []) if one.model == HEAD
        ],
    }
    return {kind: some for kind, some in members.items() if len(some) > 1}


def able(study: Study, protocol: str = PROTOCOL) -> list[str]:
    """Selections with new speakers; one speaker at a time where that is another split and not one fit in thirty."""
    names = [name for name, allowed in study.possible.items() if PROTOCOL in allowed]
    if protocol == PROTOCOL:
        return names
    if not study.config.benchmark.one_out:
        return []
    few = [name for name in names if study.selections[name].n_speakers <= MOST_LEFT_OUT]
    return [name for name in few if protocol in study.possible[name]]
