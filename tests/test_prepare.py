"""Reading and preparing audio: formats, hostile files, equality with librosa, the rules at the edges."""

from __future__ import annotations

import dataclasses
import os
import struct

import librosa
import noisereduce
import numpy as np
import pandas as pd
import pytest
import soundfile

from ser_study.audio import prepare, reading
from ser_study.audio import signal as treatments
from ser_study.audio.reading import UnreadableAudio
from ser_study.config import Audio, Config

RATE = 16_000  # Hz


@pytest.fixture
def tone() -> np.ndarray:
    """A second of 220 Hz between two seconds of faint noise, float32, (48000,)."""
    noise = np.random.default_rng(3).normal(0, 1e-5, 3 * RATE)
    noise[RATE : 2 * RATE] += 0.5 * np.sin(2 * np.pi * 220 * np.arange(RATE) / RATE)
    return noise.astype(np.float32)


@pytest.mark.parametrize(
    ("name", "options", "tolerance"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 3.1e-5),
        ("a.wav", {"subtype": "PCM_24"}, 2e-7),
        ("a.wav", {"subtype": "PCM_U8"}, 1e-2),
        ("a.wav", {"subtype": "FLOAT"}, 0),
        ("a.wav", {"format": "AIFF", "subtype": "PCM_16"}, 3.1e-5),  # AIFF by content, wav by name
        ("a.flac", {}, 3.1e-5),
        ("a.ogg", {}, 0.05),
        ("a.mp3", {}, 0.05),
        ("no_suffix", {"format": "WAV"}, 3.1e-5),
    ],
)
def test_content_decides_the_format(tmp_path, tone, name, options, tolerance):
    soundfile.write(tmp_path / name, tone, RATE, **options)
    samples, sample_rate = prepare.read(tmp_path / name)
    assert sample_rate == RATE
    assert samples.dtype == np.float32
    assert samples.shape == (len(tone), 1)
    assert np.abs(samples[:, 0] - tone).max() <= tolerance


def test_opus_is_read(tmp_path, tone):
    soundfile.write(tmp_path / "a.opus", tone, RATE, format="OGG", subtype="OPUS")
    samples, sample_rate = prepare.read(tmp_path / "a.opus")
    assert abs(len(samples) / sample_rate - 3) < 0.1


@pytest.mark.parametrize("folder", ["mit Leerzeichen", "données_日本", "{braces}"])
def test_any_path_is_read(tmp_path, tone, folder):
    (tmp_path / folder).mkdir()
    soundfile.write(tmp_path / folder / "a {x}.wav", tone, RATE)
    assert len(prepare.read(tmp_path / folder / "a {x}.wav")[0]) == len(tone)


@pytest.mark.parametrize(("sample_rate", "channels"), [(8_000, 1), (96_000, 2), (48_000, 6)])
def test_any_rate_and_channel_count(tmp_path, sample_rate, channels):
    clip = np.random.default_rng(0).normal(0, 0.1, (sample_rate, channels)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", clip, sample_rate, subtype="FLOAT")
    assert prepare.read(tmp_path / "a.wav")[0].shape == clip.shape
    signal = prepare.load(tmp_path / "a.wav", Audio(trim=False))
    assert signal.shape == (RATE,)
    assert signal.flags.c_contiguous
    assert signal.dtype == np.float32


def _cut_wav(path, tone):
    soundfile.write(path, tone, RATE, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-20_000])


def _float_wav(path, tone, value, count):
    tone = tone.copy()
    tone[:count] = value
    soundfile.write(path, tone, RATE, subtype="FLOAT")


