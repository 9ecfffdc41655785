"""Cutting, cleaning, fitting, scaling: against librosa, pandas and hand computation; and the comparison of them."""

from __future__ import annotations

import dataclasses
import itertools

import librosa
import noisereduce
import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import MinMaxScaler

from ser_study import config as settings
from ser_study.audio import prepare, signal
from ser_study.config import Config
from ser_study.experiments import material, signal_study
from ser_study.experiments.declare import Experiment
from ser_study.experiments.material import Material

RATE = 16_000  # Hz


def spoken(seed: int, n_samples: int = 30_000) -> np.ndarray:
    """Noise whose level wanders over 100 dB, quiet at both ends, float32."""
    rng = np.random.default_rng(seed)
    level = 10.0 ** np.interp(np.arange(n_samples), np.linspace(0, n_samples, 11), [-5, *rng.uniform(-4, 0, 9), -5])
    return (rng.normal(0, 0.1, n_samples) * level).astype(np.float32)


def strip_with_librosa(samples: np.ndarray, level: float) -> np.ndarray:
    """Seed 000's rule by librosa's frames: drop hops up to the first loud frame, from either end."""
    for _ in range(2):
        rms = librosa.feature.rms(y=samples, frame_length=512, hop_length=256, pad_mode="reflect")[0]
        samples = samples[256 * np.argmax(rms >= level) :][::-1]
    return samples


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [0.001, 0.01])
def test_rms_strip_equals_librosa_frames(seed, level):
    samples = spoken(seed)
    kept = signal.rms_strip(samples, level=level)
    np.testing.assert_array_equal(kept, strip_with_librosa(samples, level))
    assert 0 < len(kept) < len(samples)


@pytest.mark.parametrize("seed", range(4))
def test_rolling_cut_equals_pandas(seed):
    samples = spoken(seed)
    loud = np.flatnonzero(pd.Series(samples.astype(float)).rolling(50).sum().abs() > 0.01)
    kept = signal.rolling_cut(samples, level=0.01)
    np.testing.assert_array_equal(kept, samples[loud[0] : loud[-1] + 50])
    assert 0 < len(kept) < len(samples)


def test_the_rolling_sum_is_signed():
    tone = np.tile([0.5, -0.5], 500).astype(np.float32)  # loud, yet every sum of 50 is 0
    assert signal.rolling_cut(tone) is tone
    tone[400] = 0.52  # windows that end at samples 400 … 449 are loud: from 400 to 449 + 50 is kept
    assert len(signal.rolling_cut(tone)) == 99


