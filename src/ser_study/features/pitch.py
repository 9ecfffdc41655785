"""Tuning of a spectrum, and fundamental frequency by autocorrelation.

Both read the spectrum that is there already: the autocorrelation of a windowed frame is the inverse
transform of its power spectrum.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft

from ser_study.features.filters import N_CHROMA, hann

_TUNING_BAND = (150.0, 4000.0)  # Hz
_TUNING_THRESHOLD = 0.1  # of the frame's largest magnitude
_TUNING_EDGES = np.linspace(-0.5, 0.5, 101)  # semitones
_OCTAVE_COST = 0.03  # taken from a candidate's strength for each octave it lies lower
_LOWEST_BIN = 2  # below it the window spreads the clip's offset (0 Hz)


def tuning(spectrum: np.ndarray, *, sample_rate: int, n_fft: int, bins_per_octave: int = N_CHROMA) -> float:
    """Deviation of the spectral peaks from A = 440 Hz, in bins (semitones) from -0.5 to 0.49 in steps of 0.01.

    The same answer as ``librosa.estimate_tuning(S=spectrum)`` for a fraction of the work: only bins between
    150 and 4000 Hz are looked at, and peaks are interpolated where they are instead of everywhere.

    Parameters
    ----------
    spectrum : float32 array, shape (t, bins), magnitude or power
    sample_rate : Hz
    n_fft : samples
    bins_per_octave : 12 measures in semitones

    Returns
    -------
    float; 0.0 when there is no peak.
    """
    low, high = (frequency * n_fft / sample_rate for frequency in _TUNING_BAND)
    first, last = max(1, int(np.ceil(low))), min(int(np.ceil(high)), spectrum.shape[1] - 1)
    here, below, above = spectrum[:, first:last], spectrum[:, first - 1 : last - 1], spectrum[:, first + 1 : last + 1]
    loud = np.float32(_TUNING_THRESHOLD) * spectrum.max(axis=1, keepdims=True)
    peaks = np.flatnonzero((here > below) & (here >= above) & (here > loud))
    if not len(peaks):
        return 0.0
    frame, bin_ = np.divmod(peaks, last - first)
    height, left, right = (part[frame, bin_] for part in (here, below, above))
    curve, lean = right + left - 2 * height, (right - left) / 2
    shift = np.where(np.abs(lean) >= np.abs(curve), 0, -lean / np.where(curve == 0, 1, curve)).astype(np.float32)
    pitch = ((bin_ + first + shift) * float(sample_rate) / n_fft).astype(np.float32)
    height = height + np.float32(0.5) * lean * shift
    notes = bins_per_octave * np.log2(pitch[height >= np.median(height)] / (440.0 / 16))
    residual = np.mod(notes, 1.0)
    residual[residual >= 0.5] -= 1.0
    counts = np.diff(np.searchsorted(np.sort(residual), _TUNING_EDGES))
    return float(_TUNING_EDGES[counts.argmax()])


def autocorrelation_pitch(
    power: np.ndarray, *, sample_rate: int, n_fft: int, lowest: float, highest: float
) -> tuple[np.ndarray, np.ndarray]:
    """Best period of each frame, and how periodic the frame is.

    Boersma's method (1993): the autocorrelation of the windowed frame over that of the window, its
    highest peak between the two limits found by a parabola, with a small cost for lower octaves.

    Parameters
    ----------
    power : float32 array, shape (t, n_fft // 2 + 1), of Hann-windowed frames
    sample_rate : Hz
    n_fft : samples
    lowest, highest : limits of the fundamental frequency, Hz

    Returns
    -------
    frequency : float32 array, shape (t,), Hz; 0 where no peak lies between the limits
    strength : float32 array, shape (t,), 0 (noise, silence) to 1 (periodic)

    Raises
    ------
    ValueError
        The limits do not fit the sample rate or the frame.
    """
    shortest, longest = int(sample_rate / highest), int(np.ceil(sample_rate / lowest))
    if not (2 <= shortest < longest <= n_fft // 2 - 1):
        raise ValueError(
            f"F0 from {lowest:g} to {highest:g} Hz means periods of {shortest} to {longest} samples "
            f"at {sample_rate} Hz; a frame of {n_fft} allows 2 to {n_fft // 2 - 1}. "
            "Raise frames.f0_min or frames.n_fft."
        )
    correlation = _normalised_autocorrelation(power, n_fft=n_fft, n_lags=longest + 2)
    lags = np.arange(shortest, longest + 1)
    left, here, right = (correlation[:, shortest + step : longest + 1 + step] for step in (-1, 0, 1))
    cost = (_OCTAVE_COST * np.log2(lags * (lowest / sample_rate))).astype(np.float32)
    is_peak = (here > left) & (here >= right) & (here > 0)
    score = np.where(is_peak, np.minimum(here, 1) - cost, -np.inf)
    best = score.argmax(axis=1)
    rows = np.arange(len(power))
    before, peak, after = (part[rows, best] for part in (left, here, right))
    curve = before - 2 * peak + after  # < 0 at a peak
    shift = np.where(curve < 0, 0.5 * (before - after) / np.where(curve < 0, curve, 1), 0)
    has_peak = is_peak[rows, best]
    frequency = np.where(has_peak, sample_rate / (lags[best] + shift), 0)
    strength = np.where(has_peak, np.clip(peak - 0.25 * (before - after) * shift, 0, 1), 0)
    return frequency.astype(np.float32), strength.astype(np.float32)


def _normalised_autocorrelation(power: np.ndarray, *, n_fft: int, n_lags: int) -> np.ndarray:
    """Autocorrelation over that of the window, 1 at lag 0; zeros for a silent frame. Shape (t, n_lags)."""
    power = power.copy()
    power[:, :_LOWEST_BIN] = 0
    correlation = scipy.fft.irfft(power, n=n_fft, axis=-1)[:, :n_lags]
    energy = correlation[:, :1]
    return np.divide(correlation, energy * _window_autocorrelation(n_fft)[:n_lags], where=energy > 0, out=correlation)


@functools.lru_cache(maxsize=16)
def _window_autocorrelation(n_fft: int) -> np.ndarray:
    circular = scipy.fft.irfft(np.abs(scipy.fft.rfft(hann(n_fft))) ** 2)
    return (circular / circular[0]).astype(np.float32)
