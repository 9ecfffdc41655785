"""A recogniser that listens on: windows of a stream of any length, in constant memory.

Conventions
-----------
A window is the last ``length`` seconds at every multiple of ``every`` seconds, from ``EARLIEST`` on, and shorter at the
beginning. Its probabilities are those of ``Recognizer.predict_samples`` on its samples, bit for bit: the window is
prepared at the rate of the stream and by the study's own functions, and nothing of it is kept for the next one.
How the samples are cut into chunks changes nothing. A window with less than ``LEAST_SPEECH`` of speech is ``NO_SPEECH``
and never reaches the features.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ser_study.audio.activity import HOP, Activity, Levels
from ser_study.audio.reading import RATES
from ser_study.recognizer.checks import UNSURE
from ser_study.recognizer.recognizer import Recognizer

NO_SPEECH = "no speech"  # the answer where nobody speaks
EARLIEST = 0.5  # s after which the first window may end
LEAST_SPEECH = 0.2  # s of a window
SILENT = -120.0  # dBFS, of what is quieter too
LARGEST = 1e3  # times full scale


@dataclass(frozen=True)
class Window:
    """What is heard in a stretch of a stream."""

    start: float  # s since the stream began
    end: float
    speech: float  # share of the window, 0 to 1
    level: float  # dBFS, of the mean power
    emotion: str  # a class, ``UNSURE`` or ``NO_SPEECH``
    confidence: float  # highest probability; NaN without speech
    probabilities: tuple[float, ...]  # one a class of the recogniser; NaN without speech


@dataclass(frozen=True)
class Excerpt:
    """The samples of a window, before anything is made of them."""

    start: float  # s
    end: float
    speech: float  # share
    level: float  # dBFS
    samples: np.ndarray  # float32 (s,)

    @property
    def has_speech(self) -> bool:
        """Whether there is enough of it to say more."""
        return self.speech * (self.end - self.start) >= LEAST_SPEECH - 1e-9


class Excerpts:
    """The excerpts of one channel of sound, as it comes in.

    Parameters
    ----------
    sample_rate : Hz, of the samples to come
    every : s from one window to the next
    length : s of a window

    Raises
    ------
    ValueError
        A rate, step or length that no stream can have.
    """

    def __init__(self, sample_rate: int, *, every: float, length: float):
        if not RATES[0] <= sample_rate <= RATES[1]:
            raise ValueError(f"The sample rate is {sample_rate} Hz; give one from {RATES[0]:,} to {RATES[1]:,}.")
        if not (0.05 <= every <= 60 and EARLIEST <= length <= 60):
            raise ValueError(
                f"A window of {length:g} s every {every:g} s cannot be made; give 0.05 to 60 s from one to the next, "
                f"and windows of {EARLIEST:g} to 60 s."
            )
        self.sample_rate, self.every, self.length = sample_rate, every, length
        self.n_samples = 0  # in windows and before them
        self.levels = Levels()
        self._activity = Activity(sample_rate, memory=length + every)
        self._last = np.empty(0, np.float32)  # the last ``length`` seconds
        self._waiting: list[np.ndarray] = []
        self._n_waiting = 0
        self._number = math.ceil(round(EARLIEST / every, 9))  # of the next window

    def push(self, samples: np.ndarray) -> list[Excerpt]:
        """Take the next samples, and give the excerpts that they complete; see ``Stream.push``."""
        samples = np.asarray(samples)
        if samples.dtype.kind != "f" or samples.ndim != 1:
            raise ValueError(
                f"Samples are {samples.dtype} of shape {samples.shape}; give floats between -1 and 1 of one channel."
            )
        samples = samples.astype(np.float32)  # a copy: the caller may fill its buffer anew
        if n_bad := len(samples) - np.count_nonzero(np.isfinite(samples)):
            raise ValueError(f"{n_bad} of {len(samples)} samples are NaN or infinite; leave the chunk out.")
        check_size(samples)
        excerpts, start = [], 0
        while (wanted := self._next_end() - self.n_samples - self._n_waiting) <= len(samples) - start:
            self._wait_for(samples[start : start + wanted])
            excerpts.append(self._excerpt())
            start, self._number = start + wanted, self._number + 1
        self._wait_for(samples[start:])
        return excerpts

    def finish(self) -> list[Excerpt]:
        """The excerpt that ends with the stream, where the last one ended before it."""
        return [self._excerpt()] if self._n_waiting else []

    def _next_end(self) -> int:
        return round(self._number * self.every * self.sample_rate)

    def _wait_for(self, samples: np.ndarray) -> None:
        if len(samples):
            self._waiting.append(samples)
            self._n_waiting += len(samples)

    def _excerpt(self) -> Excerpt:
        """The one that ends with what has come in."""
        fresh = np.concatenate(self._waiting)
        self.n_samples += len(fresh)
        self._waiting, self._n_waiting = [], 0
        self._last = np.concatenate([self._last, fresh])[-round(self.length * self.sample_rate) :]
        before = self._activity.n_frames
        self._activity.push(fresh)
        seconds, end = len(self._last) / self.sample_rate, self.n_samples / self.sample_rate
        n_fresh = self._activity.n_frames - before
        spoken = self._activity.speech(seconds + n_fresh * HOP)
        self.levels.add(self._activity.levels(n_fresh), spoken[len(spoken) - n_fresh :])
        within = spoken[-max(1, round(seconds / HOP)) :]
        share = float(within.mean()) if len(within) else 0.0
        return Excerpt(end - seconds, end, share, level(self._last), self._last)


class Stream:
    """The windows of one channel of sound, as it comes in.

    Parameters
    ----------
    recognizer : a fitted system
    sample_rate, every, length : see ``Excerpts``, which raises ``ValueError`` where no stream can have them
    """

    def __init__(self, recognizer: Recognizer, sample_rate: int, *, every: float = 0.5, length: float = 3.0):
        self.recognizer, self.sample_rate = recognizer, sample_rate
        self._excerpts = Excerpts(sample_rate, every=every, length=length)

    @property
    def speech(self) -> float:
        """Seconds of speech so far, each counted once."""
        return self._excerpts.levels.speech

    def push(self, samples: np.ndarray) -> list[Window]:
        """Take the next samples, and give the windows that they complete.

        Parameters
        ----------
        samples : floats between −1 and 1, shape (s,), as many as there are

        Raises
        ------
        ValueError
            They are no floats, have more than one channel, or are not finite.
        """
        return [window_of(self.recognizer, one, self.sample_rate)[0] for one in self._excerpts.push(samples)]

    def finish(self) -> list[Window]:
        """The window that ends with the stream, where the last one ended before; also of a stream shorter than any."""
        return [window_of(self.recognizer, one, self.sample_rate)[0] for one in self._excerpts.finish()]


def window_of(recognizer: Recognizer, excerpt: Excerpt, sample_rate: int) -> tuple[Window, float]:
    """A window, and how far its features lie from those of the training clips; NaN without speech."""
    proba, emotion, distance = np.full(len(recognizer.classes), np.nan), NO_SPEECH, math.nan
    if excerpt.has_speech:
        proba, distance = probabilities_of(recognizer, excerpt.samples, sample_rate)
        emotion = answer(recognizer, proba)
    times = {"start": excerpt.start, "end": excerpt.end, "speech": excerpt.speech, "level": excerpt.level}
    confidence, proba = float(proba.max()), tuple(proba.tolist())
    return Window(**times, emotion=emotion, confidence=confidence, probabilities=proba), distance


def probabilities_of(recognizer: Recognizer, samples: np.ndarray, sample_rate: int) -> tuple[np.ndarray, float]:
    """Probabilities (C,) of one recording, as ``predict_samples`` has them, and the distance of its features: the root
    mean square of their standard scores among the training clips."""
    values = recognizer.values_of(samples, sample_rate)
    scores = (values - recognizer.head.centre) / recognizer.head.deviation
    return recognizer.probabilities(values[None])[0], float(np.sqrt(np.mean(np.square(scores))))


def check_size(samples: np.ndarray) -> None:
    """Refuse samples that are no sound, however it was scaled; ``ValueError``."""
    if samples.size and (largest := float(np.fmax.reduce(np.abs(samples), axis=None))) > LARGEST:
        raise ValueError(
            f"Samples are as large as {largest:.3g}, and full scale is 1; divide whole numbers by their largest value, "
            "or fetch a damaged file again."
        )


def answer(recognizer: Recognizer, proba: np.ndarray) -> str:
    """The likeliest class, or ``UNSURE`` where its probability is below the threshold of the card."""
    threshold = recognizer.card["threshold"]
    sure = threshold is not None and proba.max() >= threshold
    return recognizer.classes[int(proba.argmax())] if sure else UNSURE


def level(samples: np.ndarray) -> float:
    """Mean power in dB re full scale, ``SILENT`` at least."""
    power = float(samples @ samples) / max(1, len(samples))
    return max(SILENT, 10 * math.log10(power)) if power else SILENT
