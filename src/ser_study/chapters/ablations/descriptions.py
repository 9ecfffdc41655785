"""Every way to describe a clip, the students' and ours, under one model, on validation speakers.

No test row is read. The encoder with random weights is the control of the encoders: any network of that shape would
score as much.
"""

from __future__ import annotations

import pandas as pd

from ser_study import features
from ser_study.chapters.ablations.validation import PROTOCOL, compared
from ser_study.evaluation import metrics
from ser_study.experiments.experiment import Experiment
from ser_study.study import Study

MODEL = "logistic"
CONTROL = "campplus_random"
FEATURES = (
    *("statistics32", "statistics51", "statistics51_raw", "means180", "means184", "means186"),
    *("contrast", "fbank", "plp", "spectral_shapes", "summary", "egemaps", "compare"),
    *("vgg16", "vgg16_mfcc", "vgg16_contrast", CONTROL, "campplus_block1"),
    *("campplus", "campplus_block3", "campplus_embedding", "moonshine_layer2", "moonshine", "smart_turn"),
)
COLUMNS = ["corpus", "feature", "title", "dimensions", "uar_validation", "n"]


def declared(study: Study) -> list[Experiment]:
    """Logistic regression on every feature that can be had here, on the first selection that is compared."""
    return [
        Experiment(selection, PROTOCOL, name, MODEL)
        for selection in compared(study)[:1]
        for name in FEATURES
        if not features.unavailable(name, study.config)
    ]


def table(study: Study) -> pd.DataFrame:
    """Dimensions and UAR on validation speakers of every feature, the best first (``COLUMNS``); empty if off."""
    if not study.config.ablations.descriptions:
        return pd.DataFrame(columns=COLUMNS)
    study = study.with_audio()
    rows = []
    for one, predictions in study.predict_validation(declared(study)).items():
        clips = study.selections[one.selection].clips.head(1)
        values = features.load(one.feature, clips, config=study.config, store=study.store).values
        head = {"corpus": one.selection, "feature": one.feature, "title": features.get(one.feature).title}
        head |= {"dimensions": values.shape[-1], "uar_validation": metrics.uar_of(predictions)}
        rows.append(head | {"n": predictions["clip_id"].nunique()})
    scores = pd.DataFrame(rows, columns=COLUMNS)
    return scores.sort_values("uar_validation", ascending=False, kind="stable", ignore_index=True)


def is_trained(feature: str) -> bool:
    """Whether a feature comes from a network that was trained on other data."""
    return bool(features.get(feature).weights)
