"""The student projects' features and more: against librosa, SciPy, Pillow and formulas written out."""

from __future__ import annotations

import warnings

import librosa
import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import soundfile
from PIL import Image

from ser_study import config as settings
from ser_study import features
from ser_study.audio import prepare, reading
from ser_study.config import Config, Frames
from ser_study.features import clip_statistics, images, plp, registry, spectra, tonal, vectors
from ser_study.features.frames import analyse

RATE = 22_050  # Hz
FRAMES = Config().librosa_frames
PIPTRACK = {"n_fft": 512, "hop_length": 128, "fmin": 50, "fmax": 380, "threshold": 1e-4, "pad_mode": "reflect"}
NEW = (
    "statistics51",
    "statistics51_raw",
    "statistics32",
    "means186",
    "contrast",
    "plp",
    "fbank",
    "spectral_shapes",
    "log_mel87",
    "mel224",
    "mfcc224",
    "contrast224",
)


def _noise(seconds, *, scale=0.1, rate=RATE):
    return np.random.default_rng(4).normal(0, scale, int(seconds * rate)).astype(np.float32)


def _tone(*frequencies, seconds=1.0, rate=RATE, amplitudes=None):
    time = np.arange(int(seconds * rate)) / rate
    sizes = amplitudes or [0.2] * len(frequencies)
    return sum(a * np.sin(2 * np.pi * f * time) for f, a in zip(frequencies, sizes)).astype(np.float32)


def _voice(seconds=2.0, rate=RATE):
    """Gliding harmonic tone with pauses, in a little noise."""
    time = np.arange(int(seconds * rate)) / rate
    phase = 2 * np.pi * np.cumsum(np.geomspace(100, 260, len(time))) / rate
    loudness = np.clip(np.sin(2 * np.pi * 1.5 * time), 0, None)
    tone = 0.2 * loudness * sum(np.sin(k * phase) / k for k in range(1, 12))
    return (tone + 0.05 * _noise(seconds, rate=rate)).astype(np.float32)


SIGNALS = {
    "voice": _voice(),
    "noise": _noise(1.5),
    "short": _voice(0.1),
    "chord": _tone(130.8, 329.6, 392.0),
    # low tones near a ten-thousandth of a high one, where the threshold decides and rises and falls with the clip
    "weak peaks": _tone(120, 290, 4000, amplitudes=[1.1e-4, 0.9e-4, 0.8]) * np.linspace(0.5, 1, RATE, dtype=np.float32),
}


@pytest.fixture(scope="module")
def speech(corpora_dir):
    """Five clips of RAVDESS and CREMA-D as E000 and E002 prepare them."""
    paths = [
        path
        for corpus in ("ravdess", "crema_d")
        for path in sorted((corpora_dir / corpus).rglob("*-*-*.*" if corpus == "ravdess" else "*_*.*"))
        if path.suffix in (".wav", ".ogg", ".flac")
    ]
    if len(paths) < 5:
        pytest.skip("needs clips of RAVDESS or CREMA-D")
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, 5).astype(int)]
    return [
        [prepare.load(path, audio) for path in chosen]
        for audio in (Config().statistics51_audio, Config().means180_audio)
    ]


def _nine(values):
    size = np.abs(values)
    return [size.std(), size.mean(), *np.percentile(size, [0, 1, 25, 50, 75, 99, 100])]


def _statistics_of_e000(signal):
    """Blocks of E000's statistics by its own librosa calls, and those of its page."""
    pitches, sizes = librosa.piptrack(y=signal, sr=RATE, **PIPTRACK)
    highest = pitches.max(axis=0)
    mfcc = librosa.feature.mfcc(y=signal, sr=RATE).mean(axis=1)
    rms = librosa.feature.rms(y=signal, frame_length=512, hop_length=128)[0]
    loud = []
    for frame in np.argsort(rms)[-30:]:
        place = frame / len(rms) * len(signal)
        segment = signal[int(place - 1024) : int(place + 1024)]
        if len(segment):
            heights, _ = librosa.piptrack(y=librosa.autocorrelate(segment), sr=RATE, **PIPTRACK)
            loud += [heights[heights > 0].mean()] if (heights > 0).any() else []
    pitch = _nine(highest[highest > 0])
    four = [np.mean(loud), np.std(loud), np.min(loud), np.max(loud)]
    blocks = (four, pitch, _nine(sizes.max(axis=0)), _nine(rms), mfcc)
    return blocks, (_nine(signal), pitch, _nine(rms), mfcc[:5])


