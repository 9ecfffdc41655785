"""More vectors read from the spectrum: what the student projects tried, dropped or wished for.

Conventions as in ``vectors``: a prepared signal in, float32 of fixed length out, ``…_columns`` names the values;
all are finite, silence and single frames included. Those that librosa has equal its separate calls.
"""

from __future__ import annotations

import numpy as np

from ser_study.config import Frames
from ser_study.features import fbank, vectors
from ser_study.features.frames import N_CONTRAST, Analysis, analyse, rolloff_bins
from ser_study.features.plp import N_PLP, plp
from ser_study.features.tonal import tonnetz
from ser_study.schema import Signal

_TONNETZ = tuple(f"tonnetz_{circle}_{axis}" for circle in ("fifths", "minor", "major") for axis in "xy")
_FILTERS = 40  # bands of the log filterbank
_SHARES = (0.15, 0.5, 0.95)  # of the magnitude below a rolloff
_SHAPES = ("bandwidth", "flatness", *(f"rolloff_{share * 100:.0f}" for share in _SHARES), "slope", "offset")
_ONSET = ("onset_mean", "onset_sd", "onset_max")


def means186(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """E002's first version: its 180 means, then those of the six tonal centroids.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings, as for ``vectors.means180``

    Returns
    -------
    float32 array, shape (18 + n_mfcc + n_mels,)
    """
    analysis = analyse(signal, sample_rate, frames)
    parts = (analysis.mfcc, analysis.chroma_of_magnitude, analysis.mel, tonnetz(analysis))
    return np.concatenate([part.mean(axis=0) for part in parts])


def means186_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`means186`."""
    return (*vectors.means180_columns(frames), *(f"{name}_mean" for name in _TONNETZ))


def contrast(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """Time means of spectral contrast: peak over valley in seven bands, dB, float32 (7,)."""
    return analyse(signal, sample_rate, frames).contrast.mean(axis=0)


def contrast_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`contrast`."""
    return tuple(f"contrast_{band}_mean" for band in range(N_CONTRAST))


def plp_statistics(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """Mean, sd, percentiles 5, 50, 95 and slope of 13 perceptual linear prediction cepstra, float32 (78,)."""
    analysis = analyse(signal, sample_rate, frames)
    return vectors.statistics(plp(analysis), analysis.times).astype(np.float32)


def plp_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`plp_statistics`."""
    return tuple(f"plp_{i:02d}_{statistic}" for i in range(N_PLP) for statistic in vectors.STATISTICS)


def log_fbank(signal: Signal, sample_rate: int) -> np.ndarray:
    """Means, then sds, of 40 log mel energies as speech recognisers take them (25 ms every 10 ms), float32 (80,)."""
    return np.concatenate(vectors.mean_and_sd(fbank.fbank(signal, sample_rate, n_mels=_FILTERS)))


def log_fbank_columns() -> tuple[str, ...]:
    """Names of the values of :func:`log_fbank`."""
    return tuple(f"fbank_{band:02d}_{statistic}" for statistic in ("mean", "sd") for band in range(_FILTERS))


def spectral_shapes(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """Means and sds of spectral shapes, contrast, tonal centroids and MFCC deltas; onsets.

    Shapes are bandwidth, flatness, rolloffs at 15, 50 and 95 %, and slope and offset of a line through the magnitude.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings; librosa's own are n_fft 2048, hop 512, 128 mel bands

    Returns
    -------
    float32 array, shape (43 + 4 · n_mfcc,)
    """
    analysis = analyse(signal, sample_rate, frames)
    shapes = np.column_stack((analysis.bandwidth, analysis.flatness, _rolloffs(analysis), _line(analysis)))
    per_frame = (shapes, analysis.contrast, tonnetz(analysis), analysis.mfcc_delta, analysis.mfcc_delta2)
    onset = onset_strength(analysis)
    moments = [moment for part in per_frame for moment in vectors.mean_and_sd(part.astype(np.float64))]
    return np.concatenate((*moments, [onset.mean(), onset.std(), onset.max()]), dtype=np.float32, casting="same_kind")


def spectral_shapes_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`spectral_shapes`."""
    contrasts = tuple(f"contrast_{band}" for band in range(N_CONTRAST))
    deltas = [tuple(f"mfcc_{i:02d}_{name}" for i in range(frames.n_mfcc)) for name in ("delta", "delta2")]
    parts = (_SHAPES, contrasts, _TONNETZ, *deltas)
    return (*(f"{name}_{moment}" for part in parts for moment in ("mean", "sd") for name in part), *_ONSET)


def onset_strength(analysis: Analysis) -> np.ndarray:
    """Mean rise of the mel bands over the frame before, dB, shape (t,).

    Later by half a frame, since a frame reaches an onset before its centre does; 0 until then.
    """
    from librosa.onset import onset_strength as of_level

    settings = analysis.settings
    rate = {"sr": analysis.sample_rate, "n_fft": settings.n_fft, "hop_length": settings.hop_length}
    return of_level(S=analysis.mel_db.T, **rate)


def _rolloffs(analysis: Analysis) -> np.ndarray:
    """Frequencies below which shares of the magnitude lie, Hz, (t, 3)."""
    step = analysis.sample_rate / analysis.settings.n_fft
    return np.column_stack([rolloff_bins(analysis.magnitude, share) * step for share in _SHARES])


def _line(analysis: Analysis) -> np.ndarray:
    """Slope (per Hz) and value at 0 Hz of the straight line nearest to the magnitude, (t, 2)."""
    magnitude = analysis.magnitude.astype(np.float64)
    frequency = np.arange(magnitude.shape[1]) * (analysis.sample_rate / analysis.settings.n_fft)
    centred = frequency - frequency.mean()
    slope = magnitude @ (centred / (centred**2).sum())
    return np.column_stack((slope, magnitude.mean(axis=1) - slope * frequency.mean()))
