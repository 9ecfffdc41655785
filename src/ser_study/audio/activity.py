"""Voice activity: which frames of a recording are speech, by level, voicing and movement.

Conventions
-----------
A frame is ``FRAME`` seconds, and one begins every ``HOP`` seconds. Three things are measured in it within ``BAND``,
at the recording's own rate:

- its level, in dB re full scale;
- its voicing, 0 to 1: the highest peak of the normalised autocorrelation at the periods of a voice (Boersma 1993);
- the levels of ``N_BANDS`` bands, from which follows how much the sound changes.

A frame is *voiced* where it is ``LOUD`` dB above the noise floor (the lowest level near it), periodic, and the sound
moves: a hum is periodic and noise may be loud, but neither changes. Speech is what is loud within ``REACH`` seconds of
voiced frames, with its short pauses. Digital silence is never speech. Music, beeps and gusts of wind may be.

Measured
--------
On 200 random clips a corpus (``pytest tests/benchmarks/test_activity_rates.py -s``) none was ever missed. Of
the frames within 25 dB of a clip's loudest, and of the ends that trimming at 40 dB drops, so many were called speech:

========  =============  ============  ============  ===========  =======================
corpus    speech, clean  white, 20 dB  white, 10 dB  ends, clean  ends in babble of 10 dB
========  =============  ============  ============  ===========  =======================
CREMA-D   67 %           64 %          57 %          0 %          66 %
RAVDESS   99 %           96 %          91 %          10 %         91 %
TESS      95 %           87 %          75 %          17 %         25 %
EMO-DB    98 %           95 %          85 %          12 %         26 %
========  =============  ============  ============  ===========  =======================

White and pink noise alone, and the ends of clips in them: none. Many clips of CREMA-D have noise within 25 dB.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import scipy.fft

from ser_study.schema import Signal

FRAME, HOP = 0.04, 0.02  # s
BAND = (100.0, 4_000.0)  # Hz
PITCH = (75.0, 450.0)  # Hz, of voices
N_BANDS = 8
QUIETEST = -100.0  # dB re full scale; nothing below it is told from silence
LOUD = 6.0  # dB over the floor
VOICED = 0.5  # normalised autocorrelation
MOVING = 2.0  # dB, mean change of the bands within ``LAG``
LAG = 0.2  # s
REACH = 0.2  # s, between an unvoiced sound and its syllable
PAUSE = 0.16  # s, closures within words
SHORTEST = 0.06  # s of voiced frames within ``REACH``; less is a click
NOISE = 0.1  # share of the frames that are taken for noise
MEMORY = 10.0  # s, over which the floor is sought


class Activity:
    """Voice activity of a stream, in constant memory.

    Parameters
    ----------
    sample_rate : Hz
    memory : s of the stream about which may be asked; the noise floor is sought over ``MEMORY`` at least
    """

    def __init__(self, sample_rate: int, *, memory: float = MEMORY):
        self.sample_rate = sample_rate
        self.n_frames = 0  # since the stream began
        self._kept = round(max(memory, MEMORY) / HOP)
        self._rest = np.empty(0, np.float32)
        self._measures = np.empty((0, 2 + N_BANDS), np.float32)

    def push(self, samples: Signal) -> None:
        """Take the next samples, float32 (s,)."""
        signal = np.concatenate([self._rest, np.asarray(samples, np.float32)])
        length, hop = _sizes(self.sample_rate)
        n_frames = max(0, 1 + (len(signal) - length) // hop)
        if n_frames:
            self._measures = np.concatenate([self._measures, measures(signal, self.sample_rate)])[-self._kept :]
            self.n_frames += n_frames
        self._rest = signal[n_frames * hop :].copy()

    def speech(self, seconds: float) -> np.ndarray:
        """Which of the frames of the last seconds are speech, bool (t,); all that came before helps to tell."""
        return speech(self._measures)[-max(1, round(seconds / HOP)) :]

    def levels(self, n_frames: int) -> np.ndarray:
        """Levels of the last frames, dB re full scale (t,)."""
        return self._measures[len(self._measures) - n_frames :, 0]


class Levels:
    """How loud speech and the rest of a recording are, in constant memory."""

    def __init__(self):
        self._counts = np.zeros((2, 1 - int(QUIETEST)), int)  # frames without and with speech, by whole dB

    def add(self, level: np.ndarray, spoken: np.ndarray) -> None:
        """Take frames: their levels in dB re full scale, and whether they are speech."""
        place = np.clip(np.rint(level - QUIETEST).astype(int), 0, self._counts.shape[1] - 1)
        for kind in (0, 1):
            self._counts[kind] += np.bincount(place[spoken == kind], minlength=self._counts.shape[1])

    @property
    def speech(self) -> float:
        """Seconds of speech."""
        return float(HOP * self._counts[1].sum())

    @property
    def level(self) -> float:
        """Mean power of speech in dB re full scale; NaN where there is none."""
        if not self._counts[1].any():
            return np.nan
        return float(10 * np.log10(np.average(10 ** (self._decibels / 10), weights=self._counts[1])))

    @property
    def snr(self) -> float:
        """Level of speech over that which a tenth of all frames lies below, in dB; digital silence does not count."""
        counts = self._counts.sum(axis=0)[1:]
        if not self._counts[1].any() or not counts.any():
            return np.nan
        floor = self._decibels[1:][np.searchsorted(np.cumsum(counts), NOISE * counts.sum())]
        return self.level - float(floor)

    @property
    def _decibels(self) -> np.ndarray:
        return QUIETEST + np.arange(self._counts.shape[1])


def measures(signal: Signal, sample_rate: int) -> np.ndarray:
    """Level, voicing and band levels of every whole frame, float32 (t, 2 + N_BANDS)."""
    length, hop = _sizes(sample_rate)
    if len(signal) < length:
        return np.empty((0, 2 + N_BANDS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(signal, length)[::hop]
    window, ripple, n_fft, bins = _analysis(sample_rate)
    power = np.abs(scipy.fft.rfft(frames * window, n_fft, axis=1)[:, : bins.stop]) ** 2
    power[:, : bins.start] = 0
    edges = np.linspace(bins.start, bins.stop, N_BANDS + 1).astype(int)
    bands = np.add.reduceat(power, edges[:-1], axis=1) / np.square(window).sum() / n_fft * 2
    level = _decibel(bands.sum(axis=1))
    correlation = scipy.fft.irfft(power, axis=1)[:, : len(ripple)]
    at_zero = np.maximum(correlation[:, :1], 1e-20)
    rate = 2 * (bins.stop - 1) * sample_rate / n_fft  # of the autocorrelation
    first, last = int(rate / PITCH[1]), min(int(rate / PITCH[0]) + 1, len(ripple))
    voicing = (correlation[:, first:last] / at_zero / ripple[first:last]).max(axis=1)
    return np.column_stack([level, voicing, _decibel(bands)]).astype(np.float32)


def speech(measured: np.ndarray) -> np.ndarray:
    """Which frames are speech, bool (t,), of their measures."""
    if not len(measured):
        return np.zeros(0, bool)
    level, voicing, bands = measured[:, 0], measured[:, 1], measured[:, 2:]
    loud = (level >= _smooth(level, 5).min() + LOUD) & (level > QUIETEST + LOUD)
    lag = round(LAG / HOP)
    padded = np.pad(bands, ((lag, lag), (0, 0)), mode="edge")
    after, before = (np.abs(there - bands).mean(axis=1) for there in (padded[2 * lag :], padded[: -2 * lag]))
    change = np.minimum(after, before)  # a hum that sets in has changed on one side only
    voiced = loud & (voicing >= VOICED) & (change >= MOVING)
    reach = round(REACH / HOP)
    near = np.convolve(voiced, np.ones(2 * reach + 1))[reach : reach + len(voiced)]
    spoken = loud & (near >= round(SHORTEST / HOP))
    return _closed(spoken, round(PAUSE / HOP)) & (level > QUIETEST)


def _closed(spoken: np.ndarray, longest: int) -> np.ndarray:
    """With the gaps of up to so many frames between two that are speech."""
    place = np.arange(len(spoken))
    last = np.maximum.accumulate(np.where(spoken, place, -len(spoken)))
    following = np.minimum.accumulate(np.where(spoken, place, 2 * len(spoken))[::-1])[::-1]
    return following - last <= longest + 1


def _decibel(power: np.ndarray) -> np.ndarray:
    return 10 * np.log10(np.maximum(power, 10 ** (QUIETEST / 10)))


def _smooth(values: np.ndarray, n: int) -> np.ndarray:
    if len(values) < n:
        return values
    return np.convolve(values, np.ones(n) / n, "valid")


def _sizes(sample_rate: int) -> tuple[int, int]:
    """Samples of a frame and from one to the next."""
    return round(FRAME * sample_rate), round(HOP * sample_rate)


@lru_cache(maxsize=8)
def _analysis(sample_rate: int) -> tuple[np.ndarray, np.ndarray, int, slice]:
    """Window, its normalised autocorrelation, length of the transform and the bins of ``BAND``."""
    length, _ = _sizes(sample_rate)
    n_fft = scipy.fft.next_fast_len(2 * length, real=True)
    window = np.hanning(length).astype(np.float32)
    stop = min(n_fft // 2 + 1, int(BAND[1] * n_fft / sample_rate) + 1)
    bins = slice(max(1, int(np.ceil(BAND[0] * n_fft / sample_rate))), stop)
    ripple = scipy.fft.irfft(np.abs(scipy.fft.rfft(window, n_fft)) ** 2)
    seconds = np.arange(len(ripple) // 2) / sample_rate
    rate = 2 * (stop - 1) * sample_rate / n_fft
    longest = np.arange(int(rate * min(1.5 / PITCH[0], 0.6 * FRAME))) / rate
    return window, np.interp(longest, seconds, (ripple / ripple[0])[: len(seconds)]), n_fft, bins
