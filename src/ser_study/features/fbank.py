"""Kaldi's filterbank, the input of speaker networks, in NumPy.

It differs from the log-mel images of ``frames`` in every detail that a trained network is used to: whole frames
only, each without its mean, pre-emphasised and under a Povey window; triangles in mel, not in Hz; natural log.
Source: Povey et al. 2011, The Kaldi speech recognition toolkit (``compute-fbank-feats``, no dither).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft

from ser_study.schema import Signal

FRAME, HOP = 0.025, 0.010  # s
PREEMPHASIS = 0.97
LOWEST = 20.0  # Hz; the highest is half the sampling rate
FLOOR = 1.19e-07  # of an energy before the log (the rounding unit of 32-bit numbers, as it was published)


def fbank(signal: Signal, sample_rate: int, *, n_mels: int = 80, scale: float = 1.0) -> np.ndarray:
    """Log energies of a mel filterbank.

    Parameters
    ----------
    signal : float array, shape (s,); one shorter than a frame is filled with zeros to one
    sample_rate : Hz
    n_mels : bands between 20 Hz and half the sampling rate
    scale : factor on the samples; Kaldi itself computes on 16-bit numbers (32768)

    Returns
    -------
    float32 array, shape (t, n_mels); t = 1 + (s - 0.025 f) // (0.010 f) whole frames, nothing padded.
    """
    length, hop = round(FRAME * sample_rate), round(HOP * sample_rate)
    signal = np.asarray(signal, dtype=np.float64) * scale  # double: near the floor single precision strays by 0.002
    signal = np.pad(signal, (0, max(0, length - len(signal))))
    frames = np.lib.stride_tricks.sliding_window_view(signal, length)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True)
    before = np.concatenate([frames[:, :1], frames[:, :-1]], axis=1)
    frames = (frames - PREEMPHASIS * before) * povey(length)
    n_fft = 1 << (length - 1).bit_length()
    power = np.abs(scipy.fft.rfft(frames, n_fft, axis=1)) ** 2
    return np.log(np.maximum(power @ triangles(n_mels, n_fft, sample_rate), FLOOR)).astype(np.float32)


def limits(sample_rate: int, n_groups: int) -> np.ndarray:
    """Frequencies in Hz, (n_groups + 1,), between equal groups of neighbouring bands, whatever their number."""
    edges = np.linspace(_mel(LOWEST), _mel(sample_rate / 2), n_groups + 1)
    return 700.0 * np.expm1(edges / 1127.0)


@lru_cache(maxsize=4)
def povey(length: int) -> np.ndarray:
    """A symmetric Hann window to the power 0.85, shape (length,)."""
    return np.hanning(length) ** 0.85


@lru_cache(maxsize=4)
def triangles(n_mels: int, n_fft: int, sample_rate: int) -> np.ndarray:
    """Weights of each bin in each band, shape (n_fft / 2 + 1, n_mels); straight flanks in mel."""
    edges = np.linspace(_mel(LOWEST), _mel(sample_rate / 2), n_mels + 2)
    left, centre, right = edges[:-2], edges[1:-1], edges[2:]
    bins = _mel(np.arange(n_fft // 2 + 1) * sample_rate / n_fft)[:, None]
    weights = np.minimum((bins - left) / (centre - left), (right - bins) / (right - centre))
    weights[-1] = 0.0  # Kaldi leaves the bin at half the sampling rate out
    return np.maximum(weights, 0.0)


def _mel(frequency: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(frequency) / 700.0)
