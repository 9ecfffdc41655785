"""Vectors and images: the student projects' recipes against librosa, ours against signals whose answer is known."""

from __future__ import annotations

import warnings
from dataclasses import replace

import librosa
import numpy as np
import pytest
import soundfile

from ser_study.audio import prepare
from ser_study.config import Audio, Config, Frames, Images
from ser_study.features import images, vectors

RATE = 16_000  # Hz
FRAMES = Config().librosa_frames
LIBROSA_AUDIO = Config().means184_audio


def _noise(seconds, *, scale=0.1, rate=RATE):
    return np.random.default_rng(4).normal(0, scale, int(seconds * rate)).astype(np.float32)


def _voice(f0, *, rate=RATE):
    """Harmonic tone with the F0 given per sample, float32."""
    phase = 2 * np.pi * np.cumsum(f0) / rate
    return (0.1 * sum(np.sin(k * phase) / k for k in range(1, 9))).astype(np.float32)


EDGE_CASES = {
    "silent": np.zeros(RATE, np.float32),
    "50 ms": _noise(0.05),
    "50 ms, silent": np.zeros(RATE // 20, np.float32),
    "unvoiced": _noise(1),
    "voiced throughout": _voice(np.full(RATE, 150.0)),
    "one sample": np.ones(1, np.float32),
    "constant": np.full(RATE, 0.5, np.float32),
    "overdriven": 40 * _noise(0.5),
}


def _features_of_e001(signal):
    """E001's own separate calls, in its order."""
    feature = librosa.feature
    parts = (
        feature.rms(y=signal),
        feature.spectral_centroid(y=signal, sr=22_050),
        feature.spectral_rolloff(y=signal, sr=22_050),
        feature.zero_crossing_rate(signal),
        feature.chroma_stft(S=np.abs(librosa.stft(signal)), sr=22_050),
        feature.mfcc(y=signal, sr=22_050, n_mfcc=40),
        feature.melspectrogram(y=signal, sr=22_050, n_fft=2048, hop_length=512),
    )
    return [part.mean(axis=1) for part in parts]


def _assert_close(ours, parts):
    start = 0
    for part in parts:
        here = ours[start : start + len(part)]
        assert np.abs(here - part).max() <= 1e-4 * np.abs(part).max()
        start += len(part)
    assert start == len(ours)
    assert ours.dtype == np.float32


@pytest.mark.parametrize("signal", [_noise(2), _voice(np.geomspace(90, 300, 40_000)), _noise(0.1), np.zeros(9000)])
def test_mean_vectors_equal_librosa(signal):
    signal = signal.astype(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of silence
        rms, centroid, rolloff, zcr, chroma, mfcc, mel = _features_of_e001(signal)
    _assert_close(vectors.means184(signal, 22_050, FRAMES), (rms, centroid, rolloff, zcr, chroma, mfcc, mel))
    _assert_close(vectors.means180(signal, 22_050, FRAMES), (mfcc, chroma, mel))


@pytest.mark.corpus
def test_mean_vectors_equal_librosa_on_real_clips(corpora_dir):
    for path in sorted(corpora_dir.glob("ravdess/**/*-0[1-8].*"))[::60]:
        loaded, _ = librosa.load(path, sr=22_050)
        trimmed, _ = librosa.effects.trim(loaded)
        _assert_close(vectors.means184(prepare.load(path, LIBROSA_AUDIO), 22_050, FRAMES), _features_of_e001(trimmed))
        untrimmed = prepare.load(path, replace(LIBROSA_AUDIO, trim=False))
        parts = _features_of_e001(loaded)
        _assert_close(vectors.means180(untrimmed, 22_050, FRAMES), (parts[5], parts[4], parts[6]))


def test_names_of_the_seed_vectors():
    names = vectors.means184_columns(FRAMES)
    assert len(names) == len(set(names)) == 184
    assert names[:5] == ("rms_mean", "centroid_mean", "rolloff_mean", "zcr_mean", "chroma_c_mean")
    assert (names[16], names[55], names[56], names[183]) == (
        "mfcc_00_mean",
        "mfcc_39_mean",
        "mel_000_mean",
        "mel_127_mean",
    )
    assert vectors.means180_columns(FRAMES) == names[16:56] + names[4:16] + names[56:]


@pytest.mark.parametrize("case", EDGE_CASES)
@pytest.mark.parametrize("name", ["means184", "means180", "summary"])
def test_edge_cases_are_finite_and_named(name, case):
    extract, columns = getattr(vectors, name), getattr(vectors, f"{name}_columns")
    values = extract(EDGE_CASES[case], RATE, Frames())
    names = columns(Frames())
    assert values.shape == (len(names),)
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
    assert len(set(names)) == len(names) <= 400


def test_extraction_leaves_the_signal_alone():
    signal = _noise(0.5)
    before = signal.copy()
    first = vectors.summary(signal, RATE, Frames())
    np.testing.assert_array_equal(signal, before)
    np.testing.assert_array_equal(first, vectors.summary(signal, RATE, Frames()))


def _summary(signal):
    return dict(zip(vectors.summary_columns(Frames()), vectors.summary(signal, RATE, Frames()).tolist()))


def test_unvoiced_rule():
    for case in ("silent", "50 ms, silent"):
        named = _summary(EDGE_CASES[case])
        assert all(named[f"f0_{statistic}"] == 0 for statistic in ("mean", "sd", "p05", "p50", "p95", "slope", "step"))
        assert named["voiced_share"] == named["voiced_segments_per_s"] == named["voiced_segment_mean"] == 0
        assert named["loudness_peaks_per_s"] == 0
        assert named["unvoiced_segment_mean"] > 0


def test_rising_pitch_is_measured_in_semitones():
    named = _summary(_voice(np.geomspace(110, 220, 2 * RATE)))  # an octave in two seconds
    assert abs(named["f0_slope"] - 6) < 0.1  # semitones per second
    assert abs(named["f0_p50"] - 30) < 0.3  # 155.6 Hz is 30 semitones above 27.5 Hz
    assert abs(named["f0_mean"] - 30) < 0.3
    assert named["voiced_share"] > 0.97
    assert abs(named["duration"] - 2) < 1e-6


def test_loudness_is_in_decibels():
    quiet, loud = (_summary(scale * _noise(1)) for scale in (0.1, 0.2))
    assert abs(loud["rms_db_mean"] - quiet["rms_db_mean"] - 20 * np.log10(2)) < 1e-3
    assert abs(loud["rms_db_sd"] - quiet["rms_db_sd"]) < 1e-3
    assert abs(loud["centroid_mean"] - quiet["centroid_mean"]) < 0.1
    fading = _summary(_noise(2) * 10 ** np.linspace(0, -2, 2 * RATE, dtype=np.float32))
    assert abs(fading["rms_db_slope"] + 20) < 1  # dB per second


def test_rhythm_counts_syllables():
    times = np.arange(3 * RATE) / RATE
    is_on = (times * 2) % 1 < 0.5  # two syllables of a quarter of a second each second
    signal = _voice(np.full(3 * RATE, 140.0)) * np.convolve(is_on, np.hanning(800) / 400, mode="same")
    named = _summary(signal.astype(np.float32))
    assert abs(named["voiced_segments_per_s"] - 2) < 0.01
    assert abs(named["loudness_peaks_per_s"] - 2) < 0.01
    assert 0.2 < named["voiced_segment_mean"] < 0.4
    assert named["voiced_segment_sd"] < 0.05
    assert 0.4 < named["voiced_share"] < 0.75


@pytest.mark.parametrize(
    ("level", "n_peaks"),
    [
        ([-20, -20, -20], 1),  # one steady sound
        ([-40, -20, -21, -20, -40], 1),  # a dip of 1 dB parts nothing
        ([-40, -20, -23, -20, -40], 2),
        ([-20, -60, -50, -60, -20], 2),  # the middle one is 30 dB down
        ([-100, -100], 0),
    ],
)
def test_loudness_peaks(level, n_peaks):
    assert vectors._count_peaks(np.array(level, float)) == n_peaks


def test_statistics_against_numpy():
    times = np.arange(50) * 0.016
    values = np.random.default_rng(0).normal(size=(50, 2)) + np.outer(times, [3, -5])
    mean, sd, p05, p50, p95, slope = vectors.statistics(values, times).reshape(2, 6).T
    np.testing.assert_allclose(mean, values.mean(axis=0))
    np.testing.assert_allclose(sd, values.std(axis=0))
    np.testing.assert_allclose([p05, p50, p95], np.percentile(values, [5, 50, 95], axis=0))
    np.testing.assert_allclose(slope, np.polyfit(times, values, 1)[0])


@pytest.mark.parametrize("seconds", [0.05, 1.0, 4.096, 9.0])
def test_images_have_one_size(seconds):
    image = images.log_mel(_noise(seconds), RATE, Images())
    assert image.shape == (128, 128, 1)
    assert image.dtype == np.float32
    assert -5 < image.max() <= 0
    assert image.min() >= -80


def test_image_equals_librosa():
    settings = Images(n_mels=40, n_fft=1024, hop_length=256, n_frames=63)
    signal = _voice(np.geomspace(100, 300, RATE))
    mel = librosa.feature.melspectrogram(y=signal, sr=RATE, n_fft=1024, hop_length=256, n_mels=40)
    expected = librosa.power_to_db(mel, ref=np.max).T
    np.testing.assert_allclose(images.log_mel(signal, RATE, settings)[:, :, 0], expected, atol=1e-3)
    assert images.log_mel_columns(settings) == ("level_db",)


def test_image_is_centred_and_level_free():
    signal = _noise(0.5)
    image = images.log_mel(signal, RATE, Images())
    is_padding = (image == -80).all(axis=(1, 2))
    assert is_padding.sum() == 128 - 16
    assert is_padding[:56].all()
    assert is_padding[72:].all()
    np.testing.assert_allclose(images.log_mel(0.01 * signal, RATE, Images()), image, atol=1e-3)
    assert (images.log_mel(np.zeros(RATE, np.float32), RATE, Images()) == -80).all()


def test_recogniser_and_study_hear_the_same(tmp_path):
    soundfile.write(tmp_path / "a.flac", _noise(1), RATE)
    samples, sample_rate = prepare.read(tmp_path / "a.flac")
    by_samples = vectors.summary(prepare.prepare(samples, sample_rate, Audio()), RATE, Frames())
    by_path = vectors.summary(prepare.load(tmp_path / "a.flac", Audio()), RATE, Frames())
    assert by_samples.tobytes() == by_path.tobytes()
