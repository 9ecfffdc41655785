"""From a file to its samples: whole, block by block, or an excerpt; the content decides the format, not the suffix.

Conventions
-----------
Decoded samples are float32, shape (s, channels), full scale ±1 (lossy formats may pass it slightly). A block is
``BLOCK`` seconds, so reading an hour takes no more memory than reading a minute.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import numpy as np
import soundfile

from ser_study.schema import Signal

BLOCK = 60  # s
RATES = (1_000, 768_000)  # Hz; a header outside this range is broken
_ANNOUNCED = ("WAV", "WAVEX", "RF64", "AIFF")  # formats whose header announces the length of the sound
_NO_SOUND = ("RAW", "MAT4", "MAT5", "HTK", "XI", "SDS")  # what libsndfile takes data, features or any bytes for
_STREAM = 0x7FFF0000  # bytes; programs that write into a pipe announce this much or more
_SHORT_DATA = re.compile(r"^\s*data : (\d+) \(should be (\d+)\)", re.MULTILINE)
_REFUSED = (soundfile.LibsndfileError, OSError, TypeError)  # a TypeError for a suffix .raw, which has no header
_FOREIGN = {  # how a file begins that libsndfile cannot read → what it is
    rb".{4}ftyp": "MPEG-4 (m4a, mp4 or mov)",
    rb"\x1a\x45\xdf\xa3": "WebM or Matroska",
    rb"0&\xb2u": "Windows Media (wma)",
    rb"#!AMR": "AMR",
    rb"MAC ": "Monkey's Audio",
    rb"wvpk": "WavPack",
    rb"\xff[\xf0\xf1\xf8\xf9]": "AAC",
    rb"RIFF.{4}AVI ": "a video (avi)",
    rb"PK\x03\x04": "a zip archive",
}


class UnreadableAudio(ValueError):
    """A file that cannot be turned into samples; the message says why and what to do."""


@dataclass(frozen=True)
class Sound:
    """What the header of a readable file says."""

    sample_rate: int  # Hz
    n_samples: int  # a channel
    n_channels: int


def read(path: Path | str) -> tuple[np.ndarray, int]:
    """Decode an audio file.

    Parameters
    ----------
    path : any file libsndfile knows (wav, aiff, flac, ogg, opus, mp3, …)

    Returns
    -------
    samples : float32 array, shape (s, channels)
    sample_rate : Hz

    Raises
    ------
    FileNotFoundError
        There is no such file.
    UnreadableAudio
        The file is empty, no audio, cut short, holds no samples, or holds NaN or infinite samples.
    """
    about = header(path)
    parts = list(blocks(path, about))
    return (parts[0] if len(parts) == 1 else np.concatenate(parts)), about.sample_rate


def header(path: Path | str) -> Sound:
    """Rate, length and channels of a file; raises as ``read`` does."""
    path = Path(path)
    _check_file(path)
    try:
        with soundfile.SoundFile(path) as sound:
            about = Sound(sound.samplerate, sound.frames, sound.channels)
    except _REFUSED as error:
        raise UnreadableAudio(f"{path} cannot be decoded: {_reason(path, error)}") from None
    if not RATES[0] <= about.sample_rate <= RATES[1]:
        raise UnreadableAudio(
            f"{path} claims a sample rate of {about.sample_rate} Hz; its header is damaged, fetch it again."
        )
    return about


def blocks(path: Path | str, about: Sound, *, size: int = 0) -> Iterator[np.ndarray]:
    """The samples of a file in blocks, shape (s, channels) each; what is wrong with the whole is raised at its end.

    Parameters
    ----------
    about : its ``header``
    size : samples of a block, a channel; 0: ``BLOCK`` seconds

    Raises as ``read`` does.
    """
    path, size = Path(path), size or BLOCK * about.sample_rate
    n_read = n_bad = n_values = 0
    try:
        with soundfile.SoundFile(path) as sound:
            expected = sound.frames
            log = sound.extra_info if sound.format in _ANNOUNCED else ""
            while len(block := sound.read(size, dtype="float32", always_2d=True)):
                n_read, n_values = n_read + len(block), n_values + block.size
                n_bad += block.size - np.count_nonzero(np.isfinite(block))
                yield block
    except _REFUSED as error:
        raise UnreadableAudio(f"{path} cannot be decoded: {_reason(path, error)}") from None
    cut = _SHORT_DATA.search(log)
    if n_read < expected or (cut and int(cut[2]) < int(cut[1]) < _STREAM):
        actual, announced = (int(cut[2]), int(cut[1])) if cut else (n_read, expected)
        unit = "bytes of sound" if cut else "samples"
        raise UnreadableAudio(f"{path} is cut short: {actual} of {announced} {unit} are there; fetch it again.")
    try:
        check_values(n_values, n_bad)
    except ValueError as error:
        raise UnreadableAudio(f"{path}: {error}") from None


def excerpt(path: Path | str, start: int, stop: int) -> np.ndarray:
    """Samples from ``start`` to ``stop`` of a file that ``blocks`` has read without an error."""
    with soundfile.SoundFile(path) as sound:
        sound.seek(start)
        return sound.read(stop - start, dtype="float32", always_2d=True)


def is_sound(path: Path) -> bool:
    """Whether libsndfile reads the content, whatever the suffix; text and what cannot be opened is no sound."""
    try:
        if not path.is_file():  # a pipe would be waited for
            return False
        with path.open("rb") as file:
            start = file.read(64)
        if not start or (_is_text(start) and not start.startswith(b"NIST_1A")):
            return False
        with soundfile.SoundFile(path) as sound:
            return sound.format not in _NO_SOUND
    except _REFUSED:
        return False


def foreign(path: Path) -> str:
    """What a file is that no library here reads, such as ``MPEG-4``; empty where its beginning tells nothing."""
    try:
        with path.open("rb") as file:
            start = file.read(64)
    except OSError:
        return ""
    return next((words for pattern, words in _FOREIGN.items() if re.match(pattern, start, re.DOTALL)), "")


def check_values(n_values: int, n_bad: int) -> None:
    """Refuse a clip without samples, or with samples that are no numbers (``ValueError``)."""
    if not n_values:
        raise ValueError("There are no samples in it; record or fetch the clip again.")
    if n_bad:
        raise ValueError(f"{n_bad} of {n_values} samples are NaN or infinite; repair or leave out the clip.")


def to_mono(samples: np.ndarray) -> Signal:
    """Mean of the channels, (s, channels) → (s,); equal channels give exactly the first."""
    if samples.ndim == 1:
        return samples
    return samples[:, 0] if is_mono(samples) else mixed(samples)


def mixed(samples: np.ndarray) -> Signal:
    """Mean of the channels, (s, channels) → (s,), to the bit of ``numpy.mean`` and many times as fast for a few."""
    n_channels = samples.shape[1]
    if n_channels >= 8:  # from here on numpy adds in another order
        return samples.mean(axis=1)
    return reduce(np.add, samples.T) / samples.dtype.type(n_channels)


def is_mono(samples: np.ndarray) -> bool:
    """Whether every channel, (s, channels), holds the same samples."""
    return samples.shape[1] == 1 or bool((samples == samples[:, :1]).all())


def sample_hash(samples: np.ndarray) -> str:
    """SHA-256 (hex) of the decoded samples, before resampling; equal hashes mean duplicate clips.

    The mono mix is hashed, so a stereo copy of a mono clip counts as its duplicate. The sample rate takes no part.
    """
    digest = hashlib.sha256()
    add_to_hash(digest, to_mono(samples))
    return digest.hexdigest()


def add_to_hash(digest: hashlib._Hash, signal: Signal) -> None:
    """Add a block of a mono signal to its hash."""
    digest.update((signal.astype("<f4", copy=False) + np.float32(0)).tobytes())  # + 0 turns -0.0 into 0.0


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise FileNotFoundError(f"No audio file at {path}; check the path, or fetch the corpus again.") from None
    except OSError as error:
        raise UnreadableAudio(f"{path} cannot be reached: {error.strerror}.") from None
    if path.is_dir():
        raise UnreadableAudio(f"{path} is a folder; give one audio file.")
    if not path.is_file():  # a pipe would be waited for
        raise UnreadableAudio(f"{path} is no ordinary file; remove it.")
    if not size:
        raise UnreadableAudio(f"{path} is empty (0 bytes); fetch it again.")


def _is_text(start: bytes) -> bool:
    return not set(start) - set(b"\t\n\r" + bytes(range(32, 127)))


def _reason(path: Path, error: Exception) -> str:
    """What a person can do about a file that libsndfile refuses."""
    try:
        with open(path, "rb") as file:
            start = file.read(256)
    except OSError as refusal:
        return f"{refusal.strerror}; check the permissions of the file."
    if start[:4] not in (b"RIFF", b"FORM", b"OggS", b"fLaC") and _is_text(start):
        return f"it holds text ({start[:24].decode()!r}…), not audio; fetch it again."
    if words := foreign(path):
        return f"it is {words}, which libsndfile does not read; convert it to wav."
    detail = getattr(error, "error_string", str(error)).rstrip(".")
    return f"{detail}; the file is damaged or in a format libsndfile lacks. Fetch it again or convert it to wav."
