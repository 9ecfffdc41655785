"""Cutting, cleaning, fitting, scaling: against librosa, pandas and hand computation."""

from __future__ import annotations

import dataclasses
import itertools

import librosa
import noisereduce
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler

from ser_study.audio import prepare, signal
from ser_study.config import Config

RATE = 16_000  # Hz


def spoken(seed: int, n_samples: int = 30_000) -> np.ndarray:
    """Noise whose level wanders over 100 dB, quiet at both ends, float32."""
    rng = np.random.default_rng(seed)
    level = 10.0 ** np.interp(np.arange(n_samples), np.linspace(0, n_samples, 11), [-5, *rng.uniform(-4, 0, 9), -5])
    return (rng.normal(0, 0.1, n_samples) * level).astype(np.float32)


def strip_with_librosa(samples: np.ndarray, level: float) -> np.ndarray:
    """E000's rule by librosa's frames: drop hops up to the first loud frame, from either end."""
    for _ in range(2):
        rms = librosa.feature.rms(y=samples, frame_length=512, hop_length=256, pad_mode="reflect")[0]
        samples = samples[256 * np.argmax(rms >= level) :][::-1]
    return samples


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [0.001, 0.01])
def test_rms_strip_equals_librosa_frames(seed, level):
    samples = spoken(seed)
    rest = signal.rms_strip(samples, level=level)
    np.testing.assert_array_equal(rest, strip_with_librosa(samples, level))
    assert 0 < len(rest) < len(samples)


@pytest.mark.parametrize("seed", range(4))
def test_rolling_cut_equals_pandas(seed):
    samples = spoken(seed)
    loud = np.flatnonzero(pd.Series(samples.astype(float)).rolling(50).sum().abs() > 0.01)
    rest = signal.rolling_cut(samples, level=0.01)
    np.testing.assert_array_equal(rest, samples[loud[0] : loud[-1] + 50])
    assert 0 < len(rest) < len(samples)


def test_the_rolling_sum_is_signed():
    tone = np.tile([0.5, -0.5], 500).astype(np.float32)  # loud, yet every sum of 50 is 0
    assert signal.rolling_cut(tone) is tone
    tone[400] = 0.52  # windows that end at samples 400 … 449 are loud: from 400 to 449 + 50 remains
    assert len(signal.rolling_cut(tone)) == 99


