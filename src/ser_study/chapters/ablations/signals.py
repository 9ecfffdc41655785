"""Two questions about the clips: does another preparation of the signal help on new speakers, and does augmentation?

Every row is set against the reference of its corpus, feature and model: clips as the study prepares them, training
clips without augmentation. See ``validation`` for the comparison.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pandas as pd

from ser_study.audio import signal
from ser_study.chapters.ablations import validation
from ser_study.chapters.ablations.validation import PROTOCOL, compared
from ser_study.experiments.experiment import Experiment
from ser_study.study import Study

REFERENCE = "reference"
AUGMENTATION: Mapping[str, tuple[int, ...]] = {  # variants that join the training clips
    "noise": (1,),
    "stretch and pitch": (3,),
    "shift": (4,),
    "pitch": (5,),
    "stretch": (6,),
    "noise, stretch and pitch": (1, 3),  # all of E001's
    "pitch, and stretch": (5, 6),  # E003's
}
CLAIMS = {"noise, stretch and pitch": ("E001", "helps"), "pitch, and stretch": ("E003", "hurts")}
SYSTEMS = (("means184", "forest"), ("summary", "logistic"))  # feature and model of the augmentation table
USED_BY = {  # which student project prepares its clips like this
    "rms strip": "E000",
    "trim 60 dB": "E001, E004",
    "rolling-sum cut": "E003",
    "pad centre": "E003",
    "first second": "E004",
    "noise reduction": "E004",
    "22.05 kHz": "E000, E001, E002",
    "44.1 kHz": "E004",
}
_SCORES = ("uar", *validation.STEP, "n", "n_speakers")
SIGNAL_COLUMNS = ("corpus", "treatment", "baselines", *_SCORES)
AUGMENTATION_COLUMNS = ("corpus", "feature", "model", "augmentation", "claim", *_SCORES, "n_train")


def declared_treatments(study: Study) -> list[Experiment]:
    """The reference and every treatment that differs from it, on the feature and model of the ladder."""
    config = study.config
    names = [name for name in signal.TREATMENTS if signal.treated(config, name).audio != config.audio]
    return [
        Experiment(selection, PROTOCOL, config.ladder.feature, config.ladder.model, treatment=name)
        for selection in compared(study)
        for name in ("", *names)
    ]


def declared_augmentation(study: Study) -> list[Experiment]:
    """The reference and every augmentation, on a forest of E001's features and on the system of the ladder."""
    return [
        Experiment(selection, PROTOCOL, feature, model, variants=variants)
        for selection in compared(study)
        for feature, model in SYSTEMS
        for variants in ((), *AUGMENTATION.values())
    ]


def treatments(study: Study) -> pd.DataFrame:
    """Ways to prepare a clip (``SIGNAL_COLUMNS``); empty where it is switched off or no selection allows it."""
    if not study.config.ablations.signal:
        return pd.DataFrame(columns=list(SIGNAL_COLUMNS))
    study = study.with_audio()
    return treatment_table(study, study.predict_validation(declared_treatments(study)))


def augmentation(study: Study) -> pd.DataFrame:
    """Augmented training clips (``AUGMENTATION_COLUMNS``); empty where switched off or no selection allows it."""
    if not study.config.ablations.augmentation:
        return pd.DataFrame(columns=list(AUGMENTATION_COLUMNS))
    study = study.with_audio()
    return augmentation_table(study, study.predict_validation(declared_augmentation(study)))


def treatment_table(study: Study, predictions: Mapping[Experiment, pd.DataFrame]) -> pd.DataFrame:
    """Predictions of ``declared_treatments``, each against the reference (``SIGNAL_COLUMNS``)."""
    table = changes(study, predictions)
    table["treatment"] = [one.treatment or REFERENCE for one in _by_selection(predictions)]
    return table.assign(baselines=table["treatment"].map(USED_BY).fillna(""))[list(SIGNAL_COLUMNS)]


def augmentation_table(study: Study, predictions: Mapping[Experiment, pd.DataFrame]) -> pd.DataFrame:
    """Predictions of ``declared_augmentation``, each against no augmentation (``AUGMENTATION_COLUMNS``)."""
    table = changes(study, predictions)
    names = {variants: name for name, variants in AUGMENTATION.items()} | {(): "none"}
    table["augmentation"] = [names[one.variants] for one in _by_selection(predictions)]
    claims = {name: f"{baseline}: {claim}" for name, (baseline, claim) in CLAIMS.items()}
    return table.assign(claim=table["augmentation"].map(claims).fillna(""))[list(AUGMENTATION_COLUMNS)]


def changes(study: Study, predictions: Mapping[Experiment, pd.DataFrame]) -> pd.DataFrame:
    """Every experiment against its reference (``validation.COLUMNS``), one selection after the other.

    Raises
    ------
    ValueError
        An experiment has no validation rows, or its reference was not predicted.
    """
    tables = [pd.DataFrame(columns=list(validation.COLUMNS))]
    for selection in dict.fromkeys(one.selection for one in predictions):
        own = {one: table for one, table in predictions.items() if one.selection == selection}
        references = {one: _reference_of(one, own) for one in own}
        options = {"stream": f"validation/{selection}", "config": study.config, "shared_clips": True}
        tables.append(validation.changes(own, references, study.selections[selection].clips, **options))
    return pd.concat(tables[1:], ignore_index=True) if len(tables) > 1 else tables[0]


def _by_selection(predictions: Mapping[Experiment, pd.DataFrame]) -> list[Experiment]:
    """The experiments in the order of ``changes``."""
    order = list(dict.fromkeys(one.selection for one in predictions))
    return sorted(predictions, key=lambda one: order.index(one.selection))


def _reference_of(one: Experiment, predicted: Mapping[Experiment, pd.DataFrame]) -> Experiment:
    reference = dataclasses.replace(one, treatment="", variants=())
    if reference not in predicted:
        raise ValueError(
            f"{one.name} has nothing to be compared with; predict the same without treatment or augmentation too."
        )
    return reference
