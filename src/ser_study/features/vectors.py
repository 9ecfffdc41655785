"""One vector a clip: the student projects' means, and our own statistics over the frames.

Conventions
-----------
Every function takes a prepared signal and gives float32 of fixed length; its ``…_columns`` names the values.
Coefficients and bands count from zero as in librosa (``mfcc_00`` is the overall level), chroma is named by note.

Rules at the edges
------------------
All values are finite. What is counted over voiced frames (F0, segments) is 0 for a clip without any;
``voiced_share`` = 0 tells that apart. Spread and slope of a single value are 0.
"""

from __future__ import annotations

import numpy as np

from ser_study.config import Frames
from ser_study.features import filters
from ser_study.features.frames import N_CONTRAST, Analysis, analyse
from ser_study.schema import Signal

_NOTES = ("c", "c#", "d", "d#", "e", "f", "f#", "g", "g#", "a", "a#", "b")
STATISTICS = ("mean", "sd", "p05", "p50", "p95", "slope")  # slope: per second
_CONTOURS = ("rms_db", "zcr", "centroid", "bandwidth", "rolloff", "flatness_db")
_PITCH = ("voicing_mean", "voicing_sd", "f0_step")
_RHYTHM = (
    "duration",  # s
    "voiced_share",
    "voiced_segments_per_s",
    "voiced_segment_mean",  # s
    "voiced_segment_sd",
    "unvoiced_segment_mean",
    "unvoiced_segment_sd",
    "loudness_peaks_per_s",
)
_SEMITONE_ZERO = 27.5  # Hz, the lowest A of a piano
_SILENCE = -100.0  # dB; quieter frames count as this
_PEAK_DIP = 2.0  # dB that the level must fall between two peaks
_PEAK_DEPTH = 25.0  # dB below the loudest frame; a lower peak is no syllable


