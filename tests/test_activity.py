"""Voice activity: speech of the corpora is noticed, silence and what only sounds is not."""

from __future__ import annotations

import numpy as np
import pytest

from ser_study.audio import activity, channel, reading
from ser_study.audio.activity import Activity
from ser_study.corpora.files import audio_files
from ser_study.recognizer.stream import LEAST_SPEECH

RATES = (8_000, 16_000, 44_100)
SECONDS = 8


def frames_of(signal, rate):
    """Which frames of a whole recording are speech."""
    return activity.speech(activity.measures(np.asarray(signal, np.float32), rate))


def hum(seconds, frequency):
    return 0.1 * sum(np.sin(2 * np.pi * frequency * k * seconds) / k for k in (1, 2, 3, 5, 7))


def clicks(seconds, frequency):
    """Bursts of a millisecond at 2 kHz."""
    since = np.mod(seconds, 1 / frequency)
    return 0.5 * np.exp(-since / 1e-3) * np.cos(2 * np.pi * 2000 * since)


def pink(seconds, random):
    silent_but_once = np.zeros(len(seconds), np.float32)
    silent_but_once[0] = 1
    noise = channel.pink(silent_but_once, round(1 / seconds[1]), -60, random)
    return 0.05 * noise / noise.std()


NO_SPEECH = {
    "silence": lambda seconds, random: 0 * seconds,
    "white noise": lambda seconds, random: 0.05 * random.standard_normal(len(seconds)),
    "pink noise": pink,
    "one bit of noise": lambda seconds, random: np.round(0.5 * random.standard_normal(len(seconds))) / 32_768,
    "a hum of 50 Hz": lambda seconds, random: hum(seconds, 50),
    "a hum of 120 Hz": lambda seconds, random: hum(seconds, 120),
    "a tone": lambda seconds, random: 0.1 * np.sin(2 * np.pi * 1000 * seconds),
    "a hum that sets in": lambda seconds, random: hum(seconds, 120) * (seconds > 3),
    "noise that comes and goes": lambda seconds, random: 0.1 * random.standard_normal(len(seconds)) * (seconds % 2 < 1),
    "two clicks a second": lambda seconds, random: clicks(seconds, 2),
    "a hundred clicks a second": lambda seconds, random: clicks(seconds, 100),
    "a room": lambda seconds, random: 0.03 * pink(seconds, random) + 0.005 * hum(seconds, 50),
}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", NO_SPEECH)
def test_what_only_sounds_is_no_speech(name, rate):
    seconds = np.arange(SECONDS * rate) / rate
    signal = NO_SPEECH[name](seconds, np.random.default_rng(0)).astype(np.float32)
    stream, most = Activity(rate), 0.0
    for start in range(0, len(signal), rate // 2):
        stream.push(signal[start : start + rate // 2])
        most = max(most, activity.HOP * np.count_nonzero(stream.speech(3.0)))
    assert most < LEAST_SPEECH
    assert activity.HOP * np.count_nonzero(frames_of(signal, rate)) < LEAST_SPEECH


@pytest.fixture(scope="module")
def real_clips(corpora_dir):
    """Some clips of each corpus at hand, one channel each."""
    random, clips = np.random.default_rng(5), []
    for folder in sorted(path for path in corpora_dir.iterdir() if path.is_dir()):
        paths = sorted(audio_files(folder))
        chosen = random.permutation(len(paths))[:12]
        read = [reading.read(paths[i]) for i in chosen]
        clips += [(reading.to_mono(samples), rate) for samples, rate in read if samples.any()]
    return clips


@pytest.mark.corpus
def test_speech_of_the_corpora_is_speech(real_clips):
    spoken = [activity.HOP * np.count_nonzero(frames_of(signal, rate)) for signal, rate in real_clips]
    assert min(spoken) >= LEAST_SPEECH


@pytest.mark.corpus
def test_half_as_loud_is_the_same(real_clips):
    for signal, rate in real_clips[::4]:
        quiet = frames_of(0.5 * signal, rate)
        assert np.mean(quiet != frames_of(signal, rate)) < 0.05


@pytest.mark.corpus
def test_silence_around_speech_is_none(real_clips):
    for signal, rate in real_clips[::4]:
        padded = np.pad(signal, 2 * rate)
        spoken = frames_of(padded, rate)
        edge = round((2 - activity.FRAME) / activity.HOP)
        assert not spoken[:edge].any()
        assert not spoken[-edge:].any()
        assert spoken.any()


@pytest.mark.corpus
def test_in_a_stream_as_whole_whatever_the_chunks(real_clips):
    signal, rate = real_clips[0]
    whole = frames_of(signal, rate)
    for chunk in (97, 5_000):
        stream = Activity(rate)
        for start in range(0, len(signal), chunk):
            stream.push(signal[start : start + chunk])
        assert stream.n_frames == len(whole)
        assert np.mean(stream.speech(60) == whole) > 0.99


@pytest.mark.parametrize("n_samples", [0, 1, 639, 640, 641, 2_000])
def test_the_shortest_recordings(n_samples):
    noise = np.random.default_rng(0).standard_normal(n_samples).astype(np.float32)
    spoken = frames_of(noise, 16_000)
    assert len(spoken) == max(0, 1 + (n_samples - 640) // 320)
    stream = Activity(16_000)
    stream.push(noise)
    assert len(stream.speech(3.0)) == len(spoken)


def test_memory_is_constant():
    stream = Activity(16_000)
    for _ in range(300):
        stream.push(np.zeros(16_000, np.float32))
    assert stream.n_frames == 300 * 50 - 1
    assert len(stream.speech(1e6)) == round(activity.MEMORY / activity.HOP)