def _assert_close(ours, blocks, tolerance=1e-4):
    """Each block to a share of its largest value."""
    assert len(ours) == sum(map(len, blocks))
    for block, here in zip(blocks, np.split(ours, np.cumsum([len(block) for block in blocks])[:-1])):
        assert np.abs(here - block).max() <= tolerance * np.abs(block).max()


@pytest.mark.parametrize("name", SIGNALS)
def test_statistics_equal_librosa(name):
    all51, app = _statistics_of_e000(SIGNALS[name])
    _assert_close(clip_statistics.statistics51(SIGNALS[name], RATE, FRAMES), all51)
    _assert_close(clip_statistics.statistics32(SIGNALS[name], RATE, FRAMES), app)


@pytest.mark.corpus
def test_statistics_equal_librosa_on_real_clips(speech):
    for signal in speech[0]:
        all51, app = _statistics_of_e000(signal)
        _assert_close(clip_statistics.statistics51(signal, RATE, FRAMES), all51)
        _assert_close(clip_statistics.statistics32(signal, RATE, FRAMES), app)


def test_peaks_equal_piptrack_bin_by_bin():
    for signal in SIGNALS.values():
        expected = librosa.piptrack(y=signal, sr=RATE, **PIPTRACK)
        peaks = clip_statistics._peaks(clip_statistics._frames(signal[None]), RATE)
        for ours, theirs in zip(peaks, expected):
            inside = theirs[2 : 2 + ours.shape[1]].T  # 86 to 345 Hz; the other bins are outside 50 to 380 Hz
            assert np.array_equal(ours > 0, inside > 0)
            assert np.allclose(ours, inside, rtol=1e-4)
            assert np.count_nonzero(theirs) == np.count_nonzero(ours)


def test_statistics51_has_the_columns_and_values_one_expects():
    columns = clip_statistics.statistics51_columns(FRAMES)
    named = dict(zip(columns, clip_statistics.statistics51(_tone(215.0), RATE, FRAMES)))
    assert len(columns) == len(set(columns)) == 51
    assert named["pitch_p50"] == pytest.approx(215, abs=2)
    assert named["loud_pitch_mean"] == pytest.approx(215, abs=4)
    assert named["rms_p50"] == pytest.approx(0.2 / np.sqrt(2), rel=0.02)
    page = dict(
        zip(clip_statistics.statistics32_columns(FRAMES), clip_statistics.statistics32(_tone(215.0), RATE, FRAMES))
    )
    assert len(page) == 32
    assert page["wave_mean"] == pytest.approx(0.2 * 2 / np.pi, rel=0.01)
    assert page["pitch_p50"] == named["pitch_p50"]


def test_autocorrelation_keeps_the_pitch_of_a_voice_in_noise():
    noisy = _tone(215.0) + 0.3 * _noise(1.0, rate=RATE)[: len(_tone(215.0))]
    cleaned, raw = (clip_statistics.statistics51(noisy, RATE, FRAMES, cleaned=yes) for yes in (True, False))
    assert np.array_equal(cleaned[4:], raw[4:]), "only the pitch round loud frames is cleaned"
    assert abs(cleaned[0] - 215) < abs(raw[0] - 215)
    assert cleaned[1] < raw[1], "and it varies less"


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("case", ["silent", "50 ms", "one sample", "constant", "overdriven"])
def test_every_value_is_finite_at_the_edges(name, case):
    config, feature = Config(), registry.get(name)
    rate = getattr(config, feature.audio).sample_rate
    signal = {
        "silent": np.zeros(rate, np.float32),
        "50 ms": _noise(0.05, rate=rate),
        "one sample": np.ones(1, np.float32),
        "constant": np.full(rate, 0.5, np.float32),
        "overdriven": 40 * _noise(0.5, rate=rate),
    }[case]
    options = [getattr(config, option) for option in feature.options]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = feature.extract(signal, rate, *options)
    assert np.isfinite(values).all()
    assert values.shape[-1] == len(set(feature.columns(*options)))


