"""Builders of hostile files; deterministic, and light to import in a worker."""

from __future__ import annotations

import hashlib
import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

RATE = 16_000  # Hz
PITCH = 150.0  # Hz, of a voice made here where no other is asked for


def voice(
    seconds: float = 1.0, *, rate: int = RATE, level: float = 0.3, seed: int = 0, pitch: float = PITCH
) -> np.ndarray:
    """A steady voice with a little noise of its own, shape (s,)."""
    time = np.arange(round(seconds * rate)) / rate
    harmonics = [np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 11)]
    breath = np.random.default_rng(seed).normal(0, 0.002, len(time))
    return level * (np.sum(harmonics, axis=0) / 2 + breath)


def write(path: Path, samples: np.ndarray, *, rate: int = RATE, **how: str) -> Path:
    """Write audio; the folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **{"format": "WAV", **how})
    return path


def wav_bytes(folder: Path, samples: np.ndarray | None = None, **how: str) -> bytes:
    """The bytes of a good wav file."""
    path = write(folder / "whole.tmp", voice() if samples is None else samples, **how)
    content = path.read_bytes()
    path.unlink()
    return content


def patched(content: bytes, offset: int, value: int) -> bytes:
    """The same bytes with one little-endian 32-bit number changed."""
    return content[:offset] + value.to_bytes(4, "little") + content[offset + 4 :]


def flipped(path: Path, place: float) -> None:
    """Flip one byte of a file, at this share of its length."""
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 0x41
    path.write_bytes(content)


def hashes(folder: Path, pattern: str) -> dict[str, str]:
    """File below the folder → SHA-256; hidden files are left out."""
    files = [path for path in sorted(folder.rglob(pattern)) if not path.name.startswith(".")]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def crash_on_some(item: tuple[str, str], **_: Any) -> np.ndarray:
    """Instead of an extraction: takes its whole process down on one clip, as a broken native library would."""
    if "crash" in item[1]:
        os.kill(os.getpid(), signal.SIGKILL)
    return np.ones(355, np.float32)
