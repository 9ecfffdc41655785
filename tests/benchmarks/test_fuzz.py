"""Damaged recordings through ``ser-study predict``, and hostile uploads to a running server.

Run on a bundle and recordings with ``python tests/benchmarks/test_fuzz.py BUNDLE CLIP... --files 2000 --uploads 500``.
Each recording is written in every format that can be written here, and damaged: bits, numbers of headers, pieces cut
out, doubled, moved or blanked. A damaged file must be answered, or refused in words, within ``LONGEST`` seconds. On a
busy machine everything may take longer, so what did is tried twice more beside a whole file that ffmpeg reads, and is
too slow when it takes ``TIMES`` as long as that, or ``LONGEST`` of processor time. Nothing may crash, and no file may
be left. What went wrong is kept with ``--keep FOLDER``.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import io
import json
import multiprocessing
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from live_server import clip_paths, fitted, is_running, served

LONGEST, TIMES = 5.0, 3.0  # s, of one file; and over a whole one at the same moment
KILLED = 120.0  # s after which a process that does not answer is ended
AT_ONCE = 2  # s of a recording that are damaged
WRITTEN = (  # format and subtype that libsndfile writes
    ("WAV", "PCM_16"), ("WAV", "FLOAT"), ("WAV", "IMA_ADPCM"), ("WAV", "MS_ADPCM"), ("WAV", "ULAW"), ("AU", "PCM_16"),
    ("WAVEX", "PCM_24"), ("RF64", "PCM_16"), ("W64", "PCM_16"), ("AIFF", "PCM_16"), ("CAF", "ALAC_16"),
    ("FLAC", "PCM_16"), ("OGG", "VORBIS"), ("OGG", "OPUS"), ("MP3", "MPEG_LAYER_III"), ("NIST", "PCM_16"),
    ("VOC", "PCM_16"),
)  # fmt: skip
CONVERTED = (("m4a", "aac"), ("webm", "libopus"), ("mka", "flac"), ("wma", "wmav2"), ("aac", "aac"))  # by ffmpeg
EXTREMES = (0, 1, 2, 255, 2**15, 2**16 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
KINDS = ("audio/wav", "text/plain", "application/json", "", "image/png", "multipart/form-data")
NAMES = ("clip.wav", "../../etc/passwd", "a" * 3_000, "\\\\host\\x", "CON", "x\r\nSet-Cookie: a=b", "\u202egpj.exe", "")
QUERIES = ("", "", "?timeline=false", "?every=0.5", "?every=nan", "?every=1e999", "?timeline=%00")


def best(call: Callable[[], float], whole: Callable[[], float], first: float) -> tuple[float, bool]:
    """Seconds of a file, tried again where the first try took too long, and whether it is too slow even so."""
    if first <= LONGEST:
        return first, False
    tries = [(call(), whole()) for _ in range(2)]
    seconds = min(first, *(own for own, _ in tries))
    return seconds, seconds > max(LONGEST, TIMES * min(other for _, other in tries))


@dataclass
class Outcome:
    """What became of some files."""

    answers: Counter = field(default_factory=Counter)  # exit status, or status of the response → files
    wrong: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # s, of the process and of what it started

    def blame(self, what: str, content: bytes, keep: Path | None) -> None:
        """Note, and say at once, what is wrong with a file, and keep it."""
        self.wrong.append(what)
        print(what, file=sys.stderr, flush=True)
        if keep:
            (keep / what.split(":")[0].replace(" ", "-")).write_bytes(content)

    def lines(self) -> str:
        """The counts and the slowest."""
        counts = ", ".join(f"{status}: {count}" for status, count in sorted(self.answers.items(), key=str))
        slowest = f"slowest {max(self.seconds, default=0):.2f} s"
        if self.processor:
            slowest += f", most processor time {max(self.processor):.2f} s"
        return "\n".join([f"{sum(self.answers.values())} files ({counts}); {slowest}", *self.wrong])


# Damaged files


def originals(clips: list[Path], folder: Path) -> list[bytes]:
    """The beginning of each clip, mono and beside its own reverse, in all formats."""
    import soundfile

    from ser_study.audio import reading

    made = []
    for number, path in enumerate(clips):
        samples, rate = reading.read(path)
        mono = 0.9 * samples[: AT_ONCE * rate, 0]
        signal = np.stack([mono, mono[::-1]], axis=1) if number % 2 else mono
        soundfile.write(folder / "source.wav", signal, rate)
        for form, subtype in WRITTEN:
            stream = io.BytesIO()
            with contextlib.suppress(soundfile.LibsndfileError):  # not in every build
                rates = 48_000 if subtype == "OPUS" else rate
                soundfile.write(stream, signal, rates, format=form, subtype=subtype)
                made.append(stream.getvalue())
        for suffix, codec in CONVERTED if shutil.which("ffmpeg") else ():
            to = folder / f"converted.{suffix}"
            command = ["ffmpeg", "-loglevel", "quiet", "-y", "-i", folder / "source.wav", "-c:a", codec, to]
            if subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0:
                made.append(to.read_bytes())
    return made


def damaged(content: bytes, other: bytes, random: np.random.Generator) -> bytes:
    """The same content with one to six faults; many are in its first bytes, where headers are."""
    made = bytearray(content)
    for _ in range(random.integers(1, 7)):
        reach = len(made) if random.random() < 0.5 else min(len(made), 256)
        at = int(random.integers(0, max(1, reach)))
        size = int(min(random.integers(1, 4_096), max(1, len(made) - at)))
        fault = random.integers(0, 9)
        if fault == 0:
            made[at : at + 1] = bytes([random.integers(0, 256)])
        elif fault == 1 and at < len(made):
            made[at] ^= 1 << random.integers(0, 8)
        elif fault == 2:
            number = int(random.choice(EXTREMES))
            made[at : at + 4] = number.to_bytes(4, "little" if random.random() < 0.5 else "big")
        elif fault == 3:
            del made[int(random.integers(0, len(made) + 1)) :]
        elif fault == 4:
            del made[at : at + size]
        elif fault == 5:
            made[at:at] = made[at : at + size] * int(random.integers(1, 9))
        elif fault == 6:
            made[at : at + size] = bytes(size)
        elif fault == 7:
            made[at : at + size] = random.bytes(size)
        else:
            made[at : at + size] = other[:size]
    return bytes(made)


def files(clips: list[Path], folder: Path, n_files: int, seed: int) -> Iterator[tuple[bytes, bytes]]:
    """Damaged files, each beside a whole one; the same for the same clips, formats and seed."""
    whole, random = originals(clips, folder), np.random.default_rng(seed)
    for number in range(n_files):
        content = whole[number % len(whole)]
        yield damaged(content, whole[int(random.integers(0, len(whole)))], random), whole[-1]


# Through the command


def _predict(pipe, bundle: str) -> None:
    """In a process of its own: the command on every path that comes, until none does."""
    import resource

    from ser_study import cli

    def used() -> float:
        kinds = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
        return sum(one.ru_utime + one.ru_stime for one in map(resource.getrusage, kinds))

    for path in iter(pipe.recv, None):
        printed, complaints, before = io.StringIO(), io.StringIO(), used()
        start = time.perf_counter()
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(complaints):
            code = cli.main(["predict", path, "--model", bundle, "--format", "json", "--jobs", "1"])
        seconds = time.perf_counter() - start
        pipe.send((code, printed.getvalue(), complaints.getvalue(), seconds, used() - before))


class Command:
    """``ser-study predict`` in another process, which is started again when it ends."""

    def __init__(self, bundle: Path):
        self.bundle, self.process = bundle, None

    def __call__(self, path: Path) -> tuple[int | str, str, str, float, float]:
        """Exit status, output, complaints, seconds and processor seconds of a file; or how the process ended."""
        if self.process is None or not self.process.is_alive():
            context = multiprocessing.get_context("spawn")
            self.pipe, other = context.Pipe()
            self.process = context.Process(target=_predict, args=(other, str(self.bundle)), daemon=True)
            self.process.start()
            other.close()
        start = time.perf_counter()
        try:
            self.pipe.send(str(path))
            if self.pipe.poll(KILLED):
                return self.pipe.recv()
        except (EOFError, OSError):
            pass
        self.process.kill()
        self.process.join()
        return "ended", "", f"exit code {self.process.exitcode}", time.perf_counter() - start, 0.0

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(AttributeError, OSError):
            self.pipe.send(None)
            self.process.join(10)


def fault_of(code: int | str, printed: str, complaints: str, path: Path) -> str:
    """What is wrong with an answer of the command, or nothing."""
    if code == 0:
        record = json.loads(printed, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
        sums = [sum(filter(None, one["probabilities"].values())) for one in record["channels"]]
        known = all(abs(one - 1) < 1e-3 or one == 0 for one in sums)
        return "" if known and record["warnings"] else f"odd answer {printed[:200]}"
    text = complaints.strip()
    if code != 2 or "Traceback" in text or "\n" in text or path.name not in text or len(text) < 40:
        return f"status {code}: {text[-300:]!r}"
    return ""


def through_the_command(bundle: Path, clips: list[Path], n_files: int, *, seed: int = 0, keep: Path | None = None):
    """Outcome of damaged files, one after another; whatever they leave in the temporary folder is wrong."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as temporary:
        command, path, whole = Command(bundle), Path(folder) / "damaged.wav", Path(folder) / "whole.wav"
        with mock.patch.dict(os.environ, TMPDIR=temporary):
            for number, (content, original) in enumerate(files(clips, Path(folder), n_files, seed)):
                path.write_bytes(content)
                whole.write_bytes(original)
                code, printed, complaints, first, processor = command(path)
                seconds, slow = best(lambda: command(path)[3], lambda: command(whole)[3], first)
                outcome.answers[code] += 1
                outcome.seconds.append(seconds)
                outcome.processor.append(processor)
                why = fault_of(code, printed, complaints, path)
                slow |= processor > LONGEST
                why = why or (f"{seconds:.1f} s, {processor:.1f} s of processor" if slow else "")
                why = why or ("left " + str(os.listdir(temporary)) if os.listdir(temporary) else "")
                if why:
                    outcome.blame(f"file {number}: {why}", content, keep)
            command.close()
    return outcome


