"""The 51 statistics of E000, and the 32 that its web page used.

Conventions
-----------
A contour is described by nine statistics of its absolute values: standard deviation, mean and the percentiles
0, 1, 25, 50, 75, 99 and 100. Pitch is read as the project reads it: in every frame the highest frequency at which the
spectrum peaks between 50 and 380 Hz (the largest entry of ``librosa.piptrack``'s matrix, *not* its strongest), which
often is a harmonic rather than the fundamental. The values equal the project's own calls under librosa 0.11.

The peaks need only the bins around 50–380 Hz, so those alone are transformed, as one matrix product over all frames
of the clip and another over all loud segments; a whole spectrum is made only where a peak is so weak that the
threshold (a share of the frame's largest magnitude) could reject it.

Rules at the edges
------------------
A clip or segment without any peak gives 0 for all its pitch statistics, so silence gives no NaN. The project
lets a loud segment that would begin before the clip wrap round to its end, which leaves it empty except in very short
clips; so it is here, and empty segments are left out.
"""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import scipy.fft

from ser_study.config import Frames
from ser_study.features import filters
from ser_study.features.frames import analyse
from ser_study.schema import Signal

_N_FFT, _HOP = 512, 128  # samples
_LOWEST, _HIGHEST = 50.0, 380.0  # Hz
_THRESHOLD = 1e-4  # of the largest magnitude of the frame; a lower peak does not count
_N_LOUD = 30  # frames
_REACH = 1024  # samples on either side of a loud frame
_N_MFCC, _N_MFCC_APP = 20, 5
_PERCENTILES = (0, 1, 25, 50, 75, 99, 100)
_NINE = ("sd", "mean", *(f"p{percentile:02d}" for percentile in _PERCENTILES))


def statistics51(signal: Signal, sample_rate: int, frames: Frames, *, cleaned: bool = True) -> np.ndarray:
    """Pitch round the loudest frames 4, pitch 9, strength of pitch 9, RMS 9, MFCC means 20.

    The project loads at 22,050 Hz and drops the ends whose frame RMS is below 0.001.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings of the MFCC; the project's are n_fft 2048, hop 512, 128 mel bands
    cleaned : look for the pitch round loud frames in their autocorrelation, as the project does; False: in the samples

    Returns
    -------
    float32 array, shape (51,)
    """
    rms = _rms(signal, sample_rate)
    pitch, strength = _peaks(_frames(signal[None]), sample_rate)
    highest = pitch.max(axis=1)
    parts = (
        _loud_pitch(signal, rms, sample_rate, cleaned),
        _nine(highest[highest > 0]),
        _nine(strength.max(axis=1)),
        _nine(rms),
        _mfcc_means(signal, sample_rate, frames, _N_MFCC),
    )
    return np.concatenate(parts, dtype=np.float32, casting="same_kind")


def statistics51_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`statistics51`."""
    return (
        *(f"loud_pitch_{name}" for name in ("mean", "sd", "min", "max")),
        *_nine_names("pitch"),
        *_nine_names("pitch_magnitude"),
        *_nine_names("rms"),
        *_mfcc_names(_N_MFCC),
    )


def statistics32(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """What the project's web page classified: samples 9, pitch 9, RMS 9, MFCC means 5.

    Parameters
    ----------
    signal, sample_rate, frames : as for :func:`statistics51`

    Returns
    -------
    float32 array, shape (32,)
    """
    highest = _peaks(_frames(signal[None]), sample_rate)[0].max(axis=1)
    parts = (
        _nine(signal),
        _nine(highest[highest > 0]),
        _nine(_rms(signal, sample_rate)),
        _mfcc_means(signal, sample_rate, frames, _N_MFCC_APP),
    )
    return np.concatenate(parts, dtype=np.float32, casting="same_kind")


def statistics32_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the values of :func:`statistics32`."""
    return (*_nine_names("wave"), *_nine_names("pitch"), *_nine_names("rms"), *_mfcc_names(_N_MFCC_APP))


def _rms(signal: Signal, sample_rate: int) -> np.ndarray:
    return analyse(signal, sample_rate, Frames(n_fft=_N_FFT, hop_length=_HOP)).rms


def _mfcc_means(signal: Signal, sample_rate: int, frames: Frames, n_mfcc: int) -> np.ndarray:
    return analyse(signal, sample_rate, replace(frames, n_mfcc=n_mfcc)).mfcc.mean(axis=0)


def _nine(values: np.ndarray) -> np.ndarray:
    """Nine statistics of absolute values, (t,) → (9,); zeros where there are none."""
    if not len(values):
        return np.zeros(len(_NINE))
    size = np.abs(values)
    return np.array([size.std(), size.mean(), *np.percentile(size, _PERCENTILES)])


def _loud_pitch(signal: Signal, rms: np.ndarray, sample_rate: int, cleaned: bool) -> np.ndarray:
    """Mean, sd, smallest and largest of the mean pitch of each loud segment, (4,)."""
    loudest = np.argsort(rms)[-_N_LOUD:]
    by_length: dict[int, list[np.ndarray]] = {}
    for centre in (loudest / len(rms) * len(signal)).tolist():
        segment = signal[int(centre - _REACH) : int(centre + _REACH)]
        by_length.setdefault(len(segment), []).append(segment)
    by_length.pop(0, None)
    means = [_mean_pitch(np.stack(segments), sample_rate, cleaned) for segments in by_length.values()]
    pitches = np.concatenate(means) if means else np.zeros(0)
    pitches = pitches[pitches > 0]
    return np.array([pitches.mean(), pitches.std(), pitches.min(), pitches.max()]) if len(pitches) else np.zeros(4)


