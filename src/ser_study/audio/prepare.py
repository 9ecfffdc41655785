"""From a file to the one mono signal that every feature is taken from.

Conventions
-----------
Decoded samples are as in ``reading``. A prepared signal is float32, shape (s,), at ``audio.sample_rate``.
The steps, always in this order:

1. mix to mono, or take the first channel;
2. resample (soxr, high quality, as ``librosa.load`` does);
3. reduce noise, when ``audio.denoise`` is set;
4. drop silence at both ends: by ``audio.cut`` when that is set, then by ``trim`` when that is;
5. fit the length: to ``audio.length`` when that is set, otherwise between ``min_length`` and ``max_length``;
6. scale, when ``audio.scale`` is set.

A rolling-sum cut counts samples of the recording (E003), so with it resampling comes later: noise reduction,
the cut and ``audio.length`` are then applied at the recording's own rate. All five student projects follow this order.

Rules at the edges
------------------
- A digitally silent clip has no loudest frame to measure against, so it stays untrimmed (as in librosa).
- A clip in which no frame or window reaches ``cut_level`` stays uncut, so no step can empty a clip.
- A clip shorter than ``min_length`` (say 50 ms) is centred between zeros.
- A clip longer than ``max_length`` keeps its middle, after trimming, so that speech is kept rather than silence.
- Of a recording longer than ``LONG`` seconds (and twice what is kept) only so much is prepared at all: the middle of
  what lies between its first and last loud second, or its start where ``crop`` says so. The rest is never in memory.
- ``pad`` and ``crop`` say how a clip meets ``length``; silence and constants are not scaled.

The study and the finished recogniser both call :func:`prepare`, so both work on the same signal bit for bit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import soxr

from ser_study.audio import reading
from ser_study.audio import signal as treatments
from ser_study.audio.reading import read, to_mono
from ser_study.config import Audio
from ser_study.schema import Signal

LONG = 120.0  # s
_QUIETEST = 1e-10  # power below which a frame counts as no louder than this (librosa's ``amin``)


def resample(signal: Signal, *, sample_rate: int, target: int) -> Signal:
    """Signal at another rate, ``ceil(s · target / sample_rate)`` samples long (soxr, high quality).

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate, target : Hz
    """
    if sample_rate == target:
        return signal
    n_samples = math.ceil(len(signal) * (target / sample_rate))
    changed = soxr.resample(np.ascontiguousarray(signal), sample_rate, target, quality="HQ")[:n_samples]
    return changed if len(changed) == n_samples else np.pad(changed, (0, n_samples - len(changed)))


def trim(signal: Signal, *, top_db: float, frame_length: int, hop_length: int) -> Signal:
    """Signal without its quiet ends; equal to ``librosa.effects.trim``.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    top_db : a frame this many dB below the loudest one is quiet
    frame_length, hop_length : samples

    Returns
    -------
    A view of ``signal``. A digitally silent signal comes back whole.
    """
    padded = np.pad(signal, frame_length // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_length)[::hop_length]
    power = np.maximum(np.einsum("ts,ts->t", frames, frames) / np.float32(frame_length), np.float32(_QUIETEST))
    level = 10 * np.log10(power)
    loud = np.flatnonzero(level - level.max() > -top_db)
    return signal[loud[0] * hop_length : (loud[-1] + 1) * hop_length]


def prepare(samples: np.ndarray, sample_rate: int, audio: Audio) -> Signal:
    """The signal that features are taken from; see the top of this module for steps and rules.

    Parameters
    ----------
    samples : array, shape (s,) or (s, channels), as decoded
    sample_rate : Hz
    audio : settings

    Returns
    -------
    float32 array, contiguous, shape (s,), at ``audio.sample_rate``.

    Raises
    ------
    ValueError
        No samples, NaN or infinite samples, more than two axes, a sample rate that is not positive, or a
        setting that names no known treatment.
    """
    if sample_rate <= 0:
        raise ValueError(f"The sample rate is {sample_rate} Hz; it must be positive.")
    treatments.check(audio)
    samples = _checked(np.asarray(samples, dtype=np.float32))
    if len(samples) > _longest(sample_rate, audio):
        size = reading.BLOCK * sample_rate
        samples = samples[_span((samples[at : at + size] for at in range(0, len(samples), size)), sample_rate, audio)]
    first = audio.channel == "first" and samples.ndim == 2
    signal = samples[:, 0] if first else to_mono(samples)
    if audio.cut == "rolling_sum":
        signal = _cut(signal, sample_rate, audio)
        if audio.length > 0:
            signal = _fitted(signal, sample_rate, audio)
        signal = resample(signal, sample_rate=sample_rate, target=audio.sample_rate)
    else:
        signal = resample(signal, sample_rate=sample_rate, target=audio.sample_rate)
        signal = _cut(signal, audio.sample_rate, audio)
    if audio.trim:
        signal = trim(
            signal,
            top_db=audio.trim_top_db,
            frame_length=audio.trim_frame_length,
            hop_length=audio.trim_hop_length,
        )
    signal = _fitted(signal, audio.sample_rate, audio)
    return np.ascontiguousarray(treatments.scaled(signal, how=audio.scale))


def load(path: Path | str, audio: Audio) -> Signal:
    """Read a file, or of a long one what is kept, and prepare it: equal to :func:`read`, then :func:`prepare`."""
    about = reading.header(path)
    if about.n_samples <= _longest(about.sample_rate, audio):
        samples, sample_rate = read(path)
        return prepare(samples, sample_rate, audio)
    kept = _span(reading.blocks(path, about), about.sample_rate, audio)
    return prepare(reading.excerpt(path, kept.start, kept.stop), about.sample_rate, audio)


def _longest(sample_rate: int, audio: Audio) -> int:
    """Samples of the longest recording that is prepared whole."""
    return round(max(LONG, 2 * audio.max_length, 2 * audio.length) * sample_rate)


def _span(blocks: Iterable[np.ndarray], sample_rate: int, audio: Audio) -> slice:
    """Where the part of a long recording lies that is prepared; blocks are whole seconds, but for the last."""
    power, n_samples = [], 0
    for block in blocks:
        squares = reading.mixed(np.square(block.reshape(len(block), -1)))
        starts = np.arange(0, len(squares), sample_rate)
        power += list(np.add.reduceat(squares, starts) / np.diff(np.append(starts, len(squares))))
        n_samples += len(block)
    level = 10 * np.log10(np.maximum(power, _QUIETEST))
    loud = np.flatnonzero(level - level.max() > -audio.trim_top_db)
    whole = (0, len(level) - 1) if not (audio.trim or audio.cut) else (loud[0], loud[-1])
    first, end = int(whole[0]) * sample_rate, min(int(whole[1] + 1) * sample_rate, n_samples)
    longest = _longest(sample_rate, audio)
    if end - first <= longest:
        return slice(first, end)
    at_start = audio.length > 0 and audio.crop == "start"
    start = first if at_start else (first + end - longest) // 2
    return slice(start, start + longest)


def _cut(signal: Signal, sample_rate: int, audio: Audio) -> Signal:
    """Noise reduction and the cut of the silent ends, at one rate."""
    if audio.denoise:
        signal = treatments.denoise(signal, sample_rate=sample_rate)
    return treatments.cut(signal, how=audio.cut, level=audio.cut_level)


def _fitted(signal: Signal, sample_rate: int, audio: Audio) -> Signal:
    if audio.length > 0:
        n_samples = max(1, round(audio.length * sample_rate))
        return treatments.fitted(signal, n_samples=n_samples, pad=audio.pad, crop=audio.crop)
    shortest, longest = round(audio.min_length * sample_rate), round(audio.max_length * sample_rate)
    return treatments.fitted(signal, n_samples=max(1, shortest, min(len(signal), longest)))


def _checked(samples: np.ndarray) -> np.ndarray:
    if samples.ndim not in (1, 2):
        raise ValueError(f"Samples have {samples.ndim} axes; give (samples,) or (samples, channels).")
    reading.check_values(samples.size, samples.size - np.count_nonzero(np.isfinite(samples)))
    return samples
