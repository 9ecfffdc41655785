"""What a run was asked for, checked before it starts: names in the settings, and the data folder."""

from __future__ import annotations

import os

from ser_study import corpora, features, splits
from ser_study.audio import degrade
from ser_study.config import Config, unknown
from ser_study.experiments import baselines, benchmark
from ser_study.models import registry
from ser_study.store import Store


def check(config: Config, store: Store, data: str) -> None:
    """Both checks; ``data`` is the folder that was named, empty for none."""
    check_names(config)
    check_data(config, store, data)


def check_names(config: Config) -> None:
    """Raise ``ValueError`` at the first name in the settings that there is not: of a feature, model, selection, corpus,
    project or degradation.

    The settings themselves stand below the registries and cannot know.
    """
    benchmarked, ladder = config.benchmark, config.ladder
    systems = [benchmark.system(text) for text in ladder.systems]
    closed = {
        "benchmark.features": ("feature", benchmarked.features, features.REGISTRY),
        "benchmark.wide_features": ("feature", benchmarked.wide_features, features.REGISTRY),
        "benchmark.large_features": ("feature", benchmarked.large_features, features.REGISTRY),
        "benchmark.encoders": ("feature", benchmarked.encoders, features.REGISTRY),
        "benchmark.joint_features": ("feature", benchmarked.joint_features, features.REGISTRY),
        "benchmark.wide_models": ("model", benchmarked.wide_models, registry.REGISTRY),
        "benchmark.protocols": ("protocol", benchmarked.protocols, splits.PROTOCOLS),
        "networks.by_speaker": ("feature", _parts(config.networks.by_speaker, 0), features.REGISTRY),
        "networks.by_speaker, after /": ("model", _parts(config.networks.by_speaker, 1), registry.REGISTRY),
        "ladder.augmented": ("selection", ladder.augmented, corpora.selections()),
        "ladder.feature": ("feature", [ladder.feature], features.REGISTRY),
        "controls.protocols": ("protocol", config.controls.protocols, splits.PROTOCOLS),
        "testing.timed_models": ("classical model", config.testing.timed_models, registry.CLASSICAL),
        "testing.vote_models": ("classical model", config.testing.vote_models, registry.CLASSICAL),
        "testing.transfer_features": ("encoder", config.testing.transfer_features, _encoders()),
        "benchmark.models": ("model", benchmarked.models, registry.REGISTRY),
        "ladder.model": ("model", [ladder.model], registry.REGISTRY),
        "ladder.systems": ("feature", [one.feature for one in systems], features.REGISTRY),
        "ladder.systems, after /": ("model", [one.model for one in systems], registry.REGISTRY),
        "ladder.systems, after @": ("selection", [n for one in systems for n in one.selections], corpora.selections()),
        "benchmark.large_corpora": ("selection", benchmarked.large_corpora, corpora.selections()),
        "corpora": ("corpus", config.corpora, corpora.names()),
        "baselines.systems": ("student project", config.baselines.systems, baselines.BASELINES),
    }
    for setting, (what, given, known) in closed.items():
        for name in (part for whole in given for part in whole.split("+")):  # two features side by side
            if name not in known:
                raise ValueError(f"{setting}: {unknown(what, name, known)}")
    try:
        degrade.conditions(config.testing.conditions)
    except ValueError as error:
        raise ValueError(f"testing.conditions: {error}") from None


def _parts(pairs: tuple[str, ...], place: int) -> list[str]:
    """The features (0) or the models (1) of ``feature/model``; empty where a pair has no model."""
    return [[*pair.split("/", 1), ""][place] for pair in pairs]


def _encoders() -> list[str]:
    return [name for name in features.REGISTRY if features.is_pretrained(name)]


def check_data(config: Config, store: Store, data: str) -> None:
    """Raise ``FileNotFoundError`` where somebody named a data folder without a corpus; see ``corpora.check_given``."""
    if (data or os.environ.get("SER_STUDY_DATA")) and not config.corpora:
        corpora.check_given(store.raw)
