"""What an experiment is: one row that says what is trained and scored, and how."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from ser_study import config as settings
from ser_study.config import unknown

COPYING_LEAKS = ("augment_before_split", "duplicate_before_split")  # made by the folds, which are random ones
LEAKS = (*COPYING_LEAKS, "scale_on_all", "select_on_test")
BY_SPEAKER = ("speaker_independent", "leave_one_speaker_out")  # protocols of new speakers
LATER = ("others", "clips")  # fields that came later; empty, they are no part of a declaration, so that old hashes hold


@dataclass(frozen=True)
class Experiment:
    """One row of the study.

    ``selection`` is what is scored (a corpus or a part of one); ``sources`` what is trained on where
    that is something else: other corpora or, on new speakers, other recordings of the training speakers.
    ``others`` are other corpora, some or all of which join the training clips, as inner folds choose.
    ``leak`` names a declared leak: copies made before the split, a scaler fitted on test clips too, or hyperparameters
    chosen by the score on the test clips. ``size`` is the number of distinct training clips of a fold (0: all), drawn
    ``draws`` times. ``fixed`` takes the hyperparameters of the settings and chooses nothing, so that
    protocols differ in nothing else.
    """

    selection: str
    protocol: str
    feature: str
    model: str
    scheme: str = "native"
    sources: tuple[str, ...] = ()
    fixed: bool = False
    size: int = 0
    draws: int = 1
    leak: str = ""  # one of ``LEAKS``
    shuffle: str = ""  # "within_speaker" or "global": labels permuted anew in each draw
    train_speakers: int = 0  # 0: all
    variants: tuple[int, ...] = ()  # augmented copies of the training clips; never of validation or test clips
    treatment: str = ""  # another preparation of the signal, a key of ``audio.signal.TREATMENTS``
    others: tuple[str, ...] = ()
    clips: int = 0  # at most so many of the selection, see ``selections.sample``; 0: all

    def __post_init__(self) -> None:
        if self.leak and self.leak not in LEAKS:
            raise ValueError(unknown("leak", self.leak, LEAKS))

    @property
    def name(self) -> str:
        """Readable, with only what differs from the defaults; the number of draws is no part of it."""
        parts = [self.selection, self.protocol, self.feature, self.model]
        if self.scheme != "native":
            parts.append(self.scheme)
        if self.sources:
            parts.append("from-" + "+".join(self.sources))
        if self.others:
            parts.append("beside-" + "+".join(self.others))
        parts += ["fixed"] * self.fixed + [f"n{self.size}"] * bool(self.size) + [self.leak] * bool(self.leak)
        parts += [f"shuffled-{self.shuffle}"] * bool(self.shuffle)
        parts += [f"{self.train_speakers}-speakers"] * bool(self.train_speakers)
        parts += ["with-variants-" + "+".join(map(str, self.variants))] * bool(self.variants)
        parts += [self.treatment] * bool(self.treatment) + [f"{self.clips}-clips"] * bool(self.clips)
        return "/".join(parts)

    def declaration(self) -> dict[str, Any]:
        """All fields, as plain values, without those of ``LATER`` that are empty."""
        return {name: value for name, value in dataclasses.asdict(self).items() if value or name not in LATER}

    @property
    def digest(self) -> str:
        """Fingerprint of the declaration; a changed declaration is another experiment."""
        return settings.fingerprint(self.declaration())[:12]