# Against the server


def uploads(clips: list[Path], folder: Path, n_uploads: int, seed: int) -> Iterator[tuple]:
    """Hostile requests (address, headers and body), each beside one with the whole file."""
    random = np.random.default_rng(seed)
    for number, (content, whole) in enumerate(files(clips, folder, n_uploads, seed)):
        query = str(random.choice(QUERIES))
        kind = str(random.choice(KINDS))
        way, headers = number % 5, {"content-type": kind} if kind else {}
        if way in (1, 2):  # a form, whole or damaged itself
            name = str(random.choice(NAMES)).replace('"', "").encode()
            head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % name
            content = head + content + b"\r\n--b--\r\n"
            content = damaged(content, head * 3, random) if way == 2 else content
            headers = {"content-type": "multipart/form-data; boundary=b"}
        elif way == 3:  # a header that claims more than there is
            rate, channels = (int(random.choice(EXTREMES)) for _ in range(2))
            head = struct.pack("<4sI4s4sI", b"RIFF", 2**32 - 1, b"WAVE", b"fmt ", 16)
            head += struct.pack("<HHIIHH", 1, channels % 2**16, rate, 0, 0, int(random.choice([0, 8, 16, 24, 255])))
            content = head + struct.pack("<4sI", b"data", int(random.choice(EXTREMES))) + content[:20_000]
        yield (f"/v1/predict{query}", headers, content), ("/v1/predict", {}, whole)


