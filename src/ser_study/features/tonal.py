"""Tonal centroids ("tonnetz") by way of a constant-Q transform.

The transform has 36 bins an octave over seven octaves from C1 and is made as librosa makes it (Schörkhuber and
Klapuri, 2010): the top octave is read from the spectrum of each frame with one bank of filters, the signal is halved
in rate, and the same bank reads the next octave. Here the bank is built once for each tuning (there are 100) instead
of seven times a clip, and only the bins it reads are multiplied; the values equal librosa 0.11's.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft

from ser_study.audio import prepare
from ser_study.features import filters, pitch
from ser_study.features.frames import Analysis

_N_OCTAVES, _BINS = 7, 36  # bins of an octave
_LOWEST = 440.0 * 2.0 ** ((24 - 69) / 12)  # Hz: C1, MIDI note 24, in equal temperament from A = 440 Hz
_REACH = 1.02  # highest filter's upper edge above the top of the octaves, at any tuning
_UNREAD = 0.01  # share of a filter's spectrum that may be left out
_TINY = np.finfo(np.float32).tiny


def tonnetz(analysis: Analysis) -> np.ndarray:
    """Tonal centroid of each frame, equal to ``librosa.feature.tonnetz(y=signal)``.

    E002 takes them of the whole signal, not of its harmonic part.

    Parameters
    ----------
    analysis : of frames with a hop that 64 divides, at a sample rate from about 8.4 to 33 kHz

    Returns
    -------
    float32 array, shape (t, 6); 0 in silent frames.

    Raises
    ------
    ValueError
        Sample rate or hop do not fit.
    """
    chroma = _chroma(_constant_q(analysis))
    total = np.abs(chroma).sum(axis=1, keepdims=True)
    return (chroma / np.where(total < _TINY, np.float32(1), total)) @ _directions()


def _constant_q(analysis: Analysis) -> np.ndarray:
    """Magnitudes, (t, 252), lowest bin first."""
    rate, hop = analysis.sample_rate, analysis.settings.hop_length
    top = _LOWEST * 2.0**_N_OCTAVES * _REACH
    if not (2 * top < rate < 8 * top) or hop % 2 ** (_N_OCTAVES - 1):
        raise ValueError(
            f"Tonal centroids need a sample rate between {2 * top:.0f} and {8 * top:.0f} Hz and a hop that "
            f"{2 ** (_N_OCTAVES - 1)} divides, found {rate} Hz and {hop}; change the audio section or the frames."
        )
    spectrum = analysis.magnitude
    tuning = pitch.tuning(spectrum, sample_rate=rate, n_fft=analysis.settings.n_fft, bins_per_octave=_BINS)
    n_fft, bins, bank = _bank(rate, tuning)
    signal, octaves = analysis.signal, []
    for octave in range(_N_OCTAVES):
        if octave:  # twice the power, so that a tone keeps the size of its coefficient
            signal = prepare.resample(signal, sample_rate=2, target=1) * np.float32(np.sqrt(2))
        windows = np.lib.stride_tricks.sliding_window_view(np.pad(signal, n_fft // 2), n_fft)[:: hop >> octave]
        response = scipy.fft.rfft(windows, axis=1)[:, bins] @ bank
        octaves.append(np.abs(response) * np.float32(2 ** (octave / 2)))
    n_frames = min(map(len, octaves))
    scale = np.sqrt(2.0 ** np.arange(_N_OCTAVES))  # filters of a lower octave are twice as long
    return np.hstack([part[:n_frames] / np.float32(by) for part, by in zip(octaves[::-1], scale[::-1])])


def _chroma(magnitude: np.ndarray) -> np.ndarray:
    """Pitch classes from C on: three bins each, over all octaves; 1 for the strongest, (t, 252) → (t, 12)."""
    octave = magnitude.reshape(len(magnitude), _N_OCTAVES, _BINS).sum(axis=1)
    width = _BINS // filters.N_CHROMA
    classes = np.roll(octave, width // 2, axis=1).reshape(len(octave), filters.N_CHROMA, width).sum(axis=2)
    strongest = classes.max(axis=1, keepdims=True)
    return classes / np.where(strongest < _TINY, np.float32(1), strongest)


@functools.lru_cache(maxsize=128)  # there are 100 tunings; a bank is about 30 kB
def _bank(sample_rate: int, tuning: float) -> tuple[int, slice, np.ndarray]:
    """Frame length, bins read and filters of the top octave, (bins, 36) complex64, over the root of their lengths."""
    steps = np.arange(_BINS) / _BINS
    frequencies = _LOWEST * 2.0 ** (_N_OCTAVES - 1 + tuning / _BINS + steps)
    ratio = 4.0 ** (1 / _BINS)
    quality = (ratio + 1) / (ratio - 1)
    lengths = quality * sample_rate / frequencies
    n_fft = 2 ** int(np.ceil(np.log2(lengths.max())))
    waves = np.zeros((_BINS, n_fft), np.complex64)
    for wave, frequency, length in zip(waves, frequencies, lengths):
        time = np.arange(-length // 2, length // 2)
        window = filters.hann(len(time))
        start = (n_fft - len(time)) // 2
        wave[start : start + len(time)] = window / window.sum() * np.exp(2j * np.pi * time * frequency / sample_rate)
    waves *= (np.sqrt(lengths) / n_fft)[:, None]
    spectra = scipy.fft.fft(waves, axis=1)[:, : n_fft // 2 + 1]
    size = np.abs(spectra)
    ordered = np.sort(size, axis=1)
    unread = np.argmin(np.cumsum(ordered / size.sum(axis=1, keepdims=True), axis=1) < _UNREAD, axis=1)
    spectra[size < ordered[np.arange(_BINS), unread][:, None]] = 0
    used = np.flatnonzero(spectra.any(axis=0))
    bins = slice(int(used[0]), int(used[-1]) + 1)
    return n_fft, bins, np.ascontiguousarray(spectra[:, bins].T)


@functools.lru_cache(maxsize=1)
def _directions() -> np.ndarray:
    """Pitch classes on the three circles, (12, 6): Harte, Sandler and Gasser (2006)."""
    turns = np.outer(np.arange(filters.N_CHROMA), [7 / 6, 7 / 6, 3 / 2, 3 / 2, 2 / 3, 2 / 3])
    turns[:, ::2] -= 0.5  # a sine every second
    return (np.cos(np.pi * turns) * [1, 1, 1, 1, 0.5, 0.5]).astype(np.float32)
