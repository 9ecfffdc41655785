"""Augmentation: repeatable, of the right length and pitch, equal to librosa where E001 used it."""

from __future__ import annotations

import hashlib

import librosa
import numpy as np
import pytest

from ser_study.audio import augment, prepare
from ser_study.config import Audio

RATE = 22_050  # Hz


@pytest.fixture(scope="module")
def tone() -> np.ndarray:
    """A second and a half of 300 Hz with a little noise, float32."""
    place = np.arange(3 * RATE // 2)
    samples = 0.4 * np.sin(2 * np.pi * 300 * place / RATE) + np.random.default_rng(0).normal(0, 0.01, len(place))
    return samples.astype(np.float32)


def strongest(samples: np.ndarray) -> float:
    """Frequency of the largest peak of the spectrum, Hz."""
    power = np.abs(np.fft.rfft(samples * np.hanning(len(samples)), 1 << 19))
    return float(np.argmax(power)) * RATE / (1 << 19)


@pytest.mark.parametrize("number", augment.TITLES)
def test_same_seed_same_samples(tone, number):
    first, again, other = (augment.variant(tone, RATE, number, seed=seed) for seed in ("a", "a", "b"))
    np.testing.assert_array_equal(first, again)
    assert first.dtype == np.float32
    random = {"noise", "speed", "shift"}
    assert (len(first) == len(other) and (first == other).all()) == (augment.TITLES[number] not in random)


@pytest.mark.parametrize(("number", "digest"), [(1, "bc8d5b6657133dc3"), (2, "4df7a91877593d09")])
def test_old_variants_have_not_moved(number, digest):
    clip = np.linspace(-0.5, 0.5, 4000, dtype=np.float32)
    rounded = np.round(augment.variant(clip, 16_000, number, seed="clip") * 1e4).astype("<i4")
    assert hashlib.sha256(rounded.tobytes()).hexdigest()[:16] == digest


def test_stretch_and_pitch_are_librosa_one_after_the_other(tone):
    stretched = librosa.effects.time_stretch(tone, rate=0.75)
    expected = librosa.effects.pitch_shift(stretched, sr=RATE, n_steps=0.8)
    np.testing.assert_array_equal(augment.variant(tone, RATE, 3, seed="a"), expected)
    np.testing.assert_array_equal(augment.variant(tone, RATE, 6, seed="a"), stretched)


@pytest.mark.parametrize(
    ("number", "longer", "higher"),
    [(3, 4 / 3, 2 ** (0.8 / 12)), (4, 1, 1), (5, 1, 2 ** (0.8 / 12)), (6, 4 / 3, 1)],
)
def test_length_and_pitch(tone, number, longer, higher):
    copy = augment.variant(tone, RATE, number, seed="a")
    assert len(copy) == pytest.approx(longer * len(tone), abs=1)
    assert strongest(copy) == pytest.approx(higher * strongest(tone), rel=2e-3)


def test_speed_moves_length_and_pitch_together(tone):
    copy = augment.variant(tone, RATE, 2, seed="a")
    factor = strongest(copy) / strongest(tone)
    assert len(copy) * factor == pytest.approx(len(tone), rel=2e-3)
    assert 0.9 <= factor <= 1.1


def test_noise_is_at_most_its_share_of_the_peak(tone):
    levels = [np.std(augment.variant(tone, RATE, 1, seed=str(i)) - tone) / np.abs(tone).max() for i in range(40)]
    assert max(levels) < 1.05 * augment.NOISE
    assert min(levels) < 0.2 * augment.NOISE


def test_shift_is_circular_and_bounded(tone):
    ramp = np.arange(2 * RATE, dtype=np.float32)
    moved = []
    for seed in range(60):
        copy = augment.variant(ramp, RATE, 4, seed=str(seed))
        np.testing.assert_array_equal(np.sort(copy), ramp)
        by = int(copy[0])
        np.testing.assert_array_equal(copy, np.roll(ramp, -by))
        moved.append(-by if by < RATE else len(ramp) - by)
    assert max(map(abs, moved)) <= 5000  # samples at 22,050 Hz: E001's ±5, in thousands
    assert min(moved) < -2500
    assert max(moved) > 2500


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", augment.TITLES)
@pytest.mark.parametrize("n_samples", [1, 50, 1600])
@pytest.mark.parametrize("level", [0.0, 0.1])
def test_short_and_silent_clips(number, n_samples, level):
    clip = (level * np.random.default_rng(1).normal(size=n_samples)).astype(np.float32)
    copy = augment.variant(clip, RATE, number, seed="a")
    assert len(copy) >= 1
    assert np.isfinite(copy).all()
    assert level or not copy.any()


def test_unknown_variant():
    with pytest.raises(ValueError, match=r"variant 7 does not exist; known: \[1, 2, 3, 4, 5, 6\]"):
        augment.variant(np.zeros(9, np.float32), RATE, 7, seed="a")


@pytest.mark.corpus
def test_variants_of_real_clips(corpora_dir):
    for corpus in ("ravdess", "tess", "crema_d", "emodb"):
        path = sorted(p for p in (corpora_dir / corpus).rglob("*.*") if p.suffix in (".ogg", ".wav"))[37]
        clip = prepare.load(path, Audio(sample_rate=RATE))
        level = np.sqrt(np.mean(clip**2))
        for number in augment.TITLES:
            copy = augment.variant(clip, RATE, number, seed=path.name)
            assert np.isfinite(copy).all()
            assert 0.25 < np.sqrt(np.mean(copy**2)) / level < 1.5  # the phase vocoder costs speech 3 dB a pass