def test_silence_has_no_pitch():
    silent = np.zeros(RATE, np.float32)
    named = dict(zip(clip_statistics.statistics51_columns(FRAMES), clip_statistics.statistics51(silent, RATE, FRAMES)))
    assert all(value == 0 for name, value in named.items() if not name.startswith("mfcc"))
    assert not tonal.tonnetz(analyse(silent, RATE, FRAMES)).any()
    assert not images.log_mel87(silent, RATE, FRAMES).any()
    assert not np.ptp(images.mfcc224(silent, RATE, FRAMES), axis=0).any()


def _quiet(function, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # librosa warns of short octaves
        return function(**arguments)


@pytest.mark.parametrize("name", SIGNALS)
def test_tonnetz_equals_librosa(name):
    ours = tonal.tonnetz(analyse(SIGNALS[name], RATE, FRAMES))
    theirs = _quiet(librosa.feature.tonnetz, y=SIGNALS[name], sr=RATE).T
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).max() < 2e-3  # in frames that are next to silent
    assert np.abs(ours.mean(axis=0) - theirs.mean(axis=0)).max() < 1e-4


@pytest.mark.corpus
def test_means186_equals_librosa_on_real_clips(speech):
    for signal in speech[1]:
        ours = spectra.means186(signal, RATE, FRAMES)
        assert np.array_equal(ours[:180], vectors.means180(signal, RATE, FRAMES))
        theirs = _quiet(librosa.feature.tonnetz, y=signal, sr=RATE).mean(axis=1)
        assert np.abs(ours[180:] - theirs).max() < 1e-4
    assert spectra.means186_columns(FRAMES)[180:] == tuple(
        f"tonnetz_{circle}_{axis}_mean" for circle in ("fifths", "minor", "major") for axis in "xy"
    )


@pytest.mark.parametrize(("rate", "hop"), [(8_000, 512), (44_100, 512), (22_050, 500)])
def test_tonnetz_says_what_does_not_fit(rate, hop):
    with pytest.raises(ValueError, match=f"found {rate} Hz and {hop}"):
        tonal.tonnetz(analyse(_noise(0.5, rate=rate), rate, Frames(n_fft=2048, hop_length=hop)))


@pytest.mark.parametrize("name", SIGNALS)
def test_contrast_and_spectral_shapes_equal_librosa(name):
    signal = SIGNALS[name]
    feature = librosa.feature
    spectrum = np.abs(librosa.stft(signal))
    contrast = feature.spectral_contrast(y=signal, sr=RATE)
    assert np.allclose(spectra.contrast(signal, RATE, FRAMES), contrast.mean(axis=1), rtol=1e-4, atol=1e-3)
    mfcc = feature.mfcc(y=signal, sr=RATE, n_mfcc=40)
    mode = "interp" if mfcc.shape[1] >= 9 else "nearest"
    onset = librosa.onset.onset_strength(y=signal, sr=RATE)
    parts = (
        feature.spectral_bandwidth(y=signal, sr=RATE),
        feature.spectral_flatness(y=signal),
        *(feature.spectral_rolloff(S=spectrum, sr=RATE, roll_percent=share) for share in (0.15, 0.5, 0.95)),
        feature.poly_features(S=spectrum, sr=RATE, order=1),
    )
    groups = (
        np.vstack(parts),
        contrast,
        _quiet(feature.tonnetz, y=signal, sr=RATE),
        feature.delta(mfcc, mode=mode),
        feature.delta(mfcc, order=2, mode=mode),
    )
    expected = [moment for group in groups for moment in (group.mean(axis=1), group.std(axis=1))]
    expected = np.concatenate([*expected, [onset.mean(), onset.std(), onset.max()]])
    named = spectra.spectral_shapes(signal, RATE, FRAMES)
    wrong = [
        (column, ours, theirs)
        for column, ours, theirs in zip(spectra.spectral_shapes_columns(FRAMES), named, expected)
        if not np.isclose(ours, theirs, rtol=5e-4, atol=2e-3 if "rolloff" not in column else 1)
    ]
    assert len(named) == len(expected)
    assert not wrong


