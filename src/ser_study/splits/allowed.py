"""Which protocols a set of clips allows, and why not the others: units that are unknown, folds that teach nothing."""

from __future__ import annotations

import pandas as pd

from ser_study.config import Config
from ser_study.splits import protocols

FEW = 1000  # clips; folds of fewer are made on trial, more feed every fold that the units allow
_BY_SPEAKER = ("speaker_independent", "speaker_and_sentence", "leave_one_speaker_out")


def possible(clips: pd.DataFrame, config: Config) -> list[str]:
    """Names of the protocols that these clips allow, in the order of the registry (``fixed`` apart)."""
    out = impossible(clips, config)
    return [name for name, chosen in protocols.PROTOCOLS.items() if chosen.make is not None and name not in out]


def impossible(clips: pd.DataFrame, config: Config) -> dict[str, str]:
    """Protocol → why these clips do not allow it, as a sentence.

    Parameters
    ----------
    clips : clips table of one selection; ``emotion`` is the class
    config : settings; folds of few clips are made on trial
    """
    made = [name for name, chosen in protocols.PROTOCOLS.items() if chosen.make is not None]
    reasons = {name: why_not(clips, name, config) for name in made}
    return {name: why for name, why in reasons.items() if why}


def why_not(clips: pd.DataFrame, protocol: str, config: Config) -> str:
    """Why these clips do not allow one protocol, as a sentence; empty where they do; see ``impossible``."""
    why = protocols.lacks(clips, protocols.get(protocol)) or _by_one_speaker(clips, protocol)
    if not why and len(clips) < FEW and protocol != "cross_corpus":
        why = _unfed(clips, protocol, config)
    return why


def _by_one_speaker(clips: pd.DataFrame, protocol: str) -> str:
    """Whether speaker and emotion are the same thing: then a new speaker says nothing that was learned."""
    speakers = clips.groupby("emotion")["speaker"].nunique()
    if protocol not in _BY_SPEAKER or (speakers > 1).any():
        return ""
    who = ", ".join(f"{emotion}: {name}" for emotion, name in clips.groupby("emotion")["speaker"].first().items())
    return f"Each emotion comes from one speaker ({who}), so a new speaker says none that was learned."


def _unfed(clips: pd.DataFrame, protocol: str, config: Config) -> str:
    """Why some fold of the protocol has too little to learn from."""
    try:
        folds = protocols.make(clips, protocol, classes=clips["emotion"], config=config)
    except ValueError as error:  # no training clip is left in some fold
        return str(error)
    emotion = folds["clip_id"].map(clips.set_index("clip_id")["emotion"])
    train = folds["role"] == "train"
    learned = emotion[train].groupby(folds["fold"]).nunique()
    if (learned < 2).any():
        return f"{int((learned < 2).sum())} of {len(learned)} folds would train on clips of one emotion."
    return ""
