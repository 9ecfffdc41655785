"""What a recogniser makes of a person's recording: an answer and a timeline for each channel, in constant memory.

Conventions
-----------
A file is read twice: once to measure it, and to learn what is wrong with it before anything is predicted; once to
predict. Two channels that hold the same are one. A recording of up to ``SHORT`` seconds is judged whole, as
``Recognizer.predict`` does; of a longer one, the probabilities of its windows are averaged, weighted by their speech.
Windows are predicted by several threads; their number changes no value, for each linear-algebra call has one thread.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from ser_study.audio import media, reading
from ser_study.audio.activity import Levels, measures, speech
from ser_study.audio.media import Media
from ser_study.parallel import n_workers
from ser_study.recognizer.conditions import Survey, standing, warnings_of
from ser_study.recognizer.recognizer import Recognizer
from ser_study.recognizer.stream import (
    LEAST_SPEECH,
    NO_SPEECH,
    Excerpt,
    Excerpts,
    Window,
    answer,
    check_size,
    probabilities_of,
    window_of,
)
from ser_study.schema import Signal, probability_columns

SHORT = 15.0  # s; a longer recording is no one clip
LENGTH = 3.0  # s of a window
MONO, STEREO = ("mono",), ("left", "right")
TIMES = ("start", "end", "speech", "level", "emotion", "confidence")


@dataclass(frozen=True)
class ChannelPrediction:
    """What is heard in one channel."""

    name: str  # ``mono``, ``left`` or ``right``
    timeline: pd.DataFrame  # one row a window: ``TIMES`` and p_<class>…
    emotion: str  # a class, ``UNSURE`` or ``NO_SPEECH``
    confidence: float  # NaN without speech
    probabilities: tuple[float, ...]  # one a class of the recogniser; NaN without speech
    speech: float  # s


@dataclass(frozen=True)
class FilePrediction:
    """What is heard in a recording."""

    path: Path
    duration: float  # s
    sample_rate: int  # Hz
    channels: list[ChannelPrediction]
    warnings: list[str]  # sentences, the standing one last


@dataclass
class _Channel:
    """One channel while the file is read."""

    name: str
    excerpts: Excerpts
    windows: list[Window] = field(default_factory=list)
    distances: list[float] = field(default_factory=list)


def predict_file(
    recognizer: Recognizer, path: Path | str, *, every: float = 1.0, timeline: bool = True, jobs: int = 0
) -> FilePrediction:
    """What is heard in a recording of any length, rate and number of channels.

    Parameters
    ----------
    path : anything that libsndfile or, where it is installed, ffmpeg reads
    every : s from one window of the timeline to the next
    timeline : whether a recording of up to ``SHORT`` seconds gets one, too
    jobs : threads; 0: one a core

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read, or windows cannot be made ``every`` so many seconds; the message says what to do.
    """
    about = media.opened(path)
    Excerpts(about.sample_rate, every=every, length=LENGTH)  # so that a wrong step is an error now
    survey = Survey(about.sample_rate, about.n_channels)
    for block in media.blocks(about):
        try:
            check_size(block)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        survey.add(block)
    short = survey.seconds <= SHORT
    names = STEREO if about.n_channels == 2 and not survey.same else MONO
    rows: list[_Channel] = []
    if not short or timeline:
        rows = _windows(recognizer, about, names, every=every, jobs=jobs)
    channels, warnings = [], []
    for i, name in enumerate(names):
        options = {"rows": rows[i] if rows else None, "survey": survey, "channel": i}
        judged = partial(_whole, about=about) if short else _averaged
        one, sentences = judged(recognizer, name, **options)
        channels.append(one)
        warnings += [f"{name.capitalize()}: {sentence}" if len(names) > 1 else sentence for sentence in sentences]
    if about.n_channels > 2:
        warnings.insert(0, f"It has {about.n_channels} channels, which were mixed to one.")
    return FilePrediction(
        Path(path), survey.seconds, about.sample_rate, channels, [*warnings, standing(recognizer.card)]
    )


def _channels_of(block: np.ndarray, names: tuple[str, ...]) -> list[Signal]:
    """The signals that are judged, of a block (s, channels)."""
    return [reading.to_mono(block)] if names == MONO else list(block.T)


def _windows(
    recognizer: Recognizer, about: Media, names: tuple[str, ...], *, every: float, jobs: int
) -> list[_Channel]:
    """The windows of each channel; while some are predicted, the next are read."""
    channels = [_Channel(name, Excerpts(about.sample_rate, every=every, length=LENGTH)) for name in names]
    work = partial(window_of, recognizer, sample_rate=about.sample_rate)
    with threadpool_limits(1), ThreadPoolExecutor(n_workers(jobs)) as pool:
        waiting: list[Iterator] = []
        for excerpts in _excerpts(about, channels):
            following = [pool.map(work, some) for some in excerpts]
            _collect(channels, waiting)
            waiting = following
        _collect(channels, waiting)
    return channels


def _excerpts(about: Media, channels: list[_Channel]) -> Iterator[list[list[Excerpt]]]:
    """What each block completes in each channel, and at the end what is left."""
    names = tuple(channel.name for channel in channels)
    for block in media.blocks(about):
        yield [channel.excerpts.push(signal) for channel, signal in zip(channels, _channels_of(block, names))]
    yield [channel.excerpts.finish() for channel in channels]


def _collect(channels: list[_Channel], waiting: list[Iterator]) -> None:
    for channel, results in zip(channels, waiting):
        for window, distance in results:
            channel.windows.append(window)
            channel.distances.append(distance)


def _whole(
    recognizer: Recognizer, name: str, *, rows: _Channel | None, survey: Survey, channel: int, about: Media
) -> tuple[ChannelPrediction, list[str]]:
    """A short recording as one clip."""
    samples = np.concatenate(list(media.blocks(about)))
    judged = samples if name in MONO else samples[:, channel]
    measured, levels = measures(reading.to_mono(samples) if name in MONO else judged, about.sample_rate), Levels()
    levels.add(measured[:, 0], speech(measured))
    proba, distance, emotion = np.full(len(recognizer.classes), math.nan), math.nan, NO_SPEECH
    if levels.speech >= LEAST_SPEECH - 1e-9:
        proba, distance = probabilities_of(recognizer, judged, about.sample_rate)
        emotion = answer(recognizer, proba)
    made = _prediction(recognizer, name, rows, emotion, proba, levels.speech)
    return made, _sentences(recognizer, made, survey, channel, levels, distance, at_once=True)


def _averaged(
    recognizer: Recognizer, name: str, *, rows: _Channel, survey: Survey, channel: int
) -> tuple[ChannelPrediction, list[str]]:
    """A long recording: the mean over its windows, weighted by their speech."""
    spoken = [one for one in rows.windows if one.emotion != NO_SPEECH]
    proba, emotion = np.full(len(recognizer.classes), math.nan), NO_SPEECH
    if spoken:
        weights = np.array([one.speech * (one.end - one.start) for one in spoken])
        proba = np.average([one.probabilities for one in spoken], axis=0, weights=weights)
        emotion = answer(recognizer, proba)
    levels = rows.excerpts.levels
    made = _prediction(recognizer, name, rows, emotion, proba, levels.speech)
    known = [distance for distance in rows.distances if not math.isnan(distance)]
    distance = float(np.median(known)) if known else math.nan
    return made, _sentences(recognizer, made, survey, channel, levels, distance, at_once=False)


def _sentences(recognizer, made: ChannelPrediction, survey, channel, levels, distance, *, at_once) -> list[str]:
    if made.emotion == NO_SPEECH:
        return []
    return warnings_of(survey, channel, levels, distance=distance, card=recognizer.card, at_once=at_once)


def _prediction(
    recognizer: Recognizer, name: str, rows: _Channel | None, emotion: str, proba: np.ndarray, seconds: float
) -> ChannelPrediction:
    windows = rows.windows if rows else []
    columns = [*TIMES, *probability_columns(recognizer.classes)]
    values = [[getattr(one, column) for column in TIMES] + list(one.probabilities) for one in windows]
    timeline = pd.DataFrame(values, columns=columns).astype({"emotion": str})
    probabilities = tuple(float(value) for value in proba)
    return ChannelPrediction(name, timeline, emotion, max(probabilities), probabilities, seconds)
