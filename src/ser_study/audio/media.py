"""Any recording of a person, block by block: what libsndfile reads, and what ffmpeg reads where it is installed.

Conventions
-----------
Blocks are float32, shape (s, channels), full scale ±1, at the recording's own rate: an hour takes no more memory than a
minute. The content decides what a file is, not its suffix. ffmpeg is another program: it is given the name of one file,
no network, no playlist and no shell, and it is ended when it stands still.
"""

from __future__ import annotations

import os
import re
import selectors
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from ser_study.audio import reading
from ser_study.audio.reading import RATES, UnreadableAudio

FFMPEG = "ffmpeg"
SECONDS = 10.0  # s, of a block
LARGEST = 2**22  # numbers in a block, whatever the rate and the channels
STALL = 20.0  # s without a sample after which ffmpeg is ended
MOST_CHANNELS = 64
SPOOLED = 4 * 2**30  # bytes of standard input
_FORMATS = (  # of ffmpeg: files of sound and video, none that names other files
    "aac,ac3,aiff,amr,amrnb,amrwb,ape,asf,au,avi,caf,dsf,dts,eac3,flac,flv,gsm,loas,matroska,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,ogg,rm,tak,tta,voc,w64,wav,webm,wv"
)
_HEADER = struct.Struct(">4s5I")  # of an .au: magic, where sound begins, its size, encoding, rate, channels
_FLOAT32 = 6
_PREFIX = re.compile(r"^(\[[^\]]*\]\s*)+")


@dataclass(frozen=True)
class Media:
    """A readable recording."""

    path: Path
    sample_rate: int  # Hz
    n_channels: int
    decoder: str  # ``libsndfile`` or ``ffmpeg``
    n_samples: int | None  # a channel, as the header says; None where it does not


def opened(path: Path | str) -> Media:
    """What a file is and who reads it.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    UnreadableAudio
        It is empty, text, no sound, damaged, or of a kind that needs ffmpeg, which is not here; the message says which.
    """
    path = Path(path)
    try:
        about = reading.header(path)
    except UnreadableAudio as refusal:
        if not path.is_file() or not path.stat().st_size or _is_text(path):
            raise
        about = _by_ffmpeg(path, refusal)
    else:
        about = Media(path, about.sample_rate, about.n_channels, "libsndfile", about.n_samples)
    if not RATES[0] <= about.sample_rate <= RATES[1]:
        raise UnreadableAudio(f"{path} claims a sample rate of {about.sample_rate} Hz; it is damaged, fetch it again.")
    if not 1 <= about.n_channels <= MOST_CHANNELS:
        raise UnreadableAudio(f"{path} has {about.n_channels} channels; give a recording of 1 to {MOST_CHANNELS}.")
    return about


