"""Spectrograms as images, all of one size, for networks that look at them.

Time runs along the first axis and frequency, from low to high, along the second. Pixels are levels in dB (``log_mel``),
levels over the clip's own spread (``log_mel87``) or whole grey values from 0 to 255 (the 224-pixel images of E002's
VGG networks, kept in half precision, which holds them exactly).
"""

from __future__ import annotations

import functools

import numpy as np

from ser_study.config import Frames, Images
from ser_study.features.filters import decibels
from ser_study.features.frames import analyse
from ser_study.schema import Signal

_SPAN = 80.0  # dB from the loudest point of a clip down to the floor
_SIDE = 224  # pixels, as VGG networks are published for
_WHITE = 255  # grey value of the largest pixel; the smallest is 0
_N_MFCC = 20  # coefficients in E002's images


def log_mel(signal: Signal, sample_rate: int, images: Images) -> np.ndarray:
    """Mel spectrogram in dB below its loudest point, from 0 down to -80.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    images : settings

    Returns
    -------
    float32 array, shape (n_frames, n_mels, 1). The clip is centred in time: a shorter one stands between frames
    of -80, a longer one keeps its middle. A silent clip is -80 throughout.
    """
    frames = Frames(n_fft=images.n_fft, hop_length=images.hop_length, n_mels=images.n_mels)
    mel = analyse(signal, sample_rate, frames).mel
    loudest = mel.max()
    if loudest > 0:
        level = decibels(mel / loudest, floor=10 ** (-_SPAN / 10), span=_SPAN)
    else:
        level = np.full_like(mel, -_SPAN)
    spare = images.n_frames - len(level)
    if spare < 0:
        level = level[-spare // 2 :][: images.n_frames]
    else:
        level = np.pad(level, ((spare // 2, spare - spare // 2), (0, 0)), constant_values=-_SPAN)
    return level[:, :, None]  # (t, mels) → (t, mels, 1)


def log_mel_columns(images: Images) -> tuple[str, ...]:
    """An image has one channel: its level in dB."""
    return ("level_db",)


def log_mel87(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """Log-mel levels of E004, over the clip's own mean and standard deviation.

    The project loads at 44,100 Hz and keeps the first second, which makes 87 frames.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings; the project's are n_fft 2048, hop 512, 128 mel bands

    Returns
    -------
    float32 array, shape (t, n_mels); zeros where nothing varies, as in silence.
    """
    level = analyse(signal, sample_rate, frames).mel_db.astype(np.float64)
    level -= level.mean()
    spread = level.std()
    return (level / spread if spread > 0 else level).astype(np.float32)


def log_mel87_columns(frames: Frames) -> tuple[str, ...]:
    """Names of the mel bands."""
    return tuple(f"mel_{band:03d}" for band in range(frames.n_mels))


def mel224(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """The whole clip's log-mel spectrogram as a grey image, white at its loudest point and black 80 dB below.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings; the project's are n_fft 2048, hop 512, 128 mel bands

    Returns
    -------
    float16 array, shape (224, 224, 1), of whole numbers from 0 to 255; time is stretched to the width.
    """
    level = analyse(signal, sample_rate, frames).mel_db
    return _grey(level, low=level.max() - _SPAN, high=level.max())


def mfcc224(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """As :func:`mel224`, of the first 20 cepstral coefficients, from the clip's smallest value to its largest."""
    coefficients = analyse(signal, sample_rate, frames).mfcc[:, :_N_MFCC]
    return _grey(coefficients, low=coefficients.min(), high=coefficients.max())


def contrast224(signal: Signal, sample_rate: int, frames: Frames) -> np.ndarray:
    """As :func:`mel224`, of spectral contrast in seven bands, from the clip's smallest value to its largest."""
    values = analyse(signal, sample_rate, frames).contrast
    return _grey(values, low=values.min(), high=values.max())


def grey_columns(frames: Frames) -> tuple[str, ...]:
    """A grey image has one channel."""
    return ("grey",)


def resized(image: np.ndarray, *, height: int, width: int) -> np.ndarray:
    """An image in another size, each side by linear interpolation; a side that shrinks is averaged over.

    Parameters
    ----------
    image : float array, shape (h, w)
    height, width : pixels

    Returns
    -------
    float64 array, shape (height, width)
    """
    rows, columns = _interpolation(image.shape[0], height), _interpolation(image.shape[1], width)
    return rows @ image.astype(np.float64) @ columns.T


@functools.lru_cache(maxsize=256)  # one for each length of a clip in frames
def _interpolation(n_before: int, n_after: int) -> np.ndarray:
    """Weights of the old pixels in each new one: a triangle two pixels wide, old or new, whichever is wider."""
    ratio = n_before / n_after
    centres = (np.arange(n_after) + 0.5) * ratio - 0.5
    weights = np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(n_before)) / max(1.0, ratio))
    weights /= weights.sum(axis=1, keepdims=True)
    weights.setflags(write=False)
    return weights


def _grey(values: np.ndarray, *, low: float, high: float) -> np.ndarray:
    """Values (t, d) stretched to 224 × 224 pixels between black and white; black where they are all the same."""
    share = (values - low) / (high - low) if values.max() > values.min() else np.zeros_like(values)
    pixels = np.rint(_WHITE * resized(share, height=_SIDE, width=_SIDE))
    return pixels.astype(np.float16)[:, :, None]
