"""A rough guess of gender from how high a voice is; children, song and shouting are beyond it."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from ser_study.features.filters import hann
from ser_study.features.pitch import autocorrelation_pitch

LOWEST, HIGHEST = 65.0, 400.0  # Hz
FRAME, HOP = 0.06, 0.04  # s
BATCH = 2.0  # s that are looked at together at most
SLOWEST = 2_000  # Hz, of samples
VOICED = 0.6  # periodicity of a frame that counts
FAINT = 0.003  # RMS of a frame that does not
LOW, HIGH = 150.0, 175.0  # Hz; median pitch below and above which the guess is made
LEAST, MOST = 15, 500  # voiced frames needed, and remembered


class VoicePitch:
    """The pitch of one voice as it comes in, over its last ``MOST`` voiced frames.

    Parameters
    ----------
    sample_rate : Hz; below ``SLOWEST`` there is no guess
    """

    def __init__(self, sample_rate: int):
        self.sample_rate = sample_rate
        self._n_fft = 1 << int(np.ceil(np.log2(FRAME * sample_rate)))
        self._hop = max(1, round(HOP * sample_rate))
        self._rest = np.empty(0, np.float32)
        self._voiced: deque[float] = deque(maxlen=MOST)

    def push(self, samples: np.ndarray) -> None:
        """Take float32 samples, shape (s,); they are looked at when there are enough of them."""
        self._rest = np.concatenate([self._rest, samples])
        if len(self._rest) >= self._n_fft + BATCH * self.sample_rate:
            self._measure()

    def guess(self) -> dict[str, Any]:
        """``pitch`` (median, Hz; None before enough of a voice) and ``gender``: female, male or unclear."""
        self._measure()
        if len(self._voiced) < LEAST:
            return {"pitch": None, "gender": "unclear"}
        pitch = float(np.median(self._voiced))
        return {"pitch": round(pitch, 1), "gender": "male" if pitch < LOW else "female" if pitch > HIGH else "unclear"}

    def _measure(self) -> None:
        if len(self._rest) < self._n_fft:
            return
        frames = np.lib.stride_tricks.sliding_window_view(self._rest, self._n_fft)[:: self._hop]
        self._rest = self._rest[len(frames) * self._hop :]
        loud = frames[np.sqrt(np.mean(np.square(frames), axis=1)) > FAINT]
        if not len(loud) or self.sample_rate < SLOWEST:
            return
        power = np.square(np.abs(np.fft.rfft(loud * hann(self._n_fft)))).astype(np.float32)
        limits = {"lowest": LOWEST, "highest": HIGHEST}
        pitch, strength = autocorrelation_pitch(power, sample_rate=self.sample_rate, n_fft=self._n_fft, **limits)
        self._voiced.extend(pitch[(strength > VOICED) & (pitch > 0)].tolist())
