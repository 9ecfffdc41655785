"""From a file to the one mono signal that every feature is taken from.

Conventions
-----------
Decoded samples are float32, shape (s, channels), full scale ±1 (lossy formats may pass it slightly).
A prepared signal is float32, shape (s,), at ``audio.sample_rate``. The steps, always in this order:

1. mix to mono, or take the first channel;
2. resample (soxr, high quality, as ``librosa.load`` does);
3. reduce noise, when ``audio.denoise`` is set;
4. drop silence at both ends: by ``audio.cut`` when that is set, then by ``trim`` when that is;
5. fit the length: to ``audio.length`` when that is set, otherwise between ``min_length`` and ``max_length``;
6. scale, when ``audio.scale`` is set.

A rolling-sum cut counts samples of the recording (E003), so with it resampling comes later: noise reduction,
the cut and ``audio.length`` are then applied at the recording's own rate. All five student projects follow this order.

Rules at the edges
------------------
- A digitally silent clip has no loudest frame to measure against, so it stays untrimmed (as in librosa).
- A clip in which no frame or window reaches ``cut_level`` stays uncut, so no step can empty a clip.
- A clip shorter than ``min_length`` (say 50 ms) is centred between zeros.
- A clip longer than ``max_length`` keeps its middle, after trimming, so that speech is kept rather than silence.
- ``pad`` and ``crop`` say how a clip meets ``length``; silence and constants are not scaled.

The study and the finished recogniser both call :func:`prepare`, so both work on the same signal bit for bit.
"""

from __future__ import annotations

import hashlib
import math
import re
from pathlib import Path

import numpy as np
import soundfile
import soxr

from ser_study.audio import signal as treatments
from ser_study.config import Audio
from ser_study.schema import Signal

_RATES = (1_000, 768_000)  # Hz; a header outside this range is broken
_ANNOUNCED = ("WAV", "WAVEX", "RF64", "AIFF")  # formats whose header announces the length of the sound
_STREAM = 0x7FFF0000  # bytes; programs that write into a pipe announce this much or more
_SHORT_DATA = re.compile(r"^\s*data : (\d+) \(should be (\d+)\)", re.MULTILINE)
_QUIETEST = 1e-10  # power below which a frame counts as no louder than this (librosa's ``amin``)


class UnreadableAudio(ValueError):
    """A file that cannot be turned into samples; the message says why and what to do."""


