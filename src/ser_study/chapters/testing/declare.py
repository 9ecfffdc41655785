"""Which systems chapter 07 tests: a classical one, a small and a large encoder, all linear and all in the benchmark.

Conventions
-----------
Every system is tuned inside and fitted anew for each fold of speakers, so whatever a clip is tested for, its speaker
was never heard. The two larger systems are left out where their weights cannot be had.
"""

from __future__ import annotations

from collections.abc import Mapping

from ser_study import features
from ser_study.config import Config
from ser_study.experiments.experiment import Experiment
from ser_study.study import Study

PROTOCOL = "speaker_independent"
MODEL = "lda"
MIN_SPEAKERS = 3  # one in test, one in validation, one in training
TITLES: Mapping[str, str] = {
    "classical": "hand-crafted features",
    "small": "one encoder",
    "large": "two encoders",
}


def features_of(config: Config) -> dict[str, str]:
    """Key of ``TITLES`` → feature, whether or not its weights are here."""
    return {"classical": config.ladder.feature, "small": "campplus", "large": "campplus+moonshine"}


def systems(study: Study) -> dict[str, dict[str, Experiment]]:
    """Selection → key of ``TITLES`` → experiment, for every selection that allows a test on new speakers."""
    encoders = study.config.benchmark.encoders
    here = {
        kind: feature
        for kind, feature in features_of(study.config).items()
        if not features.is_pretrained(feature)
        or (feature in encoders and not features.unavailable(feature, study.config))
    }
    return {
        name: {kind: Experiment(name, PROTOCOL, feature, MODEL) for kind, feature in here.items()}
        for name, allowed in study.possible.items()
        if PROTOCOL in allowed
    }