@pytest.mark.parametrize("how", ["rms", "rolling_sum"])
@pytest.mark.parametrize("n_samples", [1, 49, 256, 512, 5000])
def test_no_cut_empties_a_clip(how, n_samples):
    for samples in (np.zeros(n_samples, np.float32), np.full(n_samples, 1e-6, np.float32)):
        assert signal.cut(samples, how=how, level=0.001) is samples
    spike = np.zeros(n_samples, np.float32)
    for place in {0, n_samples // 2, n_samples - 1}:
        rest = signal.cut(np.where(np.arange(n_samples) == place, 1, spike), how=how, level=0.001)
        assert 0 < len(rest) <= n_samples


@pytest.mark.parametrize(
    ("pad", "crop", "short", "long"),
    [
        ("centre", "centre", [0, 1, 2, 0, 0], [2, 3, 4, 5, 6]),
        ("start", "start", [0, 0, 0, 1, 2], [1, 2, 3, 4, 5]),
        ("end", "start", [1, 2, 0, 0, 0], [1, 2, 3, 4, 5]),
    ],
)
def test_fitted(pad, crop, short, long):
    some, many = np.array([1, 2], np.float32), np.arange(1, 8, dtype=np.float32)
    assert signal.fitted(some, n_samples=5, pad=pad, crop=crop).tolist() == short
    assert signal.fitted(many, n_samples=5, pad=pad, crop=crop).tolist() == long


def test_scales():
    samples = spoken(0) + np.float32(0.02)
    peak, z_score = signal.scaled(samples, how="peak"), signal.scaled(samples, how="z_score")
    np.testing.assert_allclose(peak, librosa.util.normalize(samples), atol=1e-7)
    low_to_high = MinMaxScaler((-1, 1)).fit_transform(samples[:, None].astype(float))[:, 0]
    np.testing.assert_allclose(signal.scaled(samples, how="min_max"), low_to_high, atol=1e-6)
    assert abs(z_score.mean(dtype=float)) < 1e-6
    assert z_score.std(dtype=float) == pytest.approx(1, abs=1e-6)
    assert signal.scaled(samples, how="") is samples
    for how, level in itertools.product(("peak", "min_max", "z_score"), (0.0, 0.3)):
        constant = np.full(99, level, np.float32)
        np.testing.assert_array_equal(signal.scaled(constant, how=how), constant)


def test_noise_reduction_lowers_noise_more_than_syllables():
    rng = np.random.default_rng(1)
    place = np.arange(3 * RATE)
    syllable = (place >= RATE) & (place < RATE + RATE // 10)
    samples = (rng.normal(0, 0.02, 3 * RATE) + 0.5 * syllable * np.sin(2 * np.pi * 300 * place / RATE)).astype("f4")
    cleaned = signal.denoise(samples, sample_rate=RATE)
    assert cleaned.shape == samples.shape
    assert cleaned.dtype == np.float32
    np.testing.assert_array_equal(cleaned, signal.denoise(samples, sample_rate=RATE))
    left = {
        name: cleaned[part].std() / samples[part].std() for name, part in (("noise", ~syllable), ("voice", syllable))
    }
    assert left["noise"] < 0.3
    assert left["voice"] > 2 * left["noise"]


@pytest.mark.parametrize("sample_rate", [16_000, 44_100])
def test_noise_reduction_is_the_library_with_its_defaults(sample_rate):
    samples = spoken(3)
    expected = noisereduce.reduce_noise(y=samples, sr=sample_rate)
    np.testing.assert_array_equal(signal.denoise(samples, sample_rate=sample_rate), expected)


@pytest.mark.parametrize("sample_rate", [1_000, 4_000, 44_100, 384_000])
def test_noise_reduction_at_any_rate_and_length(sample_rate):
    for samples in (np.zeros(700, np.float32), np.full(1, 0.2, np.float32), spoken(2, 4000)):
        cleaned = signal.denoise(samples, sample_rate=sample_rate)
        assert cleaned.shape == samples.shape
        assert np.isfinite(cleaned).all()


def test_treatments_change_only_their_section():
    config = Config()
    assert signal.treated(config, "") is config
    for name, changes in signal.TREATMENTS.items():
        treated = signal.treated(config, name)
        signal.check(treated.audio)
        assert treated.audio == dataclasses.replace(config.audio, **changes)
        assert dataclasses.replace(treated, audio=config.audio, frames=config.frames, images=config.images) == config
    assert signal.treated(config, "z-score", "means184_audio").means184_audio.scale == "z_score"
    twice = signal.treated(config, "44.1 kHz")
    before, after = (c.frames.n_fft / c.audio.sample_rate for c in (config, twice))
    assert after == pytest.approx(before, rel=1e-3)
    with pytest.raises(ValueError, match="Unknown treatment 'louder'.*Known: as recorded"):
        signal.treated(config, "louder")
    with pytest.raises(ValueError, match="'models' of the settings prepares no clips"):
        signal.treated(config, "peak", "models")


@pytest.mark.corpus
def test_every_treatment_of_real_clips_is_finite(corpora_dir):
    rest = {name: [] for name in signal.TREATMENTS}
    for corpus in ("ravdess", "tess", "crema_d", "emodb"):
        paths = sorted(p for p in (corpora_dir / corpus).rglob("*.*") if p.suffix in (".ogg", ".wav"))[::900]
        for path, name in itertools.product(paths, signal.TREATMENTS):
            audio = signal.treated(Config(), name).audio
            samples, rate = prepare.read(path)
            treated = prepare.prepare(samples, rate, audio)
            assert treated.dtype == np.float32
            assert np.isfinite(treated).all()
            assert treated.any()
            rest[name].append(len(treated) / audio.sample_rate / (len(samples) / rate))
    mean = {name: np.mean(shares) for name, shares in rest.items()}
    assert mean["trim 30 dB"] < mean["trim 40 dB"] < mean["trim 60 dB"] < mean["as recorded"]
    assert mean["as recorded"] == pytest.approx(1, abs=1e-3)