def means184(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """Time means of E001: RMS, centroid, rolloff, zero crossings, chroma 12, MFCC 40, mel 128.

    Chroma is taken from the magnitude and mel is power, not dB, as the project does. The project loads at
    22,050 Hz and trims at 60 dB.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings; the project's are n_fft 2048, hop 512, 128 mel bands, 40 coefficients

    Returns
    -------
    float32 array, shape (16 + n_mfcc + n_mels,)
    """
    analysis = analyse(signal, sample_rate, frames)
    contours = (analysis.rms, analysis.centroid, analysis.rolloff, analysis.zcr)
    means = np.array([contour.mean() for contour in contours], np.float32)
    return np.concatenate((means, *_means(analysis.chroma_of_magnitude, analysis.mfcc, analysis.mel)))


def means184_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`means184`."""
    contours = ("rms_mean", "centroid_mean", "rolloff_mean", "zcr_mean")
    return (*contours, *_chroma_names(), *_mfcc_names(frames, "mean"), *_mel_names(frames, "mean"))


def means180(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """Time means of E002: MFCC 40, chroma 12, mel 128.

    The project loads at 22,050 Hz and does not trim, so prepare the signal with ``trim=False``.

    Parameters
    ----------
    signal, sample_rate, frames : as for :func:`means184`

    Returns
    -------
    float32 array, shape (12 + n_mfcc + n_mels,)
    """
    analysis = analyse(signal, sample_rate, frames)
    return np.concatenate(_means(analysis.mfcc, analysis.chroma_of_magnitude, analysis.mel))


def means180_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`means180`."""
    return (*_mfcc_names(frames, "mean"), *_chroma_names(), *_mel_names(frames, "mean"))


def summary(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """Our own description: how loudness, pitch, timbre and rhythm are distributed over the frames.

    Mean, sd, percentiles 5, 50, 95 and slope of loudness, zero crossings, spectral shape, MFCC and F0 (semitones
    above 27.5 Hz, voiced frames only); mean and sd of contrast and mel bands in dB; sd of the MFCC's deltas; and
    rhythm: voiced segments, pauses, loudness peaks.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings

    Returns
    -------
    float32 array, shape (len(summary_columns(frames)),)
    """
    analysis = analyse(signal, sample_rate, frames)
    rms_db = 20 * np.log10(np.maximum(analysis.rms, np.float32(10 ** (_SILENCE / 20))))
    contours = (
        rms_db,
        analysis.zcr,
        analysis.centroid,
        analysis.bandwidth,
        analysis.rolloff,
        10 * np.log10(analysis.flatness),
    )
    parts = (
        statistics(np.stack(contours, axis=1), analysis.times),
        _pitch(analysis),
        _rhythm(analysis, rms_db),
        statistics(analysis.mfcc, analysis.times),
        *(deltas.std(axis=0) for deltas in (analysis.mfcc_delta, analysis.mfcc_delta2)),
        *mean_and_sd(analysis.contrast),
        *mean_and_sd(analysis.mel_db),
    )
    return np.concatenate(parts, dtype=np.float32, casting="same_kind")


def summary_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`summary`."""
    mfcc = [f"mfcc_{i:02d}" for i in range(frames.n_mfcc)]
    contrast = [f"contrast_{band}" for band in range(N_CONTRAST)]
    return (
        *(f"{name}_{statistic}" for name in _CONTOURS for statistic in STATISTICS),
        *(f"f0_{statistic}" for statistic in STATISTICS),
        *_PITCH,
        *_RHYTHM,
        *(f"{name}_{statistic}" for name in mfcc for statistic in STATISTICS),
        *(f"{name}_{delta}_sd" for delta in ("delta", "delta2") for name in mfcc),
        *(f"{name}_{statistic}" for statistic in ("mean", "sd") for name in contrast),
        *_mel_names(frames, "db_mean"),
        *_mel_names(frames, "db_sd"),
    )


def _pitch(analysis: Analysis) -> np.ndarray:
    """Statistics of F0 over voiced frames, of voicing over all, and the mean step between voiced neighbours."""
    is_voiced = analysis.is_voiced
    semitones = 12 * np.log2(np.where(is_voiced, analysis.f0, _SEMITONE_ZERO) / _SEMITONE_ZERO)
    steps = np.abs(np.diff(semitones))[is_voiced[1:] & is_voiced[:-1]]
    own = [analysis.voicing.mean(), analysis.voicing.std(), steps.mean() if len(steps) else 0.0]
    if not is_voiced.any():
        return np.array([0.0] * len(STATISTICS) + own)
    return np.concatenate((statistics(semitones[is_voiced, None], analysis.times[is_voiced]), own))


def _rhythm(analysis: Analysis, rms_db: np.ndarray) -> np.ndarray:
    """Duration, voiced and unvoiced stretches, and peaks of loudness per second (a stand-in for syllables)."""
    duration = len(analysis.signal) / analysis.sample_rate
    is_voiced = analysis.is_voiced
    edges = np.concatenate(([0], np.flatnonzero(np.diff(is_voiced)) + 1, [len(is_voiced)]))
    lengths = np.diff(edges) * (analysis.settings.hop_length / analysis.sample_rate)
    voiced, unvoiced = lengths[is_voiced[edges[:-1]]], lengths[~is_voiced[edges[:-1]]]
    moments = [moment for part in (voiced, unvoiced) for moment in (_or_zero(np.mean, part), _or_zero(np.std, part))]
    smooth = np.convolve(np.pad(rms_db, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    peak_rate = _count_peaks(smooth) / duration
    return np.array([duration, is_voiced.mean(), len(voiced) / duration, *moments, peak_rate])


def _count_peaks(level: np.ndarray) -> int:
    """Peaks of a level in dB with a dip on either side, as in counting syllable nuclei (de Jong and Wempe, 2009)."""
    lowest_peak = max(level.max() - _PEAK_DEPTH, _SILENCE + _PEAK_DIP)
    n_peaks, is_rising, extreme = 0, True, -np.inf
    for value in (*level.tolist(), -np.inf):  # the clip ends in silence
        if is_rising and value < extreme - _PEAK_DIP:
            n_peaks += extreme > lowest_peak
            is_rising, extreme = False, value
        elif not is_rising and value > extreme + _PEAK_DIP:
            is_rising, extreme = True, value
        else:
            extreme = max(extreme, value) if is_rising else min(extreme, value)
    return n_peaks


def _or_zero(function, values: np.ndarray) -> float:
    return float(function(values)) if len(values) else 0.0


def statistics(values: np.ndarray, times: np.ndarray) -> np.ndarray:
    """``STATISTICS`` of each column, (t, d) at times (t,) in s → float64 (d · 6,), column by column."""
    values = values.astype(np.float64)
    mean = values.mean(axis=0)
    percentiles = np.percentile(values, (5, 50, 95), axis=0)
    centred = times - times.mean()
    spread = (centred**2).sum()
    slope = centred @ (values - mean) / spread if spread else np.zeros_like(mean)
    return np.stack((mean, values.std(axis=0), *percentiles, slope), axis=1).ravel()


def mean_and_sd(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the frames, (t, d) → two (d,)."""
    return values.mean(axis=0), values.std(axis=0)


def _means(*parts: np.ndarray) -> list[np.ndarray]:
    return [part.mean(axis=0) for part in parts]


def _chroma_names() -> tuple[str, ...]:
    return tuple(f"chroma_{note}_mean" for note in _NOTES[: filters.N_CHROMA])


def _mfcc_names(frames: Frames, suffix: str) -> tuple[str, ...]:
    return tuple(f"mfcc_{i:02d}_{suffix}" for i in range(frames.n_mfcc))


def _mel_names(frames: Frames, suffix: str) -> tuple[str, ...]:
    return tuple(f"mel_{i:03d}_{suffix}" for i in range(frames.n_mels))
