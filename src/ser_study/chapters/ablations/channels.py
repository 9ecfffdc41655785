"""Does song help to recognise speech? The same actors' clips of one channel, of the other, and of both for training.

E002 trained on RAVDESS's speech and song together. Here the *validation* speakers of the speaker folds are scored,
who are in no training set, in neither channel. Only the six emotions that are both spoken and sung take part. Each
row is set against training on the scored channel alone, see ``validation``. "Both" has about twice the training
clips: nothing is cut to one size, since E002 added song in order to have more.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from ser_study import features
from ser_study.chapters.ablations import validation
from ser_study.chapters.ablations.validation import PROTOCOL
from ser_study.experiments.experiment import Experiment
from ser_study.study import Study
from ser_study.wording import word

CHANNELS = ("ravdess-speech", "ravdess-song")
SYSTEMS = (("means180", "logistic"), ("campplus", "logistic"))  # E002's features, and the encoder
SCHEME = "6_sung"
BOTH = "both"
COLUMNS = ("corpus", "feature", "model", "trained_on", *validation.COLUMNS[3:])


def declared(study: Study, systems: Sequence[tuple[str, str]] = SYSTEMS) -> list[Experiment]:
    """Every channel scored after training on itself, on the other and on both; none where a channel is absent."""
    if not set(CHANNELS) <= set(study.selections):
        return []
    return [
        Experiment(target, PROTOCOL, feature, model, SCHEME, sources)
        for target, other in (CHANNELS, CHANNELS[::-1])
        for feature, model in systems
        if not features.unavailable(feature, study.config)
        for sources in ((target,), (other,), CHANNELS)
    ]


def table(study: Study, systems: Sequence[tuple[str, str]] = SYSTEMS) -> pd.DataFrame:
    """UAR on validation speakers and the change against the own channel (``COLUMNS``); empty where switched off."""
    experiments = declared(study, systems) if study.config.ablations.channels else []
    predictions = study.predict_validation(experiments)
    tables = []
    for target in dict.fromkeys(one.selection for one in experiments):
        own = {one: predictions[one] for one in experiments if one.selection == target}
        references = {one: _own_channel(one) for one in own}
        clips, stream = study.selections[target].clips, f"channels/{target}"
        part = validation.changes(own, references, clips, stream=stream, config=study.config)
        tables.append(part.assign(trained_on=[_sources(one) for one in own]))
    return pd.concat(tables, ignore_index=True)[list(COLUMNS)] if tables else pd.DataFrame(columns=list(COLUMNS))


def _own_channel(one: Experiment) -> Experiment:
    """The same, trained on the scored channel only."""
    return Experiment(one.selection, one.protocol, one.feature, one.model, one.scheme, (one.selection,))


def _sources(one: Experiment) -> str:
    return BOTH if len(one.sources) > 1 else word(one.sources[0])
