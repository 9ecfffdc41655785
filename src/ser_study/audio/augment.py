"""Altered copies of a clip: variant 1 adds noise, variant 2 changes speed and with it pitch."""

from __future__ import annotations

import zlib

import numpy as np

from ser_study.schema import Signal

VERSION = 1
NOISE = 0.03  # largest noise amplitude, share of the clip's peak (seed 001)
SPEED = (0.9, 1.1)  # range of the speed factor


def variant(signal: Signal, sample_rate: int, number: int, *, seed: str) -> Signal:
    """Variant ``number`` of a clip; the same seed gives the same samples.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    number : 1 (noise) or 2 (speed)
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


_VARIANTS = {1: noise, 2: speed}
