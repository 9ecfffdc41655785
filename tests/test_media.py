"""Opening any recording: what libsndfile reads, what ffmpeg reads where it is, and clear refusals of the rest."""

from __future__ import annotations

import io
import os
import shutil
import stat
import sys
import time
import tracemalloc

import numpy as np
import pytest
import soundfile

from ser_study.audio import media, reading
from ser_study.audio.reading import UnreadableAudio

M4A = b"\0\0\0\x20ftypM4A \0\0\0\0" + bytes(64)


@pytest.fixture
def ffmpeg(tmp_path, monkeypatch):
    """A program of that name that does what a test says."""

    def write(code):
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        program = folder / "ffmpeg"
        program.write_text(f"#!{sys.executable}\nimport struct, sys, time\n{code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    return write


ANSWERS = (
    "out = sys.stdout.buffer\n"
    "out.write(struct.pack('>4s5I', b'.snd', 28, 0xFFFFFFFF, 6, 22050, 2) + bytes(4))\n"
    "out.write(struct.pack('>8f', *[i / 8 for i in range(8)]) * 50_000)\n"
)


@pytest.fixture
def m4a(tmp_path):
    path = tmp_path / "talk.m4a"
    path.write_bytes(M4A)
    return path


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_16", "PCM_24", "FLOAT"])
@pytest.mark.parametrize("rate", [8_000, 44_100, 192_000])
def test_blocks_are_the_whole_file(tmp_path, subtype, rate):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (rate + 7, 2))
    soundfile.write(tmp_path / "a.bin", noise, rate, subtype, format="WAV")
    about = media.opened(tmp_path / "a.bin")
    assert (about.sample_rate, about.n_channels, about.decoder) == (rate, 2, "libsndfile")
    parts = list(media.blocks(about, seconds=0.3))
    assert len(parts) == 4
    np.testing.assert_array_equal(np.concatenate(parts), reading.read(tmp_path / "a.bin")[0])


def test_blocks_are_small_whatever_the_rate_and_the_channels(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros((1_000_000, 16)), 192_000)
    about = media.opened(tmp_path / "a.wav")
    tracemalloc.start()
    assert sum(len(block) for block in media.blocks(about)) == 1_000_000
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 2**20


def test_ffmpeg_is_read_in_blocks(m4a, ffmpeg):
    ffmpeg(ANSWERS)
    about = media.opened(m4a)
    assert (about.sample_rate, about.n_channels, about.decoder) == (22_050, 2, "ffmpeg")
    parts = list(media.blocks(about, seconds=1))
    assert len(parts) == 10
    whole = np.concatenate(parts)
    assert whole.shape == (200_000, 2)
    np.testing.assert_array_equal(whole[:4].ravel(), np.arange(8, dtype=np.float32) / 8)


def test_ffmpeg_gets_one_file_no_network_no_shell(m4a, ffmpeg, tmp_path):
    odd = tmp_path / "-i http:;touch x ü.m4a"
    odd.write_bytes(M4A)
    ffmpeg(f"open({str(tmp_path / 'words')!r}, 'w').write('\\n'.join(sys.argv[1:]))\n{ANSWERS}")
    media.opened(odd)
    words = (tmp_path / "words").read_text().splitlines()
    assert words[words.index("-i") + 1] == f"file:{odd}"
    assert words[words.index("-protocol_whitelist") + 1] == "file,pipe"
    assert "-nostdin" in words
    assert not {"concat", "hls", "sdp"} & set(words[words.index("-format_whitelist") + 1].split(","))
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("sys.exit('[mov @ 0x5] moov atom not found')", "moov atom not found. Convert"),
        ("sys.exit('Stream map 0:a:0 matches no streams.')", "there is no sound in it"),
        ("sys.exit(3)", "it gives no sound"),
        ("print('x' * 99)", "answers in an unknown way"),
        (f"{ANSWERS}sys.exit('[aac] Invalid data')", "Invalid data"),
        (ANSWERS.replace("i / 8", "float('nan')"), "NaN or infinite"),
        (ANSWERS.replace("50_000", "0"), "no samples"),
        (ANSWERS.replace("22050, 2", "22050, 9999"), "9999 channels"),
        (ANSWERS.replace("22050, 2", "128, 2"), "sample rate of 128 Hz"),
    ],
)
def test_what_ffmpeg_complains_of_is_one_sentence(m4a, ffmpeg, code, words):
    ffmpeg(code)
    with pytest.raises(UnreadableAudio, match=words) as refusal:
        list(media.blocks(media.opened(m4a)))
    assert "\n" not in str(refusal.value)
    assert "talk.m4a" in str(refusal.value)


