"""Augmentation: altered variants of a clip, by number.

1 noise · 2 speed, and with it pitch · 3 time-stretch then pitch shift (E001) · 4 circular shift (E001
defines it) · 5 pitch alone · 6 stretch alone. A variant is labelled as its clip; only training rows may hold variants.
"""

from __future__ import annotations

import warnings
import zlib

import numpy as np

from ser_study.schema import Signal

VERSION = 1
NOISE = 0.03  # largest noise amplitude, share of the clip's peak (E001)
SPEED = (0.9, 1.1)  # range of the speed factor
STRETCH = 0.75  # rate of the time-stretch: a clip becomes a third longer (E001)
PITCH = 0.8  # semitones upwards (E001)
SHIFT = 5_000 / 22_050  # s; E001's ±5, in the customary thousands of samples at its 22,050 Hz
TITLES = {
    1: "noise",
    2: "speed",
    3: "stretch and pitch",
    4: "shift",
    5: "pitch",
    6: "stretch",
}


def variant(signal: Signal, sample_rate: int, number: int, *, seed: str) -> Signal:
    """Variant ``number`` of a clip; the same seed gives the same samples.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    number : a key of ``TITLES``
    seed : any text, for example the hash of the clip

    Raises
    ------
    ValueError
        There is no such variant.
    """
    if number not in _VARIANTS:
        raise ValueError(f"Augmentation variant {number} does not exist; known: {sorted(_VARIANTS)}.")
    random = np.random.default_rng(zlib.crc32(f"{seed}/{number}".encode()))
    return _VARIANTS[number](signal, sample_rate, random).astype(np.float32)


def noise(signal: Signal, sample_rate: int, random: np.random.Generator) -> Signal:
    """Add white noise of a random amplitude, at most ``NOISE`` of the peak."""
    amplitude = NOISE * random.uniform() * np.abs(signal).max(initial=0.0)
    return signal + amplitude * random.standard_normal(len(signal))


def speed(signal: Signal, sample_rate: int, random: np.random.Generator) -> Signal:
    """Play faster or slower by a random factor in ``SPEED``; pitch moves along."""
    import soxr

    factor = random.uniform(*SPEED)
    return soxr.resample(signal, sample_rate * factor, sample_rate)


def stretch_pitch(signal: Signal, sample_rate: int, random: np.random.Generator) -> Signal:
    """Stretch, then shift the pitch, by fixed amounts as E001 does: no randomness.

    Each of the two passes through the phase vocoder also costs speech about 3 dB.
    """
    return pitch(stretch(signal, sample_rate, random), sample_rate, random)


def shift(signal: Signal, sample_rate: int, random: np.random.Generator) -> Signal:
    """Move in time by at most ``SHIFT`` either way; what leaves at one end comes in at the other."""
    return np.roll(signal, round(random.uniform(-SHIFT, SHIFT) * sample_rate))


def pitch(signal: Signal, sample_rate: int, random: np.random.Generator) -> Signal:
    """Raise the pitch by ``PITCH`` semitones, same length (``librosa.effects.pitch_shift``)."""
    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")  # a clip shorter than one frame
        return librosa.effects.pitch_shift(signal, sr=sample_rate, n_steps=PITCH)


def stretch(signal: Signal, sample_rate: int, random: np.random.Generator) -> Signal:
    """Slow down to ``STRETCH`` of the speed, same pitch (``librosa.effects.time_stretch``)."""
    import librosa

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="n_fft=.* is too large")
        return librosa.effects.time_stretch(signal, rate=STRETCH)


_VARIANTS = {1: noise, 2: speed, 3: stretch_pitch, 4: shift, 5: pitch, 6: stretch}
