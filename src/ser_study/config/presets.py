"""The presets: each a difference from the defaults."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from ser_study.config.sections import Ablations

_ALL_ABLATIONS = tuple(item.name for item in dataclasses.fields(Ablations))


def _only(*names: str) -> dict[str, bool]:
    """The ablations of a preset: these and no others."""
    return {f"ablations.{name}": name in names for name in _ALL_ABLATIONS}


# quick, full and complete fit a system that they share alike, so that it has one published score
PRESETS: Mapping[str, Mapping[str, Any]] = {
    "demo": {
        "corpora": ["synthetic"],
        "benchmark.features": ["means184", "summary"],
        "benchmark.wide_features": [],
        "benchmark.large_features": [],
        "benchmark.encoders": [],
        "benchmark.joint_features": [],
        "networks.by_speaker": [],
        "ladder.systems": ["means184/logistic"],
        "ladder.curve_speakers": [2, 4, 6],
        "controls.shuffles": 10,
        "controls.global_shuffles": 5,
        "controls.marker_draws": 2,
        "controls.random_weights": 0,
        "controls.simulations": 300,
        "models.boosting_rounds": 40,
        "training.max_epochs": 4,
        "finetuning.folds": 0,
        "baselines.gaps": False,
        "testing.clips": 40,
        "testing.timed_models": ["logistic", "lda"],
        "testing.timed_clips": 8,
        "testing.vote_models": ["lda"],
        "testing.permutations": 3,
        "testing.conditions": ["white:10", "babble:10", "telephone", "length:1", "length:0.5"],
        "testing.augmented": False,
        **_only(),
    },
    "quick": {  # what fits 40 minutes on two cores: linear models, and of openSMILE eGeMAPS on the small corpora only
        "benchmark.features": ["summary"],
        "benchmark.wide_features": ["means184"],
        "benchmark.large_features": ["egemaps"],
        "benchmark.models": ["dummy", "logistic", "lda"],
        "benchmark.wide_models": ["lda"],
        "benchmark.joint_features": ["campplus+moonshine"],
        "benchmark.one_out": False,
        "benchmark.times": False,
        "benchmark.protocols": ["random", "sentence_independent", "speaker_independent", "cross_corpus"],
        "ladder.augmented": ["ravdess-speech", "emodb"],
        "ladder.systems": ["campplus/lda"],
        "ladder.built_in": False,
        "ladder.system_draws": 1,
        "controls.shuffles": 10,
        "controls.global_shuffles": 0,
        "controls.protocols": ["random", "speaker_independent"],
        "controls.markers_everywhere": False,
        "controls.marker_draws": 2,
        "controls.random_weights": 0,
        "controls.simulations": 1000,
        "networks.by_speaker": [],
        "networks.extra": False,
        "finetuning.folds": 0,
        "baselines.systems": ["E000"],
        "baselines.fresh_splits": 3,
        "testing.clips": 60,
        "testing.timed_models": ["logistic", "lda"],
        "testing.vote_models": ["lda"],
        "testing.transfer_features": [],
        "testing.permutations": 5,
        "testing.occluded": 24,
        "testing.conditions": [
            *("white:10", "babble:10", "reverberation:0.6", "telephone", "length:2", "length:1", "length:0.5"),
        ],
        "testing.augmented": False,
        "baselines.gaps": False,
        **_only("selection"),
    },
    "full": {"finetuning.folds": 0},
    "complete": {  # what time forbids in full: networks five times and on new speakers, fine-tuning, long searches
        "training.seeds": 5,
        "joint_finetuning.train": True,
        "baselines.honest_networks": True,
        "ablations.long_searches": True,
        "controls.network_shuffles": 10,
    },
}