def _mean_pitch(segments: np.ndarray, sample_rate: int, cleaned: bool) -> np.ndarray:
    """Mean of all peaks of all frames of each segment, (m, s) → (m,); 0 where there is none."""
    signals = _autocorrelation(segments) if cleaned else segments
    pitch = _peaks(_frames(signals), sample_rate)[0].reshape(len(segments), -1)
    return pitch.sum(axis=1) / np.maximum(np.count_nonzero(pitch, axis=1), 1)


def _autocorrelation(segments: np.ndarray) -> np.ndarray:
    """Autocorrelation of each row, (m, s) → (m, s): it keeps what repeats, a voice, and weakens noise."""
    n_samples = segments.shape[1]
    padded = scipy.fft.next_fast_len(2 * n_samples - 1, real=True)
    spectrum = scipy.fft.rfft(segments, padded, axis=1)
    power = np.square(spectrum.real) + np.square(spectrum.imag)
    return scipy.fft.irfft(power, padded, axis=1)[:, :n_samples]


def _frames(signals: np.ndarray) -> np.ndarray:
    """Frames of signals that are mirrored at their ends, (m, s) → (m · t, 512)."""
    half = _N_FFT // 2
    padded = np.pad(signals, ((0, 0), (half, half)), mode="reflect" if signals.shape[1] > 1 else "constant")
    windows = np.lib.stride_tricks.sliding_window_view(padded, _N_FFT, axis=1)[:, ::_HOP]
    return windows.reshape(-1, _N_FFT)


def _peaks(frames: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Frequency (Hz) and height of the spectral peaks in the band of pitch, both (t, bins), 0 where there is none.

    As ``librosa.piptrack``: a bin above its left neighbour, no lower than its right one and above the threshold,
    with a parabola through the three.
    """
    first, basis = _band(sample_rate)
    # in double precision, rounded where librosa rounds, so that the same bins are peaks
    magnitude = np.abs((frames.astype(np.float64) @ basis).astype(np.float32).view(np.complex64))
    left, here, right = magnitude[:, :-2], magnitude[:, 1:-1], magnitude[:, 2:]
    is_peak = (here > left) & (here >= right)
    is_peak &= here > _thresholds(frames, np.where(is_peak, here, 0), magnitude)[:, None]
    frame, bin_ = np.nonzero(is_peak)
    before, height, after = (part[frame, bin_] for part in (left, here, right))
    curve, lean = after + before - 2 * height, (after - before) / 2
    shift = np.where(np.abs(lean) >= np.abs(curve), 0, -lean / np.where(curve == 0, 1, curve))
    pitch, strength = np.zeros((2, *here.shape), np.float32)
    pitch[frame, bin_] = (first + bin_ + shift) * (sample_rate / _N_FFT)
    strength[frame, bin_] = height + lean * shift / 2
    return pitch, strength


def _thresholds(frames: np.ndarray, peaks: np.ndarray, magnitude: np.ndarray) -> np.ndarray:
    """What a peak must exceed in each frame, (t,).

    No magnitude exceeds the sum of the windowed frame's absolute samples, and none in the band exceeds the frame's
    largest. Peaks above the one bound count and below the other do not; only frames with a peak between the two,
    or on the edge of one, need their whole spectrum.
    """
    window = filters.hann(_N_FFT)
    most = np.float32(_THRESHOLD) * (np.abs(frames) @ window.astype(np.float32))
    least = np.float32(_THRESHOLD) * magnitude.max(axis=1)
    is_open = ((peaks > 0.99 * least[:, None]) & (peaks < 1.01 * most[:, None])).any(axis=1)
    threshold = most
    if is_open.any():
        spectrum = scipy.fft.rfft(frames[is_open] * window, axis=1).astype(np.complex64)
        threshold[is_open] = np.float32(_THRESHOLD) * np.abs(spectrum).max(axis=1)
    return threshold


@functools.lru_cache(maxsize=4)
def _band(sample_rate: int) -> tuple[int, np.ndarray]:
    """First bin between the limits, and the windowed waves of those bins and their neighbours, (512, 2 · bins)."""
    frequency = filters.frequencies(sample_rate, _N_FFT)
    inside = np.flatnonzero((frequency >= _LOWEST) & (frequency < min(_HIGHEST, sample_rate / 2)))
    bins = np.arange(inside[0] - 1, inside[-1] + 2)
    phase = 2 * np.pi * np.outer(np.arange(_N_FFT), bins) / _N_FFT
    waves = np.stack((np.cos(phase), -np.sin(phase)), axis=2)  # real and imaginary part beside each other
    return int(inside[0]), waves.reshape(_N_FFT, -1) * filters.hann(_N_FFT)[:, None]


def _nine_names(contour: str) -> tuple[str, ...]:
    return tuple(f"{contour}_{statistic}" for statistic in _NINE)


def _mfcc_names(n_mfcc: int) -> tuple[str, ...]:
    return tuple(f"mfcc_{i:02d}_mean" for i in range(n_mfcc))
