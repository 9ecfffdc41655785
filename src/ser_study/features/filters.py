"""Windows and filter banks, computed once per setting: Hann, mel (Slaney), chroma.

Each equals its librosa 0.11 counterpart with default options; the tests compare them. They live here so
that extracting features needs no librosa, whose import alone takes longer than many clips.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

N_CHROMA = 12
_GROUP = 12  # mel bands multiplied together; small enough to skip most zeros, large enough to keep BLAS busy


@dataclass(frozen=True, eq=False)
class BandGroup:
    """Some neighbouring mel bands and the only spectral bins they read."""

    bands: slice
    bins: slice
    weights: np.ndarray  # float32, (bins, bands)


@functools.lru_cache(maxsize=16)
def hann(n_samples: int) -> np.ndarray:
    """Periodic Hann window, float64, shape (n_samples,), to the last bit as SciPy computes it."""
    window = 0.5 + 0.5 * np.cos(np.linspace(-np.pi, np.pi, n_samples + 1))[:-1]
    return _locked(window)


@functools.lru_cache(maxsize=16)
def frequencies(sample_rate: int, n_fft: int) -> np.ndarray:
    """Centre of each spectral bin in Hz, float64, shape (n_fft // 2 + 1,)."""
    return _locked(np.fft.rfftfreq(n_fft, 1 / sample_rate))


@functools.lru_cache(maxsize=16)
def mel_bank(sample_rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Triangular mel filters from 0 Hz to half the sample rate, float32, shape (n_mels, n_fft // 2 + 1).

    Slaney's scale (linear below 1 kHz, logarithmic above) and his normalisation to equal area
    (Auditory Toolbox, 1998).
    """
    edges = _mel_to_hz(np.linspace(0, _hz_to_mel(sample_rate / 2), n_mels + 2))
    ramps = edges[:, None] - frequencies(sample_rate, n_fft)  # (n_mels + 2, bins)
    widths = np.diff(edges)[:, None]
    rising, falling = -ramps[:-2] / widths[:-1], ramps[2:] / widths[1:]
    area = 2 / (edges[2:] - edges[:-2])
    return _locked((np.maximum(0, np.minimum(rising, falling)) * area[:, None]).astype(np.float32))


@functools.lru_cache(maxsize=16)
def mel_groups(sample_rate: int, n_fft: int, n_mels: int) -> tuple[BandGroup, ...]:
    """The mel bank cut into blocks without most of its zeros; bands that no bin reaches are left out."""
    bank = mel_bank(sample_rate, n_fft, n_mels)
    groups = []
    for first in range(0, n_mels, _GROUP):
        bands = slice(first, min(first + _GROUP, n_mels))
        used = np.flatnonzero(bank[bands].any(axis=0))
        if len(used):
            bins = slice(int(used[0]), int(used[-1]) + 1)
            groups.append(BandGroup(bands, bins, _locked(np.ascontiguousarray(bank[bands, bins].T))))
    return tuple(groups)


def mel_energies(power: np.ndarray, *, sample_rate: int, n_fft: int, n_mels: int) -> np.ndarray:
    """Energy in each mel band, (t, bins) → float32 (t, n_mels)."""
    energies = np.zeros((len(power), n_mels), np.float32)
    for group in mel_groups(sample_rate, n_fft, n_mels):
        energies[:, group.bands] = power[:, group.bins] @ group.weights
    return energies


@functools.lru_cache(maxsize=256)  # the tuning takes 100 values; 256 banks of 1025 bins are 13 MB
def chroma_bank(sample_rate: int, n_fft: int, tuning: float) -> np.ndarray:
    """Weights from spectral bins to the twelve pitch classes from C on, float32, shape (bins, 12).

    Gaussian bumps one semitone wide, each bin of unit length, under a broad Gaussian of two octaves round the
    fifth octave (Ellis, 2007).

    Parameters
    ----------
    sample_rate : Hz
    n_fft : samples
    tuning : deviation from A = 440 Hz, in semitones
    """
    reference = 440.0 * 2.0 ** (tuning / N_CHROMA) / 16
    notes = N_CHROMA * np.log2(np.arange(1, n_fft // 2 + 2) * (sample_rate / n_fft) / reference)
    notes = np.concatenate(([notes[0] - 1.5 * N_CHROMA], notes))  # 0 Hz: half an octave off, and broad
    widths = np.maximum(np.diff(notes), 1.0)
    notes = notes[:-1]
    half = N_CHROMA // 2
    distance = np.remainder(notes[:, None] - np.arange(N_CHROMA) + half, N_CHROMA) - half  # (bins, 12)
    bumps = np.exp(-0.5 * (2 * distance / widths[:, None]) ** 2)
    bumps /= np.sqrt((bumps**2).sum(axis=1, keepdims=True))
    bumps *= np.exp(-0.5 * ((notes / N_CHROMA - 5.0) / 2.0) ** 2)[:, None]
    return _locked(np.roll(bumps, -3, axis=1).astype(np.float32))  # from A on → from C on


def decibels(power: np.ndarray, *, floor: float = 1e-10, span: float = 80.0) -> np.ndarray:
    """10·log10 of a power, no lower than ``floor`` and no lower than ``span`` dB below the largest value."""
    level = 10 * np.log10(np.maximum(power, power.dtype.type(floor)))
    return np.maximum(level, level.max() - span)


def _hz_to_mel(frequency: float) -> float:
    if frequency < 1000:
        return frequency * 3 / 200
    return 15 + 27 * np.log(frequency / 1000) / np.log(6.4)


def _mel_to_hz(mels: np.ndarray) -> np.ndarray:
    return np.where(mels < 15, mels * 200 / 3, 1000 * np.exp((mels - 15) * np.log(6.4) / 27))


def _locked(array: np.ndarray) -> np.ndarray:
    array.setflags(write=False)  # cached: nobody may change it
    return array
