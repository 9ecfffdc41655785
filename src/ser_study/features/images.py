"""Log-mel images, all of one size, for networks that look at a spectrogram."""

from __future__ import annotations

import numpy as np

from ser_study.config import Frames, Images
from ser_study.features.filters import decibels
from ser_study.features.frames import analyse
from ser_study.schema import Signal

_SPAN = 80.0  # dB from the loudest point of a clip down to the floor


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