HOSTILE = {
    "empty": (lambda path, tone: path.write_bytes(b""), r"is empty \(0 bytes\); fetch it again"),
    "text": (lambda path, tone: path.write_text("404: Not Found"), "holds text .'404: Not Found'"),
    "half header": (lambda path, tone: path.write_bytes(b"RIFF\x24\x00\x00\x00WAVEfmt "), "cannot be decoded.*damaged"),
    "noise": (lambda path, tone: path.write_bytes(np.random.default_rng(1).bytes(4096)), "cannot be decoded"),
    "cut short": (_cut_wav, "is cut short: 76000 of 96000 bytes"),
    "no samples": (lambda path, tone: soundfile.write(path, tone[:0], RATE), "no samples"),
    "NaN": (lambda path, tone: _float_wav(path, tone, np.nan, 7), "7 of 48000 samples are NaN or infinite"),
    "infinite": (lambda path, tone: _float_wav(path, tone, -np.inf, 2), "2 of 48000 samples are NaN or infinite"),
    "folder": (lambda path, tone: path.mkdir(), "is a folder"),
    "loop": (lambda path, tone: path.symlink_to(path), "cannot be reached.*symbolic links"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_file_is_named_with_its_reason(tmp_path, tone, case):
    make, message = HOSTILE[case]
    path = tmp_path / "clip.wav"
    make(path, tone)
    with pytest.raises(UnreadableAudio, match=message) as caught:
        prepare.load(path, Audio())
    assert "clip.wav" in str(caught.value)


def test_missing_file_is_not_found(tmp_path):
    with pytest.raises(FileNotFoundError, match="No audio file at .*gone.wav"):
        prepare.read(tmp_path / "gone.wav")


@pytest.mark.skipif(os.geteuid() == 0, reason="permissions do not bind the root user")
def test_unreadable_file(tmp_path, tone):
    soundfile.write(tmp_path / "a.wav", tone, RATE)
    (tmp_path / "a.wav").chmod(0)
    with pytest.raises(UnreadableAudio, match="ermission"):
        prepare.read(tmp_path / "a.wav")


def test_piped_wav_with_unknown_length_is_read(tmp_path, tone):
    path = tmp_path / "a.wav"
    soundfile.write(path, tone, RATE, subtype="PCM_16")
    content = bytearray(path.read_bytes())
    place = content.index(b"data") + 4
    content[place : place + 4] = struct.pack("<I", 0xFFFFFFFF)
    path.write_bytes(content)
    assert len(prepare.read(path)[0]) == len(tone)


def test_hash_sees_samples_only(tone):
    mono = tone[:, None]
    assert reading.sample_hash(mono) == reading.sample_hash(tone) == reading.sample_hash(np.repeat(mono, 2, axis=1))
    assert reading.sample_hash(mono) == reading.sample_hash(np.repeat(mono, 3, axis=1))
    changed = mono.copy()
    changed[5] += 1e-6
    assert len({reading.sample_hash(clip) for clip in (mono, changed, mono[1:], mono[:0])}) == 4
    assert reading.sample_hash(np.zeros(9, np.float32)) == reading.sample_hash(-np.zeros(9, np.float32))


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("n_samples", [1, 801, 30_001])
def test_resampling_equals_librosa(sample_rate, n_samples):
    signal = np.random.default_rng(n_samples).normal(0, 0.1, n_samples).astype(np.float32)
    ours = prepare.resample(signal, sample_rate=sample_rate, target=RATE)
    np.testing.assert_array_equal(ours, librosa.resample(signal, orig_sr=sample_rate, target_sr=RATE))


@pytest.mark.parametrize("top_db", [20, 40, 60])
@pytest.mark.parametrize(("frame_length", "hop_length"), [(2048, 512), (1000, 300)])
@pytest.mark.parametrize("seed", range(4))
def test_trimming_equals_librosa(top_db, frame_length, hop_length, seed):
    rng = np.random.default_rng(seed)
    level = 10 ** np.interp(np.arange(40_000), np.linspace(0, 40_000, 9), rng.uniform(-5, 0, 9))
    signal = (rng.normal(0, 0.1, 40_000) * level).astype(np.float32)
    options = {"top_db": top_db, "frame_length": frame_length, "hop_length": hop_length}
    np.testing.assert_array_equal(prepare.trim(signal, **options), librosa.effects.trim(signal, **options)[0])


@pytest.mark.parametrize("level", [0.0, 1e-7, 0.3])
def test_silence_and_constant_stay_whole(level):
    signal = np.full(20_000, level, np.float32)
    ours = prepare.trim(signal, top_db=60, frame_length=2048, hop_length=512)
    np.testing.assert_array_equal(ours, librosa.effects.trim(signal, top_db=60)[0])
    assert len(ours) == 20_000


@pytest.mark.parametrize(
    ("length", "window", "expected"),
    [(3, 6, [0, 1, 2, 3, 0, 0]), (5, 3, [2, 3, 4]), (6, 3, [2, 3, 4]), (3, 3, [1, 2, 3])],
)
def test_a_clip_is_centred_in_its_window(length, window, expected):
    signal = np.arange(1, length + 1, dtype=np.float32)
    assert treatments.fitted(signal, n_samples=window).tolist() == expected


def test_steps_of_prepare(tone):
    stereo = np.repeat(tone[:, None], 2, axis=1)
    audio = Audio()
    expected, _ = librosa.effects.trim(tone, top_db=audio.trim_top_db)
    np.testing.assert_array_equal(prepare.prepare(stereo, RATE, audio), expected)
    assert len(prepare.prepare(tone, RATE, Audio(trim=False))) == len(tone)
    assert len(prepare.prepare(tone, 2 * RATE, Audio(trim=False))) == len(tone) / 2
    assert len(prepare.prepare(tone, RATE, Audio(length=2.5))) == 2.5 * RATE


@pytest.mark.parametrize("kind", ["silent", "noise"])
def test_rules_for_short_and_long_clips(kind):
    scale = 0.0 if kind == "silent" else 0.1
    noise = (scale * np.random.default_rng(0).normal(size=70 * RATE)).astype(np.float32)
    short = prepare.prepare(noise[:800], RATE, Audio())  # 50 ms
    assert short.shape == (1_600,)
    np.testing.assert_array_equal(short[400:1200], noise[:800])
    long = prepare.prepare(noise, RATE, Audio())
    np.testing.assert_array_equal(long, noise[5 * RATE : 65 * RATE])
    assert prepare.prepare(noise[:1], 48_000, Audio(min_length=0)).shape == (1,)


@pytest.mark.parametrize(
    ("samples", "sample_rate", "message"),
    [
        (np.array([0, np.nan, np.inf]), RATE, "2 of 3 samples are NaN or infinite"),
        (np.zeros(0), RATE, "no samples"),
        (np.zeros((2, 2, 2)), RATE, "3 axes"),
        (np.zeros(5), 0, "sample rate is 0 Hz"),
    ],
)
def test_bad_samples_are_refused(samples, sample_rate, message):
    with pytest.raises(ValueError, match=message):
        prepare.prepare(samples, sample_rate, Audio())


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (Audio(cut="loudness"), r"'cut' of the audio is 'loudness'; choose one of '', 'rms', 'rolling_sum'"),
        (Audio(pad="left"), "'pad' of the audio is 'left'"),
        (Audio(crop="end"), "'crop' of the audio is 'end'"),
        (Audio(scale="max"), "'scale' of the audio is 'max'"),
        (Audio(channel="right"), "'channel' of the audio is 'right'"),
    ],
)
def test_unknown_treatments_are_refused(tone, audio, message):
    with pytest.raises(ValueError, match=message):
        prepare.prepare(tone, RATE, audio)