def test_linear_prediction_equals_the_toeplitz_solution():
    random = np.random.default_rng(1)
    windows = random.normal(size=(6, 200))
    correlation = np.stack([np.correlate(w, w, "full")[199 : 199 + 13] for w in windows])
    coefficients, gain = plp.linear_prediction(correlation)
    for lags, ours, power in zip(correlation, coefficients, gain):
        solved = scipy.linalg.solve_toeplitz(lags[:-1], -lags[1:])
        assert np.allclose(ours, np.concatenate(([1], solved)))
        assert power == pytest.approx(lags[0] + solved @ lags[1:])
    spectrum = gain[:, None] / np.abs(np.fft.rfft(coefficients, 4096, axis=1)) ** 2
    assert np.allclose(plp.cepstrum(coefficients, gain), np.fft.irfft(np.log(spectrum), axis=1)[:, :13], atol=1e-6)


def _plp_written_out(power, rate, n_fft):
    """One frame after Hermansky's formulas, in loops and with SciPy's solver; power (bins,)."""
    bark = 6 * np.arcsinh(np.arange(n_fft // 2 + 1) * rate / n_fft / 600)
    n_bands = int(np.ceil(bark[-1])) + 1
    loudness = []
    for band in range(n_bands):
        centre, total = bark[-1] * band / (n_bands - 1), 0.0
        for here, energy in zip(bark - centre, power.astype(float)):
            if -2.5 <= here < -0.5:
                total += energy * 10 ** (here + 0.5)
            elif -0.5 <= here <= 0.5:
                total += energy
            elif 0.5 < here <= 1.3:
                total += energy * 10 ** (-2.5 * (here - 0.5))
        w2 = (2 * np.pi * 600 * np.sinh(centre / 6)) ** 2
        ear = (w2 + 56.8e6) * w2**2 / ((w2 + 6.3e6) ** 2 * (w2 + 0.38e9) * (w2**3 + 9.58e26))
        loudness.append((total * ear) ** (1 / 3))
    loudness[0], loudness[-1] = loudness[1], loudness[-2]
    lags = np.fft.irfft(loudness)[:13]
    solved = np.concatenate(([1], scipy.linalg.solve_toeplitz(lags[:-1], -lags[1:])))
    return np.fft.irfft(-np.log(np.abs(np.fft.rfft(solved, 8192)) ** 2))[1:13]


def test_plp_equals_the_formulas_written_out():
    frames = Config().frames
    analysis = analyse(_voice(0.5, rate=16_000), 16_000, frames)
    values = plp.plp(analysis)
    for frame in (5, 12, 20):
        assert np.allclose(values[frame, 1:], _plp_written_out(analysis.power[frame], 16_000, frames.n_fft), atol=1e-4)


def test_plp_has_loudness_in_its_first_coefficient_only():
    frames, voice = Config().frames, _noise(1, rate=16_000)
    soft, loud = (plp.plp(analyse(part, 16_000, frames)) for part in (voice, 8 * voice))
    assert np.allclose(loud[:, 0] - soft[:, 0], np.log(8.0) * 2 / 3, atol=1e-3)
    assert np.allclose(loud[:, 1:], soft[:, 1:], atol=1e-3)
    assert spectra.plp_columns(frames)[:7] == (*(f"plp_00_{s}" for s in vectors.STATISTICS), "plp_01_mean")
    assert spectra.plp_statistics(voice, 16_000, frames)[6] == pytest.approx(soft[:, 1].mean(), abs=1e-5)


def test_plp_needs_enough_bands():
    with pytest.raises(ValueError, match="half of 2000 Hz holds"):
        plp.plp(analyse(_noise(0.5, rate=2_000), 2_000, Frames(n_fft=256, hop_length=64)))


def test_log_fbank_shows_a_tone_in_its_band_and_loudness_in_all():
    rate, columns = 16_000, spectra.log_fbank_columns()
    tone = spectra.log_fbank(_tone(1000.0, rate=rate), rate)
    edges = np.linspace(1127 * np.log1p(20 / 700), 1127 * np.log1p(8000 / 700), 42)
    band = np.abs(edges[1:-1] - 1127 * np.log1p(1000 / 700)).argmin()
    assert columns[tone[:40].argmax()] == f"fbank_{band:02d}_mean"
    soft, loud = (spectra.log_fbank(part, rate) for part in (_noise(1, rate=rate), 10 * _noise(1, rate=rate)))
    assert np.allclose(loud[:40] - soft[:40], 2 * np.log(10), atol=1e-3)
    assert np.allclose(loud[40:], soft[40:], atol=1e-3)


def test_log_mel87_equals_librosa():
    signal = np.concatenate((_voice(0.7, rate=44_100), np.zeros(13_230, np.float32)))
    mel = librosa.feature.melspectrogram(y=signal, sr=44_100, n_mels=128, n_fft=2048, hop_length=512)
    level = librosa.power_to_db(mel).T
    ours = images.log_mel87(signal, 44_100, FRAMES)
    assert ours.shape == (87, 128)
    assert np.abs(ours - (level - level.mean()) / level.std()).max() < 1e-3


@pytest.mark.parametrize(("name", "n_bands"), [("mel224", 128), ("mfcc224", 20), ("contrast224", 7)])
@pytest.mark.parametrize("seconds", [2.0, 12.0])
def test_pictures_equal_pillow_of_librosa(name, n_bands, seconds):
    signal = _voice(seconds)
    if name == "mel224":
        values = librosa.power_to_db(librosa.feature.melspectrogram(y=signal, sr=RATE), ref=np.max)
        low, high = -80, 0
    else:
        make = librosa.feature.mfcc if name == "mfcc224" else librosa.feature.spectral_contrast
        values = make(y=signal, sr=RATE)
        low, high = values.min(), values.max()
    assert values.shape[0] == n_bands
    grey = Image.fromarray((255 * (values.T - low) / (high - low)).astype(np.float32))
    expected = np.asarray(grey.resize((224, 224), Image.Resampling.BILINEAR))
    ours = registry.get(name).extract(signal, RATE, FRAMES)
    assert ours.shape == (224, 224, 1)
    assert ours.dtype == np.float16
    assert np.array_equal(ours, np.rint(ours))
    assert ours.min() >= 0
    assert ours.max() <= 255
    assert np.abs(ours[..., 0] - expected).max() <= 0.51  # rounding


def test_resized_keeps_what_fits_and_averages_what_shrinks():
    image = np.random.default_rng(3).normal(size=(30, 11))
    assert np.allclose(images.resized(image, height=30, width=11), image)
    constant = images.resized(np.full((9, 400), 3.5), height=224, width=16)
    assert constant.shape == (224, 16)
    assert np.allclose(constant, 3.5)


@pytest.mark.parametrize("name", ["statistics51", "log_mel87", "mel224", "fbank"])
def test_features_pass_through_the_cache(name, store):
    audio = Config().means180_audio
    (store.raw / "own").mkdir(parents=True)
    rows = []
    for number in range(2):
        path = f"own/clip{number}.wav"
        soundfile.write(store.raw / path, _voice(0.5 + number), RATE)
        sha = reading.sample_hash(prepare.read(store.raw / path)[0])
        rows.append({"clip_id": f"own/clip{number}", "corpus": "own", "path": path, "sha256": sha})
    config = settings.load("demo", {"run.jobs": 1})
    loaded = features.load(name, pd.DataFrame(rows), config=config, store=store)
    feature = features.get(name)
    audio = getattr(config, feature.audio)
    options = [getattr(config, option) for option in feature.options]
    direct = feature.extract(prepare.load(store.raw / rows[1]["path"], audio), audio.sample_rate, *options)
    assert np.array_equal(loaded.values[1], direct)
    assert len(loaded.columns) == loaded.values.shape[-1]