def read(path: Path | str) -> tuple[np.ndarray, int]:
    """Decode an audio file; its content decides the format, not its suffix.

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
    path = Path(path)
    _check_file(path)
    try:
        with soundfile.SoundFile(path) as sound:
            sample_rate, expected = sound.samplerate, sound.frames
            log = sound.extra_info if sound.format in _ANNOUNCED else ""
            samples = sound.read(dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise UnreadableAudio(f"{path} cannot be decoded: {_reason(path, error)}") from None
    cut = _SHORT_DATA.search(log)
    if len(samples) < expected or (cut and int(cut[2]) < int(cut[1]) < _STREAM):
        actual, announced = (int(cut[2]), int(cut[1])) if cut else (len(samples), expected)
        unit = "bytes of sound" if cut else "samples"
        raise UnreadableAudio(f"{path} is cut short: {actual} of {announced} {unit} are there; fetch it again.")
    if not _RATES[0] <= sample_rate <= _RATES[1]:
        raise UnreadableAudio(
            f"{path} claims a sample rate of {sample_rate} Hz; its header is damaged, fetch it again."
        )
    try:
        return _checked(samples), sample_rate
    except ValueError as error:
        raise UnreadableAudio(f"{path}: {error}") from None


def sample_hash(samples: np.ndarray) -> str:
    """SHA-256 (hex) of the decoded samples, before resampling; equal hashes mean duplicate clips.

    The mono mix is hashed, so a stereo copy of a mono clip counts as its duplicate. The sample rate takes no part.
    """
    mono = to_mono(samples).astype("<f4", copy=False) + np.float32(0)  # + 0 turns -0.0 into 0.0
    return hashlib.sha256(mono.tobytes()).hexdigest()


def to_mono(samples: np.ndarray) -> Signal:
    """Mean of the channels, (s, channels) → (s,); equal channels give exactly the first."""
    if samples.ndim == 1:
        return samples
    is_mono = samples.shape[1] == 1 or (samples == samples[:, :1]).all()
    return samples[:, 0] if is_mono else samples.mean(axis=1)


def resample(signal: Signal, *, sample_rate: int, target: int) -> Signal:
    """Signal at another rate, ``ceil(s · target / sample_rate)`` samples long (soxr, high quality).

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate, target : Hz
    """
    if sample_rate == target:
        return signal
    n_samples = math.ceil(len(signal) * (target / sample_rate))
    changed = soxr.resample(np.ascontiguousarray(signal), sample_rate, target, quality="HQ")[:n_samples]
    return changed if len(changed) == n_samples else np.pad(changed, (0, n_samples - len(changed)))


def trim(signal: Signal, *, top_db: float, frame_length: int, hop_length: int) -> Signal:
    """Signal without its quiet ends; equal to ``librosa.effects.trim``.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    top_db : a frame this many dB below the loudest one is quiet
    frame_length, hop_length : samples

    Returns
    -------
    A view of ``signal``. A digitally silent signal comes back whole.
    """
    padded = np.pad(signal, frame_length // 2)
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame_length)[::hop_length]
    power = np.maximum(np.einsum("ts,ts->t", frames, frames) / np.float32(frame_length), np.float32(_QUIETEST))
    level = 10 * np.log10(power)
    loud = np.flatnonzero(level - level.max() > -top_db)
    return signal[loud[0] * hop_length : (loud[-1] + 1) * hop_length]


def center_pad(signal: Signal, *, n_samples: int) -> Signal:
    """Centre a clip in a window of fixed length, cutting or padding with zeros.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    n_samples : length of the window, in samples

    Returns
    -------
    float32 array, shape (n_samples,). An odd remainder goes to the right.
    """
    return treatments.fitted(signal, n_samples=n_samples)


def prepare(samples: np.ndarray, sample_rate: int, audio: Audio) -> Signal:
    """The signal that features are taken from; see the top of this module for steps and rules.

    Parameters
    ----------
    samples : array, shape (s,) or (s, channels), as decoded
    sample_rate : Hz
    audio : settings

    Returns
    -------
    float32 array, contiguous, shape (s,), at ``audio.sample_rate``.

    Raises
    ------
    ValueError
        No samples, NaN or infinite samples, more than two axes, a sample rate that is not positive, or a
        setting that names no known treatment.
    """
    if sample_rate <= 0:
        raise ValueError(f"The sample rate is {sample_rate} Hz; it must be positive.")
    treatments.check(audio)
    samples = _checked(np.asarray(samples, dtype=np.float32))
    first = audio.channel == "first" and samples.ndim == 2
    signal = samples[:, 0] if first else to_mono(samples)
    if audio.cut == "rolling_sum":
        signal = _cut(signal, sample_rate, audio)
        if audio.length > 0:
            signal = _fitted(signal, sample_rate, audio)
        signal = resample(signal, sample_rate=sample_rate, target=audio.sample_rate)
    else:
        signal = resample(signal, sample_rate=sample_rate, target=audio.sample_rate)
        signal = _cut(signal, audio.sample_rate, audio)
    if audio.trim:
        signal = trim(
            signal,
            top_db=audio.trim_top_db,
            frame_length=audio.trim_frame_length,
            hop_length=audio.trim_hop_length,
        )
    signal = _fitted(signal, audio.sample_rate, audio)
    return np.ascontiguousarray(treatments.scaled(signal, how=audio.scale))


def load(path: Path | str, audio: Audio) -> Signal:
    """Read a file and prepare it: :func:`read`, then :func:`prepare`."""
    samples, sample_rate = read(path)
    return prepare(samples, sample_rate, audio)


def _cut(signal: Signal, sample_rate: int, audio: Audio) -> Signal:
    """Noise reduction and the cut of the silent ends, at one rate."""
    if audio.denoise:
        signal = treatments.denoise(signal, sample_rate=sample_rate)
    return treatments.cut(signal, how=audio.cut, level=audio.cut_level)


def _fitted(signal: Signal, sample_rate: int, audio: Audio) -> Signal:
    if audio.length > 0:
        n_samples = max(1, round(audio.length * sample_rate))
        return treatments.fitted(signal, n_samples=n_samples, pad=audio.pad, crop=audio.crop)
    shortest, longest = round(audio.min_length * sample_rate), round(audio.max_length * sample_rate)
    return treatments.fitted(signal, n_samples=max(1, shortest, min(len(signal), longest)))


def _checked(samples: np.ndarray) -> np.ndarray:
    if samples.ndim not in (1, 2):
        raise ValueError(f"Samples have {samples.ndim} axes; give (samples,) or (samples, channels).")
    if not samples.size:
        raise ValueError("There are no samples in it; record or fetch the clip again.")
    n_bad = samples.size - np.count_nonzero(np.isfinite(samples))
    if n_bad:
        raise ValueError(f"{n_bad} of {samples.size} samples are NaN or infinite; repair or leave out the clip.")
    return samples


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        raise FileNotFoundError(f"No audio file at {path}; check the path, or fetch the corpus again.") from None
    except OSError as error:
        raise UnreadableAudio(f"{path} cannot be reached: {error.strerror}.") from None
    if path.is_dir():
        raise UnreadableAudio(f"{path} is a folder; give one audio file.")
    if not size:
        raise UnreadableAudio(f"{path} is empty (0 bytes); fetch it again.")


def _reason(path: Path, error: Exception) -> str:
    """What a person can do about a file that libsndfile refuses."""
    try:
        with open(path, "rb") as file:
            start = file.read(256)
    except OSError as refusal:
        return f"{refusal.strerror}; check the permissions of the file."
    if start[:4] not in (b"RIFF", b"FORM", b"OggS", b"fLaC") and not set(start) - set(
        b"\t\n\r" + bytes(range(32, 127))
    ):
        return f"it holds text ({start[:24].decode()!r}…), not audio; fetch it again."
    detail = getattr(error, "error_string", str(error)).rstrip(".")
    return f"{detail}; the file is damaged or in a format libsndfile lacks. Fetch it again or convert it to wav."