def test_first_channel_is_not_the_mix(tone):
    stereo = np.stack([tone, np.roll(tone, RATE)], axis=1)
    first = prepare.prepare(stereo, RATE, Audio(trim=False, channel="first"))
    np.testing.assert_array_equal(first, tone)
    np.testing.assert_array_equal(prepare.prepare(stereo, RATE, Audio(trim=False)), stereo.mean(axis=1))
    np.testing.assert_array_equal(prepare.prepare(tone, RATE, Audio(trim=False, channel="first")), tone)


def test_length_pads_and_crops_at_the_named_side(tone):
    whole, loud = Audio(trim=False), slice(RATE, 2 * RATE)
    end = prepare.prepare(tone, RATE, dataclasses.replace(whole, length=4, pad="end"))
    np.testing.assert_array_equal(end, np.r_[tone, np.zeros(RATE, np.float32)])
    start = prepare.prepare(tone, RATE, dataclasses.replace(whole, length=4, pad="start"))
    np.testing.assert_array_equal(start, np.r_[np.zeros(RATE, np.float32), tone])
    np.testing.assert_array_equal(prepare.prepare(tone, RATE, dataclasses.replace(whole, length=1)), tone[loud])
    first = prepare.prepare(tone, RATE, dataclasses.replace(whole, length=1, crop="start"))
    np.testing.assert_array_equal(first, tone[:RATE])


def test_scale_comes_last(tone):
    signal = prepare.prepare(tone, RATE, Audio(length=4, scale="z_score"))
    assert signal.std(dtype=float) == pytest.approx(1, abs=1e-6)  # of the clip with its zeros
    assert np.abs(prepare.prepare(tone, 2 * RATE, Audio(scale="peak"))).max() == 1


