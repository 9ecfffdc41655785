"""Whether a recording is like those that a recogniser was fitted on, and a sentence for each way in which it is not.

Conventions
-----------
The limits are what few clips of the corpora are beyond. Of 80 random ones each of CREMA-D, RAVDESS, TESS and EMO-DB
(``pytest tests/benchmarks/test_conditions.py -s``) speech has −61 to −12 dBFS, in 5 % less than −41; at most 0.006 %
of the samples are at the peak; the power above 4 kHz is −34 dB of all or more; there are 0.6 to 4.9 s of speech; and
in 5 % it is less than 12 dB over the noise. The limits warn; nothing is refused by them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.fft

from ser_study.audio.activity import Levels

QUIET = -56.0  # dBFS, of speech
CLIPPED = 1e-3  # share of the samples that are as large as the largest
AT_PEAK = 0.999  # of the peak
NARROW = -36.0  # dB, power above ``SPLIT`` over all
SPLIT = 4_000.0  # Hz, what a telephone ends below
NOISY = 10.0  # dB of speech over noise
SHORT, LONG = 0.5, 6.0  # s of speech judged at once
SAME = 1e-4  # energy of the difference of two channels over that of both: 40 dB below
FRAME, EVERY = 0.032, 0.25  # s, of the long-term spectrum

LIMITS = (
    "Which language is spoken, and whether feelings are acted or felt, is unknown to the recogniser; it was fitted on "
    "acted speech."
)


@dataclass
class Survey:
    """What one pass over a recording measures, in constant memory; arrays have one value a channel."""

    sample_rate: int  # Hz
    n_channels: int
    n_samples: int = 0

    def __post_init__(self):
        self.peak, self.at_peak = np.zeros(self.n_channels), np.zeros(self.n_channels, int)
        self._energy, self._difference = np.zeros(self.n_channels), 0.0
        self._below, self._above = np.zeros(self.n_channels), np.zeros(self.n_channels)

    def add(self, block: np.ndarray) -> None:
        """Take a block, float32 (s, channels)."""
        self.n_samples += len(block)
        energy = np.einsum("sc,sc->c", block, block)
        if not np.isfinite(energy).all():
            return  # no recording: whoever reads the blocks refuses it at the end
        self._energy += energy
        if self.n_channels == 2:
            difference = block[:, 0] - block[:, 1]
            self._difference += float(difference @ difference)
        size = np.abs(np.ascontiguousarray(block.T))
        highest = size.max(axis=1)
        self.at_peak[highest > self.peak / AT_PEAK] = 0
        self.peak = np.maximum(self.peak, highest)
        self.at_peak += np.count_nonzero(size >= AT_PEAK * np.maximum(self.peak, 1e-9)[:, None], axis=1)
        self._add_spectrum(block)

    def _add_spectrum(self, block: np.ndarray) -> None:
        length, hop = round(FRAME * self.sample_rate), round(EVERY * self.sample_rate)
        if len(block) < length:
            block = np.pad(block, ((0, length - len(block)), (0, 0)))
        frames = np.lib.stride_tricks.sliding_window_view(block, length, axis=0)[::hop]  # (t, channels, length)
        power = np.abs(scipy.fft.rfft(frames * np.hanning(length).astype(np.float32), axis=2)) ** 2
        split = max(1, round(SPLIT * length / self.sample_rate))
        self._below += power[:, :, 1:split].sum(axis=(0, 2))
        self._above += power[:, :, split:].sum(axis=(0, 2))

    @property
    def seconds(self) -> float:
        """Length of the recording."""
        return self.n_samples / self.sample_rate

    @property
    def same(self) -> bool:
        """Whether there are two channels that hold the same, or nearly so."""
        return self.n_channels == 2 and self._difference <= SAME * self._energy.sum()

    @property
    def clipped(self) -> np.ndarray:
        """Share of samples as large as the largest."""
        return self.at_peak / max(1, self.n_samples)

    @property
    def treble(self) -> np.ndarray:
        """Power above ``SPLIT`` over all, in dB."""
        total = self._below + self._above
        share = np.divide(self._above, total, out=np.zeros(self.n_channels), where=total > 0)
        return 10 * np.log10(np.maximum(share, 1e-12))


def standing(card: Mapping[str, Any]) -> str:
    """What holds for every recording: what the recogniser cannot know and, where its card says so, how many of its
    answers on a corpus that it knew nothing of were right."""
    known = [one["accuracy"] for one in card.get("answered_of_unknown_corpus", {}).values() if one["accuracy"]]
    if not known:
        return LIMITS
    least, most = (f"{100 * share:.0f}" for share in (min(known), max(known)))
    return f"{LIMITS} On corpora that it knew nothing of, {least} to {most} % of its answers were right."


def warnings_of(
    survey: Survey, channel: int, levels: Levels, *, distance: float, card: Mapping[str, Any], at_once: bool
) -> list[str]:
    """In which ways a channel with speech is unlike the training data, a sentence each.

    Parameters
    ----------
    channel : its column in the survey
    levels : of its frames
    distance : of its features from those of the training clips
    card : of the recogniser; ``{"distance": {"limit": …}}`` is what few training clips exceed, and may be missing
    at_once : whether all speech was judged as one clip
    """
    sentences = []
    if levels.level < QUIET:
        sentences.append(f"Speech is very quiet: {_db(levels.level)} dBFS; few clips were below {QUIET:.0f} dBFS.")
    if (clipped := survey.clipped[channel]) > CLIPPED:
        sentences.append(f"It is clipped: {clipped:.1%} of the samples are as large as the largest. Record it quieter.")
    if (treble := survey.treble[channel]) < NARROW:
        what = f"{_db(treble)} dB" if treble > -90 else "nothing"
        sentences.append(
            f"Its band is narrow, as of a telephone: above {SPLIT / 1000:g} kHz there is {what} of its power."
        )
    if levels.snr < NOISY:
        sentences.append(f"It is noisy: speech is about {levels.snr:.0f} dB above the noise; {NOISY:.0f} dB is little.")
    if levels.speech < SHORT:
        sentences.append(f"There is little speech: {levels.speech:.1f} s; clips had {SHORT:g} s or more.")
    elif at_once and levels.speech > LONG:
        sentences.append(f"It is long for one answer: {levels.speech:.1f} s of speech; clips had up to {LONG:g} s.")
    if (limit := _limit(card)) < distance:
        sentences.append(
            f"Its features are {distance:.2f} from those of the training clips; few clips exceed {limit:.2f}."
        )
    return sentences


def _limit(card: Mapping[str, Any]) -> float:
    known = card.get("distance")
    limit = known.get("limit") if isinstance(known, Mapping) else None
    return float(limit) if type(limit) in (int, float) else math.inf


def _db(value: float) -> str:
    return f"{value:.0f}".replace("-", "−")