def test_ffmpeg_that_stands_still_is_ended(m4a, ffmpeg, monkeypatch):
    monkeypatch.setattr(media, "STALL", 0.3)
    ffmpeg("time.sleep(60)")
    start = time.monotonic()
    with pytest.raises(UnreadableAudio, match=r"nothing for 0\.3 s"):
        media.opened(m4a)
    assert time.monotonic() - start < 10


def test_a_reader_that_stops_leaves_no_process(m4a, ffmpeg, tmp_path):
    ffmpeg(f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{ANSWERS}time.sleep(60)")
    parts = media.blocks(media.opened(m4a), seconds=0.1)
    next(parts)
    parts.close()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_without_ffmpeg_it_says_what_the_file_is_and_what_to_install(m4a, monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnreadableAudio, match=r"MPEG-4 .* Install ffmpeg"):
        media.opened(m4a)


@pytest.mark.skipif(not shutil.which("ffmpeg"), reason="ffmpeg is not installed")
def test_the_real_one_gives_the_samples(tmp_path):
    """A sound that libsndfile does not open, in the commonest packings: here plain samples in Matroska."""
    import subprocess

    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (44_100, 2)).astype(np.float32)
    soundfile.write(tmp_path / "a.wav", noise, 44_100, "FLOAT")
    command = ["ffmpeg", "-loglevel", "error", "-i", "a.wav", "-c:a", "copy", "a.mka"]
    subprocess.run(command, cwd=tmp_path, check=True)
    about = media.opened(tmp_path / "a.mka")
    assert about.decoder == "ffmpeg"
    np.testing.assert_array_equal(np.concatenate(list(media.blocks(about))), noise)


REFUSED = {
    "empty": (b"", r"empty \(0 bytes\)"),
    "text": (b"hello there, this is no sound", "holds text"),
    "a playlist": (b"#EXTM3U\n/etc/passwd\n", "holds text"),
    "a playlist with accents": ("#EXTM3U\nré.wav\n".encode(), "cannot be decoded"),
    "bytes": (bytes(range(256)) * 9, "cannot be decoded"),
    "a wav without sound": (
        b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0data" + bytes(4),
        "no samples",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_recording_is_refused(tmp_path, ffmpeg, name):
    content, words = REFUSED[name]
    ffmpeg("sys.exit('Invalid data found when processing input')")
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(UnreadableAudio, match=words):
        list(media.blocks(media.opened(tmp_path / "a.wav")))


def test_playlists_never_reach_ffmpeg(tmp_path, ffmpeg):
    ffmpeg(f"open({str(tmp_path / 'called')!r}, 'w')\n{ANSWERS}")
    for name, (content, _) in REFUSED.items():
        if "playlist" in name or name == "text":
            (tmp_path / "a.m3u8").write_bytes(content)
            with pytest.raises(UnreadableAudio):
                media.opened(tmp_path / "a.m3u8")
    assert not (tmp_path / "called").exists()


def test_no_file_and_a_folder_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        media.opened(tmp_path / "none.wav")
    with pytest.raises(UnreadableAudio, match="is a folder"):
        media.opened(tmp_path)


def test_standard_input_is_spooled_and_always_removed(monkeypatch):
    with media.spooled(io.BytesIO(b"abc" * 10**6)) as path:
        assert path.read_bytes() == b"abc" * 10**6
    assert not path.exists()
    assert not path.parent.exists()
    with pytest.raises(RuntimeError), media.spooled(io.BytesIO(b"abc")) as path:
        raise RuntimeError
    assert not path.exists()
    with pytest.raises(ValueError, match="empty"), media.spooled(io.BytesIO()):
        pass
    monkeypatch.setattr(media, "SPOOLED", 10)
    with pytest.raises(ValueError, match="more than 10 bytes"), media.spooled(io.BytesIO(bytes(99))):
        pass