SECTIONS = ("audio", "means184_audio", "statistics51_audio", "log_mel87_audio", "vggish_audio")


@pytest.mark.parametrize("section", SECTIONS)
@pytest.mark.parametrize("n_samples", [1, 60, 800, 70 * 48_000])
@pytest.mark.parametrize("level", [0, 1e-6, 0.1])
def test_every_section_prepares_silent_short_and_long_clips(section, n_samples, level):
    audio = getattr(Config(), section)
    if audio.denoise and n_samples > 48_000:
        pytest.skip("a minute of noise reduction takes seconds; the rule for long clips is the same")
    noise = (level * np.random.default_rng(0).normal(size=n_samples)).astype(np.float32)
    signal = prepare.prepare(noise, 48_000, audio)
    assert np.isfinite(signal).all()
    least, most = (audio.length, audio.length) if audio.length else (audio.min_length, audio.max_length)
    assert round(least * audio.sample_rate) <= len(signal) <= round(most * audio.sample_rate)


def _as_project_000(path) -> np.ndarray:
    """22,050 Hz, then hops of 256 samples off both ends up to the first frame with an RMS of .001."""
    samples = librosa.load(path, sr=22_050)[0]
    for _ in range(2):
        rms = librosa.feature.rms(y=samples, frame_length=512, hop_length=256, pad_mode="reflect")[0]
        samples = samples[256 * np.argmax(rms >= 0.001) :][::-1]
    return samples


def _as_project_003(path) -> np.ndarray:
    """Cut and centred at the recording's own rate, then 16 kHz."""
    samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
    samples, wanted = samples[:, 0], round(259_431 / 48_000 * rate)
    loud = np.flatnonzero(pd.Series(samples.astype(float)).rolling(50).sum().abs() > 0.01)
    loud_part = samples[loud[0] : loud[-1] + 50]
    before = (wanted - len(loud_part)) // 2
    centred = np.pad(loud_part, (before, wanted - len(loud_part) - before))
    return librosa.resample(centred, orig_sr=rate, target_sr=16_000)[:86_477]  # 1 more where 48 kHz is no multiple


def _as_project_004(path) -> np.ndarray:
    """44.1 kHz, noisereduce, trim, the first second."""
    samples = librosa.load(path, sr=44_100)[0]
    trimmed = librosa.effects.trim(noisereduce.reduce_noise(y=samples, sr=44_100), top_db=60)[0][:44_100]
    spare = 44_100 - len(trimmed)
    return np.pad(trimmed, (spare // 2, spare - spare // 2))


@pytest.mark.corpus
@pytest.mark.parametrize(
    ("section", "as_project"),
    [("statistics51_audio", _as_project_000), ("vggish_audio", _as_project_003), ("log_mel87_audio", _as_project_004)],
)
def test_real_clips_are_prepared_as_the_student_projects_did(corpora_dir, section, as_project):
    audio = getattr(Config(), section)
    paths = sorted(corpora_dir.glob("ravdess/**/*-0[1-8].*"))[::200] + sorted(corpora_dir.glob("tess/**/*.*g"))[::900]
    assert len(paths) > 5
    for path in paths:
        np.testing.assert_array_equal(prepare.load(path, audio), as_project(path))


@pytest.mark.corpus
def test_real_clips_equal_librosa(corpora_dir):
    means184_audio = Audio(sample_rate=22_050, trim_top_db=60)
    for path in sorted(corpora_dir.glob("ravdess/**/*-0[1-8].*"))[::60]:
        expected = librosa.effects.trim(librosa.load(path, sr=22_050)[0])[0]
        np.testing.assert_array_equal(prepare.load(path, means184_audio), expected)


@pytest.mark.corpus
def test_known_duplicate_has_one_hash(corpora_dir):
    pair = [next(corpora_dir.glob(f"ravdess/**/03-01-03-01-02-0{take}-07.*")) for take in (1, 2)]
    stereo = next(corpora_dir.glob("ravdess/**/03-01-02-01-01-02-01.*"))
    hashes = [reading.sample_hash(prepare.read(path)[0]) for path in (*pair, stereo)]
    assert hashes[0] == hashes[1] != hashes[2]
