"""Reading audio: block by block like whole, an hour in little memory, and what is no sound named as such."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from ser_study.audio import prepare, reading
from ser_study.audio.reading import UnreadableAudio
from ser_study.config import Audio, Config
from ser_study.corpora import scan


def long_recording(path, *, noise, seconds=3600, rate=44_100):
    """A stereo wav of zeros with noise from ``noise[0]`` to ``noise[1]`` s; the zeros take no place on the disk."""
    with soundfile.SoundFile(path, "w", rate, 2, subtype="PCM_16") as sound:
        sound.write(np.zeros((1, 2)))
    content = bytearray(path.read_bytes()[:44])
    content[4:8] = (36 + 4 * seconds * rate).to_bytes(4, "little")
    content[40:44] = (4 * seconds * rate).to_bytes(4, "little")
    random = np.random.default_rng(0)
    with path.open("wb") as file:
        file.write(content)
        file.seek(44 + 4 * noise[0] * rate)
        file.write(random.integers(-9000, 9000, (rate * (noise[1] - noise[0]), 2), dtype=np.int16).tobytes())
        file.truncate(44 + 4 * seconds * rate)
    return path


@pytest.mark.skipif(not os.path.exists("/proc/self/status"), reason="peak memory is read where Linux keeps it")
def test_an_hour_is_measured_and_prepared_in_600_mb(tmp_path):
    long_recording(tmp_path / "hour.wav", noise=(1800, 1980))
    code = (
        "import re, sys\n"
        "from ser_study.audio import prepare\n"
        "from ser_study.config import Config\n"
        "from ser_study.corpora import scan\n"
        "row = scan.measure('hour.wav', base=sys.argv[1])\n"
        "signal = prepare.load(sys.argv[1] + '/hour.wav', Config().audio)\n"
        "peak = re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]\n"  # its own, not its parent's
        "print(row['duration'], len(signal), peak)"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    duration, n_samples, peak = map(float, done.stdout.split())
    assert (duration, n_samples) == (3600, 60 * 16_000)
    assert peak / 1000 < 600  # MB


@pytest.mark.parametrize("section", ["audio", "statistics51_audio", "vggish_audio"])
def test_a_long_file_is_prepared_like_its_samples_and_keeps_what_is_loud(section, tmp_path):
    audio = getattr(Config(), section)
    path = long_recording(tmp_path / "a.wav", noise=(310, 500), seconds=600, rate=8000)
    signal = prepare.load(path, audio)
    np.testing.assert_array_equal(signal, prepare.prepare(*prepare.read(path), audio))
    assert np.sqrt(np.mean(np.square(signal))) > 0.1, "noise, none of the zeros around it"


def test_the_first_second_of_a_long_recording_is_that_after_the_silence(tmp_path):
    path = long_recording(tmp_path / "a.wav", noise=(200, 500), seconds=600, rate=8000)
    signal = prepare.load(path, Audio(sample_rate=8000, length=1, crop="start"))
    samples = prepare.read(path)[0].mean(axis=1)
    assert any(np.array_equal(signal, samples[at : at + 8000]) for at in range(199 * 8000, 201 * 8000))


def test_blocks_measure_what_the_whole_file_holds(tmp_path, monkeypatch):
    """The hash and every figure of a scan, over formats and channels, when a file takes many blocks."""
    random = np.random.default_rng(0)
    for n_channels, suffix in ((1, "wav"), (2, "wav"), (3, "wav"), (9, "wav"), (2, "flac")):
        path = tmp_path / f"{n_channels}.{suffix}"
        soundfile.write(path, random.uniform(-1, 1, (5 * 16_000, n_channels)), 16_000)
        samples, _ = prepare.read(path)
        whole = scan.measure(path.name, base=str(tmp_path))
        with monkeypatch.context() as patch:
            patch.setattr(reading, "BLOCK", 1)
            in_blocks = scan.measure(path.name, base=str(tmp_path))
            np.testing.assert_array_equal(prepare.read(path)[0], samples)
        assert in_blocks.pop("rms") == pytest.approx(whole.pop("rms"), rel=1e-12)
        assert in_blocks == whole
        assert whole["sha256"] == reading.sample_hash(samples)
        assert whole["peak"] == np.abs(samples).max()


@pytest.mark.parametrize("n_channels", range(1, 12))
def test_the_mean_of_channels_is_that_of_numpy(n_channels):
    samples = np.random.default_rng(n_channels).normal(size=(999, n_channels)).astype(np.float32)
    np.testing.assert_array_equal(reading.mixed(samples), samples.mean(axis=1))


def test_what_no_library_reads_is_named(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"\0\0\0\x20ftypM4A " + bytes(100))
    with pytest.raises(UnreadableAudio, match=r"it is MPEG-4 \(m4a, mp4 or mov\).*convert it to wav"):
        prepare.read(tmp_path / "a.wav")


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    with pytest.raises(UnreadableAudio, match="no ordinary file"):
        prepare.read(tmp_path / "a.wav")
