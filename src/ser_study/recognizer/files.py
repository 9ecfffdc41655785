"""What a recogniser makes of a person's recording: an answer and a timeline for each channel, in constant memory.

Conventions
-----------
A file is read once to measure it, and to learn what is wrong with it before anything is predicted. One of up to
``SHORT`` seconds is kept meanwhile and judged whole, as ``Recognizer.predict`` does; a longer one is read again, and
the probabilities of its windows are averaged, weighted by their speech. Two channels that hold the same are one.
Windows are predicted by several threads; their number changes no value, for each linear-algebra call has one thread.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from ser_study.audio import media, reading
from ser_study.audio.activity import Levels, measures, speech
from ser_study.audio.media import Media
from ser_study.parallel import n_workers, single_threaded
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
    recognizer: Recognizer,
    path: Path | str | Media,
    *,
    every: float = 1.0,
    timeline: bool = True,
    jobs: int = 0,
    watch: Callable[[np.ndarray], None] | None = None,
) -> FilePrediction:
    """What is heard in a recording of any length, rate and number of channels.

    Parameters
    ----------
    path : anything that libsndfile or, where it is installed, ffmpeg reads; or what ``media.opened`` says of it
    every : s from one window of the timeline to the next
    timeline : whether a recording of up to ``SHORT`` seconds gets one, too
    jobs : threads; 0: one a core
    watch : is given every block (s, channels) of the recording once, in order

    Raises
    ------
    FileNotFoundError
        There is no such file.
    ValueError
        It cannot be read, or windows cannot be made ``every`` so many seconds; the message says what to do.
    """
    about = path if isinstance(path, Media) else media.opened(path)
    Excerpts(about.sample_rate, every=every, length=LENGTH)  # so that a wrong step is an error now
    survey, kept = _surveyed(about, watch)
    short = bool(kept)
    names = STEREO if about.n_channels == 2 and not survey.same else MONO
    rows: list[_Channel] = []
    if not short or timeline:
        rows = _windows(recognizer, about, kept, names, every=every, jobs=jobs)
    channels, warnings = [], []
    samples = np.concatenate(kept) if short else None
    for i, name in enumerate(names):
        options = {"rows": rows[i] if rows else None, "survey": survey, "channel": i}
        judged = partial(_whole, samples=samples) if short else _averaged
        one, sentences = judged(recognizer, name, **options)
        channels.append(one)
        warnings += [f"{name.capitalize()}: {sentence}" if len(names) > 1 else sentence for sentence in sentences]
    if about.n_channels > 2:
        warnings.insert(0, f"It has {about.n_channels} channels, which were mixed to one.")
    return FilePrediction(
        about.path, survey.seconds, about.sample_rate, channels, [*warnings, standing(recognizer.card)]
    )


def _surveyed(about: Media, watch: Callable[[np.ndarray], None] | None) -> tuple[Survey, list[np.ndarray]]:
    """What one pass over a recording measures, and its blocks where it is no longer than ``SHORT``."""
    survey, kept = Survey(about.sample_rate, about.n_channels), []
    for block in media.blocks(about):
        try:
            check_size(block)
        except ValueError as error:
            raise ValueError(f"{about.path}: {error}") from None
        survey.add(block)
        if watch:
            watch(block)
        kept = [*kept, block] if survey.seconds <= SHORT else []
    return survey, kept


def _channels_of(block: np.ndarray, names: tuple[str, ...]) -> list[Signal]:
    """The signals that are judged, of a block (s, channels)."""
    return [reading.to_mono(block)] if names == MONO else list(block.T)


def _windows(
    recognizer: Recognizer, about: Media, kept: list[np.ndarray], names: tuple[str, ...], *, every: float, jobs: int
) -> list[_Channel]:
    """The windows of each channel; while some are predicted, the next are read, unless all were kept."""
    channels = [_Channel(name, Excerpts(about.sample_rate, every=every, length=LENGTH)) for name in names]
    work = partial(window_of, recognizer, sample_rate=about.sample_rate)
    with single_threaded(), ThreadPoolExecutor(n_workers(jobs)) as pool:
        waiting: list[Iterator] = []
        for excerpts in _excerpts(kept or media.blocks(about), channels):
            following = [pool.map(work, some) for some in excerpts]
            _collect(channels, waiting)
            waiting = following
        _collect(channels, waiting)
    return channels


def _excerpts(blocks: Iterable[np.ndarray], channels: list[_Channel]) -> Iterator[list[list[Excerpt]]]:
    """What each block completes in each channel, and at the end what is left."""
    names = tuple(channel.name for channel in channels)
    for block in blocks:
        yield [channel.excerpts.push(signal) for channel, signal in zip(channels, _channels_of(block, names))]
    yield [channel.excerpts.finish() for channel in channels]


def _collect(channels: list[_Channel], waiting: list[Iterator]) -> None:
    for channel, results in zip(channels, waiting):
        for window, distance in results:
            channel.windows.append(window)
            channel.distances.append(distance)


def _whole(
    recognizer: Recognizer, name: str, *, rows: _Channel | None, survey: Survey, channel: int, samples: np.ndarray
) -> tuple[ChannelPrediction, list[str]]:
    """A short recording (s, channels) as one clip."""
    judged = samples if name in MONO else samples[:, channel]
    measured, levels = measures(reading.to_mono(samples) if name in MONO else judged, survey.sample_rate), Levels()
    levels.add(measured[:, 0], speech(measured))
    proba, distance, emotion = np.full(len(recognizer.classes), math.nan), math.nan, NO_SPEECH
    if levels.speech >= LEAST_SPEECH - 1e-9:
        proba, distance = _of_last(rows, survey.seconds) or probabilities_of(recognizer, judged, survey.sample_rate)
        emotion = answer(recognizer, proba)
    made = _prediction(recognizer, name, rows, emotion, proba, levels.speech)
    return made, _sentences(recognizer, made, survey, channel, levels, distance, at_once=True)


def _of_last(rows: _Channel | None, seconds: float) -> tuple[np.ndarray, float] | None:
    """What the last window gave, where it is the whole recording and has speech: it is the same clip then."""
    last = rows.windows[-1] if rows and rows.windows else None
    if last is None or last.start > 0 or last.end < seconds or last.emotion == NO_SPEECH:
        return None
    return np.array(last.probabilities, np.float32), rows.distances[-1]


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
    timeline = _timeline(rows.windows, recognizer.classes) if rows else _no_timeline(recognizer.classes).copy()
    probabilities = tuple(float(value) for value in proba)
    return ChannelPrediction(name, timeline, emotion, max(probabilities), probabilities, seconds)


def _timeline(windows: list[Window], classes: tuple[str, ...]) -> pd.DataFrame:
    columns = {column: [getattr(one, column) for one in windows] for column in TIMES}
    shares = np.array([one.probabilities for one in windows], float).reshape(-1, len(classes))
    typed = {
        name: pd.array(some, "str") if name == "emotion" else np.array(some, float) for name, some in columns.items()
    }
    return pd.DataFrame(typed | dict(zip(probability_columns(classes), shares.T)))


@lru_cache(maxsize=8)
def _no_timeline(classes: tuple[str, ...]) -> pd.DataFrame:
    """A timeline of no window, made once: making a table takes as long as describing a short clip."""
    return _timeline([], classes)