@pytest.mark.parametrize("how", ["rms", "rolling_sum"])
@pytest.mark.parametrize("n_samples", [1, 49, 256, 512, 5000])
def test_no_cut_empties_a_clip(how, n_samples):
    for samples in (np.zeros(n_samples, np.float32), np.full(n_samples, 1e-6, np.float32)):
        assert signal.cut(samples, how=how, level=0.001) is samples
    spike = np.zeros(n_samples, np.float32)
    for place in {0, n_samples // 2, n_samples - 1}:
        kept = signal.cut(np.where(np.arange(n_samples) == place, 1, spike), how=how, level=0.001)
        assert 0 < len(kept) <= n_samples


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
    assert signal.treated(config, "z-score", "seed_audio").seed_audio.scale == "z_score"
    twice = signal.treated(config, "44.1 kHz")
    before, after = (c.frames.n_fft / c.audio.sample_rate for c in (config, twice))
    assert after == pytest.approx(before, rel=1e-3)
    with pytest.raises(ValueError, match="Unknown treatment 'louder'; known: as recorded"):
        signal.treated(config, "louder")
    with pytest.raises(ValueError, match="'models' of the settings prepares no clips"):
        signal.treated(config, "peak", "models")


@pytest.mark.corpus
def test_every_treatment_of_real_clips_is_finite(corpora_dir):
    kept = {name: [] for name in signal.TREATMENTS}
    for corpus in ("ravdess", "tess", "crema_d", "emodb"):
        paths = sorted(p for p in (corpora_dir / corpus).rglob("*.*") if p.suffix in (".ogg", ".wav"))[::900]
        for path, name in itertools.product(paths, signal.TREATMENTS):
            audio = signal.treated(Config(), name).audio
            samples, rate = prepare.read(path)
            treated = prepare.prepare(samples, rate, audio)
            assert treated.dtype == np.float32
            assert np.isfinite(treated).all()
            assert treated.any()
            kept[name].append(len(treated) / audio.sample_rate / (len(samples) / rate))
    mean = {name: np.mean(shares) for name, shares in kept.items()}
    assert mean["trim 30 dB"] < mean["trim 40 dB"] < mean["trim 60 dB"] < mean["as recorded"]
    assert mean["as recorded"] == pytest.approx(1, abs=1e-3)


def _clips(n_speakers: int) -> pd.DataFrame:
    rows = [
        (f"emodb/{s}-{i}", f"emodb/{s:02d}", "angry" if i % 2 else "sad") for s in range(n_speakers) for i in range(20)
    ]
    table = pd.DataFrame(rows, columns=["clip_id", "speaker", "emotion"])
    return table.assign(corpus="emodb")


def _told(one: Experiment, clips: pd.DataFrame, wrong: int) -> pd.DataFrame:
    """Valid rows miss the first ``wrong`` clips of each speaker; test rows are all wrong, so nothing may read them."""
    place = clips.groupby("speaker").cumcount()
    other = clips["emotion"].map({"angry": "sad", "sad": "angry"})
    frames = []
    for role, misses in (("valid", place < wrong), ("test", place >= 0)):
        prediction = clips["emotion"].where(~misses, other)
        frames.append(
            pd.DataFrame(
                {
                    "experiment": one.name,
                    "scheme": one.scheme,
                    "protocol": one.protocol,
                    "repeat": 0,
                    "fold": 0,
                    "seed": 0,
                    "role": role,
                    "model": one.model,
                    "n_train": 100 * (1 + len(one.variants)),
                    "clip_id": clips["clip_id"],
                    "variant": 0,
                    "truth": clips["emotion"],
                    "prediction": prediction,
                    "corpus": one.selection,
                    "feature": one.feature,
                    "draw": 0,
                    "leak": "",
                    "p_angry": (prediction == "angry").astype(np.float32),
                    "p_sad": (prediction == "sad").astype(np.float32),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="module")
def gathered():
    """Ten speakers with twenty clips each, under the name of EMO-DB."""
    clips = _clips(10)
    return {"emodb": Material("emodb", clips, clips.iloc[:0])}


def _config() -> Config:
    return settings.load("full", {"evaluation.n_bootstrap": 200})


def test_treatments_are_declared_on_valid_speakers(gathered):
    declared = signal_study.treatments(_config(), gathered)
    assert [one.treatment for one in declared[:2]] == ["", "as recorded"]
    assert {one.treatment for one in declared} == {"", *signal.TREATMENTS} - {"trim 40 dB"}  # that is the default
    assert all(one.protocol == "speaker_independent" and not one.fixed for one in declared)
    copies = signal_study.augmentation(_config(), gathered)
    assert len({one.name for one in copies}) == len(copies) == 2 * (1 + len(signal_study.COPIES))
    pair = {"emodb": dataclasses.replace(gathered["emodb"], clips=_clips(2))}
    assert signal_study.treatments(_config(), pair) == []


def test_valid_rows_decide_and_test_rows_do_not(gathered):
    clips = gathered["emodb"].clips
    declared = signal_study.treatments(_config(), gathered)[:4]
    told = {one: _told(one, clips, wrong) for one, wrong in zip(declared, (6, 2, 6, 10))}
    table = signal_study.signal_table(signal_study.valid_table(told, clips, config=_config()))
    assert table["uar"].tolist() == pytest.approx([0.7, 0.9, 0.7, 0.5])
    assert np.isnan(table["difference"][0])
    assert table["difference"][1:].tolist() == pytest.approx([0.2, 0.0, -0.2])
    assert table["p"][1:].tolist() == pytest.approx([2 / 2**10, 1, 2 / 2**10])  # every speaker alike: exact flips
    assert table["p_holm"][1:].tolist() == pytest.approx([6 / 2**10, 1, 6 / 2**10])  # a family of three
    assert set(table["n"]) == {200}
    assert set(table["n_speakers"]) == {10}
    told_by = table.set_index("treatment")["seeds"]
    assert told_by["trim 60 dB"] == "001, 004"
    words = signal_study.signal_words(table)
    assert "EMO-DB the 3 other preparations change UAR by −20.0 points to +20.0 points" in words
    assert "as recorded (+20.0 points, p = .006)" in words


def test_claims_about_augmentation_are_judged(gathered):
    clips = gathered["emodb"].clips
    declared = signal_study.augmentation(_config(), gathered)
    wrong = {(): 6, (1, 3): 2, (5, 6): 4}  # both sets of copies help
    told = {one: _told(one, clips, wrong.get(one.variants, 6)) for one in declared}
    table = signal_study.augmentation_table(signal_study.valid_table(told, clips, config=_config()))
    assert table["copies"][:3].tolist() == ["none", "noise", "stretch and pitch"]
    assert table.set_index("copies")["n_train"]["noise, stretch and pitch"].tolist() == [300, 300]
    assert (table.loc[table["claim"] == "001: helps", "difference"] > 0.19).all()
    words = signal_study.augmentation_words(table)
    assert "Seed 001 says that augmentation helps" in words
    assert "beyond chance it helps in 2 and does the opposite in 0 of 2" in words
    assert "beyond chance it hurts in 0 and does the opposite in 2 of 2" in words


def test_what_cannot_be_compared_is_refused(gathered):
    clips = gathered["emodb"].clips
    reference, other = signal_study.treatments(_config(), gathered)[:2]
    with pytest.raises(ValueError, match="has nothing to be compared with"):
        signal_study.valid_table({other: _told(other, clips, 1)}, clips, config=_config())
    tested = _told(reference, clips, 1)
    with pytest.raises(ValueError, match="has no valid rows"):
        signal_study.valid_table({reference: tested[tested["role"] == "test"]}, clips, config=_config())


def test_from_declaration_to_table(store):
    changes = {"synthetic.n_speakers": 6, "synthetic.n_statements": 2, "run.jobs": 1, "evaluation.n_bootstrap": 200}
    config = settings.load("demo", changes)
    parts = material.gather(config, store)
    declared = [one for one in signal_study.treatments(config, parts) if one.treatment in ("", "first second")]
    declared += [dataclasses.replace(declared[0], variants=(4,))]
    told = signal_study.told(declared, parts, config=config, store=store)
    table = signal_study.valid_table(told, parts["synthetic"].clips, config=config)
    assert table["treatment"].tolist() == ["reference", "first second", "reference"]
    assert table["n_train"].tolist() == [table["n_train"][0], table["n_train"][0], 2 * table["n_train"][0]]
    assert table["n"].nunique() == 1
    assert table["uar"].between(1 / 6, 1).all()