def blocks(media: Media, *, seconds: float = SECONDS) -> Iterator[np.ndarray]:
    """The samples in blocks of so many seconds, fewer where these would be large; what is wrong is raised at the end.

    Raises as ``opened`` does.
    """
    size = max(1, min(round(seconds * media.sample_rate), LARGEST // media.n_channels))
    if media.decoder == "libsndfile":
        about = reading.Sound(media.sample_rate, media.n_samples or 0, media.n_channels)
        yield from reading.blocks(media.path, about, size=size)
        return
    n_values = n_bad = 0
    with _decoding(media.path) as pipe:
        pipe.header()
        width = 4 * media.n_channels
        while content := pipe.read(size * width):
            block = np.frombuffer(content, ">f4", count=len(content) // width * media.n_channels).astype(np.float32)
            n_values, n_bad = n_values + block.size, n_bad + block.size - np.count_nonzero(np.isfinite(block))
            yield block.reshape(-1, media.n_channels)
        if pipe.failed():
            raise pipe.refusal()
    try:
        reading.check_values(n_values, n_bad)
    except ValueError as error:
        raise UnreadableAudio(f"{media.path}: {error}") from None


@contextmanager
def spooled(stream: IO[bytes]) -> Iterator[Path]:
    """A temporary file with all that a stream gives, which is removed in any case.

    Raises
    ------
    ValueError
        It gives nothing, or more than ``SPOOLED`` bytes.
    """
    with tempfile.TemporaryDirectory(prefix="ser_study-") as folder:
        path, total = Path(folder) / "standard input", 0
        with path.open("wb") as file:
            while content := stream.read(2**20):
                total += len(content)
                if total > SPOOLED:
                    raise ValueError(f"Standard input has more than {SPOOLED:,} bytes; give a file instead.")
                file.write(content)
        if not total:
            raise ValueError("Standard input is empty (0 bytes); pipe a recording into it.")
        yield path


def _is_text(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(256)
    text = start.decode("utf-8", errors="ignore")
    return len(text.encode()) > len(start) - 4 and not any(ord(sign) < 32 and sign not in "\t\r\n\f" for sign in text)


def _by_ffmpeg(path: Path, refusal: UnreadableAudio) -> Media:
    if not shutil.which(FFMPEG):
        what = reading.foreign(path)
        if not what:
            raise refusal
        raise UnreadableAudio(
            f"{path} is {what}, which libsndfile does not read. Install ffmpeg (the command must be on PATH), or "
            "convert the file to wav."
        ) from None
    try:
        with _decoding(path) as pipe:
            rate, channels = pipe.header()
    except UnreadableAudio:
        if not reading.foreign(path):
            raise refusal from None
        raise
    return Media(path, rate, channels, "ffmpeg", None)


class _Pipe:
    """What ffmpeg writes, waited for ``STALL`` seconds at most."""

    def __init__(self, process: subprocess.Popen, complaints: IO[bytes], path: Path):
        self.process, self.complaints, self.path = process, complaints, path
        self._ready = selectors.DefaultSelector()
        self._ready.register(process.stdout, selectors.EVENT_READ)

    def read(self, n_bytes: int) -> bytes:
        """So many bytes; fewer at the end."""
        parts, wanted = [], n_bytes
        while wanted:
            if not self._ready.select(STALL):
                raise UnreadableAudio(f"{self.path} gave ffmpeg nothing for {STALL:g} s; it may be damaged.")
            content = os.read(self.process.stdout.fileno(), min(wanted, 2**20))
            if not content:
                break
            parts.append(content)
            wanted -= len(content)
        return b"".join(parts)

    def header(self) -> tuple[int, int]:
        """Rate and channels, as ffmpeg announces them."""
        start = self.read(_HEADER.size)
        if len(start) < _HEADER.size:
            raise self.refusal()
        magic, begin, _, encoding, rate, channels = _HEADER.unpack(start)
        if magic != b".snd" or encoding != _FLOAT32 or not _HEADER.size <= begin <= 2**16:
            raise UnreadableAudio(
                f"{self.path} cannot be decoded: ffmpeg answers in an unknown way; convert it to wav."
            )
        self.read(begin - _HEADER.size)
        return rate, channels

    def failed(self) -> bool:
        """Whether ffmpeg, which has written all, ends with an error."""
        try:
            return self.process.wait(STALL) != 0
        except subprocess.TimeoutExpired:
            return True

    def refusal(self) -> UnreadableAudio:
        """What ffmpeg complained of last, in one sentence."""
        self.failed()
        self.complaints.seek(0)
        lines = self.complaints.read(2**16).decode(errors="replace").splitlines()
        messages = [_PREFIX.sub("", line).replace(f"file:{self.path.resolve()}", "the file").strip() for line in lines]
        last = next((line for line in reversed(messages) if line), "it gives no sound").rstrip(".")
        if any("matches no streams" in line for line in messages):
            last = "there is no sound in it"
        return UnreadableAudio(
            f"{self.path} cannot be decoded by ffmpeg: {last}. Convert it to wav, or fetch it again."
        )


@contextmanager
def _decoding(path: Path) -> Iterator[_Pipe]:
    """ffmpeg at work on a file; it is ended whatever happens."""
    command = [shutil.which(FFMPEG) or FFMPEG, "-nostdin", "-hide_banner", "-loglevel", "error"]
    command += ["-protocol_whitelist", "file,pipe", "-format_whitelist", _FORMATS, "-i", f"file:{path.resolve()}"]
    command += ["-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_f32be", "-f", "au", "pipe:1"]
    with tempfile.TemporaryFile() as complaints:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints)
        try:
            yield _Pipe(process, complaints, path)
        finally:
            process.kill()
            process.stdout.close()
            process.wait()
