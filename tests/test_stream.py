"""Windows of a stream: the study's probabilities in each, whatever the chunks, and no speech where there is none."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from ser_study import corpora, recognizer
from ser_study.audio import reading
from ser_study.experiments.experiment import Experiment
from ser_study.recognizer import UNSURE
from ser_study.recognizer.stream import NO_SPEECH, Stream
from ser_study.schema import probability_columns

ONE = Experiment("synthetic", "speaker_independent", "means184", "lda")


@pytest.fixture(scope="module")
def fitted(small_study):
    return recognizer.made(ONE, small_study.selections, config=small_study.config, store=small_study.store)


@pytest.fixture(scope="module")
def spoken(small_study):
    """Some clips of the built-in corpus after one another, at their own rate."""
    clips = small_study.clips("synthetic").head(4)
    root = corpora.root_of("synthetic", small_study.store)
    parts = [reading.read(root / path) for path in clips["path"]]
    return np.concatenate([samples[:, 0] for samples, _ in parts]), parts[0][1]


def windows_of(fitted, samples, rate, chunk, **options):
    stream = Stream(fitted, rate, **options)
    windows = [one for at in range(0, len(samples), chunk) for one in stream.push(samples[at : at + chunk])]
    return windows + stream.finish()


def test_a_window_is_predicted_as_its_samples_are_bit_for_bit(fitted, spoken):
    samples, rate = spoken
    windows = windows_of(fitted, samples, rate, 1000, every=0.7, length=1.5)
    assert windows[0].end == pytest.approx(0.7)
    assert windows[-1].end == len(samples) / rate
    voiced = [one for one in windows if one.emotion != NO_SPEECH]
    assert len(voiced) > len(windows) / 2
    for one in voiced:
        row = fitted.predict_samples(samples[round(one.start * rate) : round(one.end * rate)], rate).iloc[0]
        assert np.float32(one.probabilities).tobytes() == np.float32(row[probability_columns(fitted.classes)]).tobytes()
        assert one.emotion == row["emotion"]
        assert np.float32(one.confidence) == row["confidence"]


def test_chunks_change_nothing(fitted, spoken):
    samples, rate = spoken
    whole = windows_of(fitted, samples, rate, len(samples))
    assert whole == windows_of(fitted, samples, rate, 777)
    ends = [one.end for one in whole[:-1]]
    np.testing.assert_allclose(ends, 0.5 * np.arange(1, len(ends) + 1))
    assert all(one.end - one.start <= 3.0 for one in whole)
    assert whole[0].start == 0


def test_a_stream_shorter_than_a_window_has_one(fitted, spoken):
    samples, rate = spoken
    assert Stream(fitted, rate).finish() == []
    (one,) = windows_of(fitted, samples[: rate // 4], rate, 50)
    assert (one.start, one.end) == (0, 0.25)
    (one,) = windows_of(fitted, samples[:1], rate, 1)
    assert one.emotion == NO_SPEECH


@pytest.mark.parametrize("level", [0.0, 0.1])
def test_without_speech_nothing_reaches_the_features(fitted, monkeypatch, level):
    monkeypatch.setattr(type(fitted), "values_of", lambda *_: pytest.fail("asked"))
    noise = (level * np.random.default_rng(0).standard_normal(5 * 16_000)).astype(np.float32)
    windows = windows_of(fitted, noise, 16_000, 999)
    assert len(windows) == 10
    assert {one.emotion for one in windows} == {NO_SPEECH}
    assert {one.speech for one in windows} == {0.0}
    assert np.isnan([one.confidence for one in windows]).all()
    assert np.isnan([one.probabilities for one in windows]).all()
    assert windows[0].level == pytest.approx(-20 if level else -120, abs=0.2)


def test_below_the_threshold_it_is_unsure(fitted, spoken):
    never = recognizer.Recognizer(fitted.head, fitted.card | {"threshold": None})
    samples, rate = spoken
    assert {one.emotion for one in windows_of(never, samples[: 3 * rate], rate, rate)} <= {UNSURE, NO_SPEECH}


def test_memory_is_constant(fitted):
    stream = Stream(fitted, 48_000)
    noise = (0.1 * np.random.default_rng(0).standard_normal(48_000)).astype(np.float32)
    for _ in range(12):
        stream.push(noise)
    tracemalloc.start()
    for _ in range(120):
        stream.push(noise)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * 2**20


@pytest.mark.parametrize(
    ("samples", "words"),
    [
        (np.zeros((9, 2), np.float32), "of one channel"),
        (np.zeros(9, np.int16), "give floats"),
        (np.array([0, np.nan], np.float32), "1 of 2 samples"),
        (np.array([0, 3e30], np.float32), "as large as 3e"),
    ],
)
def test_samples_that_are_none_are_refused(fitted, samples, words):
    with pytest.raises(ValueError, match=words):
        Stream(fitted, 16_000).push(samples)


@pytest.mark.parametrize("options", [{"every": 0}, {"length": 0.1}, {"every": float("nan")}, {"length": 1e9}])
def test_windows_that_cannot_be_are_refused(fitted, options):
    with pytest.raises(ValueError, match="cannot be made"):
        Stream(fitted, 16_000, **options)
    with pytest.raises(ValueError, match="sample rate"):
        Stream(fitted, 0)