def post(address: str, target: str, headers: dict[str, str], body: bytes) -> tuple[int, dict]:
    """Status and content of a response."""
    parts = urlsplit(address)
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=KILLED)
    try:
        connection.request("POST" if body is not None else "GET", target, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def seconds_of(address: str, *request) -> float:
    """Of a request."""
    start = time.perf_counter()
    post(address, *request)
    return time.perf_counter() - start


def against_the_server(bundle: Path, clips: list[Path], n_uploads: int, *, seed: int = 1, keep: Path | None = None):
    """Outcome of hostile uploads to a server, which must answer a whole clip as before and leave no file."""
    outcome, whole = Outcome(), clips[0].read_bytes()
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as temporary:
        places = {"TMPDIR": temporary}
        with mock.patch.dict(os.environ, places), served(bundle, limits={"requests": 1_000_000}) as (address, process):
            before = post(address, "/v1/predict", {}, whole)
            for number, (request, same) in enumerate(uploads(clips, Path(folder), n_uploads, seed)):
                start = time.perf_counter()
                status, content = post(address, *request)
                first = time.perf_counter() - start
                again, other = (partial(seconds_of, address, *one) for one in (request, same))
                seconds, slow = best(again, other, first)
                outcome.answers[status] += 1
                outcome.seconds.append(seconds)
                why = f"{seconds:.1f} s" if slow else ""
                message = content.get("error", {}).get("message", "")
                if status != 200 and (status not in (400, 413, 415, 422) or len(message) < 20 or "upload-" in message):
                    why += f" status {status}: {message}"
                why += " a file is left" * any(Path(temporary).rglob("upload-*"))
                if why:
                    outcome.blame(f"upload {number}: {why}", request[2], keep)
            if post(address, "/v1/predict", {}, whole) != before or not is_running(process.pid):
                outcome.wrong.append("the server does not answer as before")
        if left := os.listdir(temporary):
            outcome.wrong.append(f"the server left {left}")
    return outcome


def test_damaged_files_and_hostile_uploads_get_words(small_study, tmp_path):
    pytest.importorskip("starlette", reason="the extra 'live' is not installed")
    bundle, clips = fitted(small_study).save(tmp_path / "small.npz"), clip_paths(small_study)[:2]
    outcome = through_the_command(bundle, clips, 46)
    assert outcome.wrong == []
    assert sum(outcome.answers.values()) == 46
    assert {0, 2} <= set(outcome.answers), "some can be read, some cannot"
    outcome = against_the_server(bundle, clips, 20)
    assert outcome.wrong == []
    assert sum(outcome.answers.values()) == 20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bundle", type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--uploads", type=int, default=500)
    parser.add_argument("--keep", type=Path, default=None)
    given = parser.parse_args()
    if given.keep:
        given.keep.mkdir(parents=True, exist_ok=True)
    print(through_the_command(given.bundle, given.clips, given.files, keep=given.keep).lines(), flush=True)
    print(against_the_server(given.bundle, given.clips, given.uploads, keep=given.keep).lines())
