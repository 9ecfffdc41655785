"""The input of CAM++ as a feature of its own, for training the network on: one shape for every clip."""

from __future__ import annotations

import numpy as np

from ser_study.features import campplus
from ser_study.schema import Signal

FRAMES = 300  # 3 s


def looped(frames: np.ndarray, n: int) -> np.ndarray:
    """The middle n frames; of a clip with fewer, the clip over and over until there are n.

    Repetition keeps the means and standard deviations over time what they are, which zeros would not, and a
    network pooled over time needs no mask.

    Parameters
    ----------
    frames : (t, d)
    n : frames wanted

    Returns
    -------
    array, shape (n, d)
    """
    start = max(0, (len(frames) - n) // 2)
    return np.resize(frames[start : start + n], (n, frames.shape[1]))


def filterbank(signal: Signal, sample_rate: int) -> np.ndarray:
    """Centred filterbank of a clip, float16 (``FRAMES``, 80); see ``campplus.filterbank``.

    Raises
    ------
    ValueError
        Another sampling rate than CAM++ knows.
    """
    if sample_rate != campplus.SAMPLE_RATE:
        raise ValueError(
            f"CAM++ takes {campplus.SAMPLE_RATE} Hz, the clip has {sample_rate} Hz; set audio.sample_rate=16000."
        )
    return looped(campplus.filterbank(signal), FRAMES).astype(np.float16)


def columns() -> tuple[str, ...]:
    """``band_0`` … ``band_79``."""
    return tuple(f"band_{i}" for i in range(campplus.N_MELS))
