"""Every frame-wise feature against its own librosa call; F0 against signals whose pitch is known."""

from __future__ import annotations

import subprocess
import sys
import warnings
from dataclasses import replace

import librosa
import numpy as np
import pytest
import scipy.signal

from ser_study.audio import prepare
from ser_study.config import Audio, Frames
from ser_study.features import filters, pitch
from ser_study.features.frames import analyse, rolloff_bins

SETTINGS = {
    "ours": (16_000, Frames()),
    "librosa defaults": (22_050, Frames(n_fft=2048, hop_length=512, n_mels=128, n_mfcc=40)),
}


def _noise(n_samples, scale=0.1):
    return np.random.default_rng(11).normal(0, scale, n_samples)


def _times(sample_rate, seconds):
    return np.arange(int(sample_rate * seconds)) / sample_rate


def _speechlike(sample_rate):
    times = _times(sample_rate, 1.5)
    voice = sum(np.sin(2 * np.pi * 150 * k * times + k) / k for k in range(1, 20))
    return 0.1 * voice * np.abs(np.sin(2 * np.pi * 2 * times)) + _noise(len(times), 1e-3)


SIGNALS = {
    "speechlike": _speechlike,
    "noise": lambda rate: _noise(2 * rate),
    "silence": lambda rate: np.zeros(rate),
    "0.1 s": lambda rate: _noise(rate // 10),
    "50 ms": lambda rate: _noise(rate // 20),
    "60 s": lambda rate: _noise(60 * rate) * np.linspace(0, 1, 60 * rate),
    "tone": lambda rate: 0.5 * np.sin(2 * np.pi * 1000 * _times(rate, 1)),
    "constant": lambda rate: np.full(rate, 0.3),
    "nearly silent": lambda rate: _noise(rate, 1e-7),
    "silent half": lambda rate: np.concatenate((np.zeros(rate), _noise(rate))),
    "one sample": lambda rate: np.array([0.5]),
}


def _reference(name, signal, sample_rate, frames):
    """The feature by its own librosa call, time first."""
    frame = {"n_fft": frames.n_fft, "hop_length": frames.hop_length}
    of_rate = {"y": signal, "sr": sample_rate, **frame}
    samplewise = {"frame_length": frames.n_fft, "hop_length": frames.hop_length}
    feature = librosa.feature
    if name.startswith("mfcc_"):
        mfcc = feature.mfcc(**of_rate, n_mfcc=frames.n_mfcc, n_mels=frames.n_mels)
        mode = "interp" if mfcc.shape[1] >= 9 else "nearest"
        return feature.delta(mfcc, order=2 if name.endswith("2") else 1, mode=mode).T
    calls = {
        "rms": lambda: feature.rms(y=signal, **samplewise)[0],
        "zcr": lambda: feature.zero_crossing_rate(signal, **samplewise)[0],
        "centroid": lambda: feature.spectral_centroid(**of_rate)[0],
        "bandwidth": lambda: feature.spectral_bandwidth(**of_rate)[0],
        "rolloff": lambda: feature.spectral_rolloff(**of_rate)[0],
        "flatness": lambda: feature.spectral_flatness(y=signal, **frame)[0],
        "contrast": lambda: feature.spectral_contrast(**of_rate).T,
        "chroma": lambda: feature.chroma_stft(**of_rate).T,
        "chroma_of_magnitude": lambda: (
            feature.chroma_stft(S=np.abs(librosa.stft(signal, **frame)), sr=sample_rate, **frame).T
        ),
        "mel": lambda: feature.melspectrogram(**of_rate, n_mels=frames.n_mels).T,
        "mel_db": lambda: librosa.power_to_db(feature.melspectrogram(**of_rate, n_mels=frames.n_mels)).T,
        "mfcc": lambda: feature.mfcc(**of_rate, n_mfcc=frames.n_mfcc, n_mels=frames.n_mels).T,
    }
    return calls[name]()


FEATURES = (
    *("rms", "zcr", "centroid", "bandwidth", "rolloff", "flatness", "contrast", "chroma", "chroma_of_magnitude"),
    *("mel", "mel_db", "mfcc", "mfcc_delta", "mfcc_delta2"),
)


@pytest.fixture(scope="module")
def real_clips(corpora_dir):
    """Sixty clips spread over the corpora at hand."""
    paths = sorted(path for path in corpora_dir.rglob("*") if path.suffix in (".ogg", ".wav"))
    return paths[:: max(1, len(paths) // 60)]


def _assert_equal(name, signal, sample_rate, frames):
    signal = signal.astype(np.float32)
    analysis = analyse(signal, sample_rate, frames)
    ours = getattr(analysis, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of clips shorter than a frame and of silence
        reference = _reference(name, signal, sample_rate, frames)
    assert ours.shape == reference.shape
    assert ours.dtype == np.float32
    # the derivative of a constant is 0 here and rounding dust there, so dust is measured against the coefficients
    dust = 1e-5 * np.abs(analysis.mfcc).max() if "delta" in name else 0
    limit = max(1e-4 * np.abs(reference).max(), dust)
    assert np.abs(ours - reference).max() <= limit


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("name", FEATURES)
def test_equal_to_librosa(name, signal, settings):
    sample_rate, frames = SETTINGS[settings]
    _assert_equal(name, SIGNALS[signal](sample_rate), sample_rate, frames)


@pytest.mark.corpus
@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("name", FEATURES)
def test_equal_to_librosa_on_real_clips(real_clips, name, settings):
    sample_rate, frames = SETTINGS[settings]
    for path in real_clips[::5]:
        _assert_equal(name, prepare.load(path, Audio(sample_rate=sample_rate)), sample_rate, frames)


@pytest.mark.parametrize(("n_fft", "hop_length", "n_mels"), [(512, 128, 40), (1024, 300, 80), (400, 160, 23)])
@pytest.mark.parametrize("name", FEATURES)
def test_other_settings_equal_librosa_too(name, n_fft, hop_length, n_mels):
    frames = Frames(n_fft=n_fft, hop_length=hop_length, n_mels=n_mels, n_mfcc=13)
    _assert_equal(name, _speechlike(16_000), 16_000, frames)


def test_rolloff_is_the_first_bin_that_reaches_its_share():
    for n_before in range(60, 70):
        magnitude = np.zeros((1, 513), np.float32)
        magnitude[0, :n_before] = 0.85 / n_before
        magnitude[0, n_before:] = 0.15 / (513 - n_before)
        for scale in np.float32(1) + np.arange(-20, 20, dtype=np.float32) * np.float32(1e-7):
            scaled = magnitude.copy()
            scaled[0, :n_before] *= scale
            expected = librosa.feature.spectral_rolloff(S=scaled.T, freq=np.arange(513), roll_percent=0.85)
            assert rolloff_bins(scaled, 0.85) == expected


@pytest.mark.parametrize(("sample_rate", "n_fft"), [(16_000, 1024), (22_050, 2048), (48_000, 512)])
def test_filter_banks_equal_librosa(sample_rate, n_fft):
    np.testing.assert_array_equal(filters.hann(n_fft), scipy.signal.get_window("hann", n_fft))
    mel = librosa.filters.mel(sr=sample_rate, n_fft=n_fft, n_mels=64)
    np.testing.assert_allclose(filters.mel_bank(sample_rate, n_fft, 64), mel, atol=1e-7 * mel.max(), rtol=0)
    for tuning in (-0.5, 0.0, 0.37):
        chroma = librosa.filters.chroma(sr=sample_rate, n_fft=n_fft, tuning=tuning)
        np.testing.assert_allclose(filters.chroma_bank(sample_rate, n_fft, tuning).T, chroma, atol=1e-6)
    power = np.random.default_rng(2).random((5, n_fft // 2 + 1), np.float32)
    energies = filters.mel_energies(power, sample_rate=sample_rate, n_fft=n_fft, n_mels=64)
    np.testing.assert_allclose(energies, power @ mel.T, rtol=1e-5)


def test_banks_cannot_be_changed():
    with pytest.raises(ValueError, match="read-only"):
        filters.hann(1024)[0] = 1


@pytest.mark.parametrize("seed", range(25))
def test_tuning_equals_librosa(seed):
    rng = np.random.default_rng(seed)
    times = _times(22_050, 0.5)
    tones = sum(rng.random() * np.sin(2 * np.pi * f * times) for f in rng.uniform(100, 5000, 8))
    spectrum = np.abs(librosa.stft((tones + rng.normal(0, 0.01, len(times))).astype(np.float32)))
    ours = pitch.tuning(np.ascontiguousarray(spectrum.T), sample_rate=22_050, n_fft=2048)
    assert ours == librosa.estimate_tuning(S=spectrum, sr=22_050)


@pytest.mark.corpus
def test_tuning_equals_librosa_on_real_clips(real_clips):
    for path in real_clips:
        analysis = analyse(prepare.load(path, Audio(sample_rate=22_050)), *SETTINGS["librosa defaults"])
        for spectrum in (analysis.magnitude, analysis.power):
            expected = librosa.estimate_tuning(S=spectrum.T, sr=22_050)
            assert pitch.tuning(spectrum, sample_rate=22_050, n_fft=2048) == expected


def test_tuning_of_a_tone_between_two_notes():
    signal = np.sin(2 * np.pi * 440 * 2 ** (0.25 / 12) * _times(22_050, 1)).astype(np.float32)
    magnitude = analyse(signal, *SETTINGS["librosa defaults"]).magnitude
    assert abs(pitch.tuning(magnitude, sample_rate=22_050, n_fft=2048) - 0.25) < 0.03
    assert pitch.tuning(np.zeros_like(magnitude), sample_rate=22_050, n_fft=2048) == 0


def _glide(start, end, *, seconds=2.0, sample_rate=16_000, n_harmonics=12):
    """Harmonic glide and its true F0 per sample."""
    truth = np.geomspace(start, end, int(seconds * sample_rate))
    phase = 2 * np.pi * np.cumsum(truth) / sample_rate
    audible = [k for k in range(1, n_harmonics + 1) if k * truth.max() < sample_rate / 2]
    return sum(np.sin(k * phase) / k for k in audible), truth


@pytest.mark.parametrize(("start", "end"), [(80, 160), (300, 120), (200, 480), (65, 65)])
@pytest.mark.parametrize("noise", [0, 0.1])
def test_f0_follows_a_glide(start, end, noise):
    signal, truth = _glide(start, end)
    signal = 0.2 * (signal + _noise(len(signal), noise))
    analysis = analyse(signal, 16_000, Frames())
    centres = np.arange(analysis.n_frames) * 256
    inside = (centres > 1024) & (centres < len(signal) - 1024)
    assert analysis.is_voiced[inside].all()
    error = np.abs(12 * np.log2(analysis.f0[inside] / truth[centres[inside]]))
    assert np.median(error) < 0.1
    assert error.max() < 0.5


@pytest.mark.parametrize("settings", SETTINGS)
def test_voicing_tells_voice_from_noise_and_silence(settings):
    sample_rate, frames = SETTINGS[settings]
    voice, _ = _glide(120, 180, seconds=1, sample_rate=sample_rate)
    noise = _noise(sample_rate, 0.3)
    signal = np.concatenate((voice, noise, np.zeros(sample_rate)))
    analysis = analyse(signal, sample_rate, frames)
    second = analysis.times
    assert analysis.is_voiced[(second > 0.1) & (second < 0.9)].all()
    assert analysis.voicing[(second > 0.1) & (second < 0.9)].min() > 0.9
    assert analysis.is_voiced[(second > 1.1) & (second < 1.9)].mean() < 0.2
    assert (analysis.f0[second > 2.1] == 0).all()
    assert (analysis.voicing[second > 2.1] == 0).all()
    assert ((analysis.f0 > 0) == analysis.is_voiced).all()


def test_quiet_frames_are_unvoiced():
    voice, _ = _glide(120, 180, seconds=1)
    signal = np.concatenate((voice, voice * 0.005))  # 46 dB below
    analysis = analyse(signal, 16_000, Frames(quiet=40))
    assert not analysis.is_voiced[analysis.times > 1.1].any()
    assert analyse(signal, 16_000, Frames(quiet=60)).is_voiced[-20:-5].all()


@pytest.mark.corpus
def test_f0_agrees_with_probabilistic_yin(corpora_dir):
    far, n = 0, 0
    for path in sorted(corpora_dir.glob("ravdess/speech/**/*-0[1-6].*"))[::60]:
        signal = prepare.load(path, Audio())
        limits = {"fmin": 60, "fmax": 500, "sr": 16_000, "frame_length": 1024, "hop_length": 256}
        reference, is_voiced, _ = librosa.pyin(signal, **limits)
        analysis = analyse(signal, 16_000, Frames())
        both = is_voiced & analysis.is_voiced
        far += np.count_nonzero(np.abs(12 * np.log2(analysis.f0[both] / reference[both])) > 2)
        n += both.sum()
    assert n > 200
    assert far / n < 0.08


@pytest.mark.parametrize("signal", SIGNALS)
def test_everything_is_finite(signal):
    analysis = analyse(SIGNALS[signal](16_000), 16_000, Frames())
    for name in (*FEATURES, "f0", "voicing", "times"):
        assert np.isfinite(getattr(analysis, name)).all()
        assert len(getattr(analysis, name)) == analysis.n_frames


def test_only_what_is_needed_is_computed():
    analysis = analyse(SIGNALS["noise"](16_000), 16_000, Frames())
    assert analysis.rms.shape == (126,)
    assert "magnitude" not in analysis.__dict__
    assert analysis.mfcc.shape == (126, 20)
    assert {"mel", "power", "magnitude"} <= set(analysis.__dict__)
    assert not {"_pitch", "contrast", "chroma"} & set(analysis.__dict__)


@pytest.mark.parametrize(
    ("signal", "frames", "message"),
    [
        (np.zeros(0), Frames(), r"found \(0,\); call audio.prepare"),
        (np.zeros((9, 2)), Frames(), r"found \(9, 2\)"),
        (np.array([0, np.nan]), Frames(), "1 of 2 samples are NaN or infinite"),
        (np.zeros(99), Frames(n_fft=1023), "n_fft must be even"),
        (np.zeros(99), Frames(hop_length=0), "hop_length positive"),
    ],
)
def test_bad_input_is_refused(signal, frames, message):
    with pytest.raises(ValueError, match=message):
        analyse(signal, 16_000, frames)


def test_settings_that_do_not_fit_are_refused():
    noise = SIGNALS["noise"](16_000)
    with pytest.raises(ValueError, match="F0 from 20 to 500 Hz means periods of 32 to 800 samples"):
        _ = analyse(noise, 16_000, replace(Frames(), f0_min=20.0)).f0
    with pytest.raises(ValueError, match="contrast needs a sample rate above 12800 Hz, found 8000"):
        _ = analyse(noise, 8_000, Frames()).contrast


def test_import_brings_no_heavy_library():
    code = (
        "import sys, ser_study.features.frames, ser_study.features.vectors; "
        "print([m for m in ('librosa', 'numba', 'sklearn', 'tensorflow', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
