"""One short-time Fourier transform per clip, and every frame-wise feature read from it.

Conventions
-----------
An :class:`Analysis` is lazy: ask for ``analysis.rms`` and only that is computed; ask for ``mel`` and then
``mfcc`` and the transform is made once. Time comes first: contours are (t,), everything else (t, d), float32.
Frame i is centred on sample ``i · hop_length``; the signal is continued with zeros (zero crossings: with its
end values), so there are ``1 + s // hop_length`` frames.

All but F0 equal the separate librosa 0.11 calls with the same settings, most to the last bit and all to 4e-6 of
the largest value; librosa itself would take up to seven times as long, and seconds for its import. F0 is ours:
autocorrelation of the same transform (see ``pitch``), because YIN would cost several times as much as the rest.
RMS is taken from the samples: the RMS of a Hann-windowed spectrum would be 0.61 times that.

Rules at the edges
------------------
- A silent frame has centroid, bandwidth, rolloff, chroma, F0 and voicing 0, flatness 1, and the floor in dB.
- Deltas need nine frames; a shorter clip is continued with its end values.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.fft

from ser_study.config import Frames
from ser_study.features import filters, pitch
from ser_study.schema import Signal

N_CONTRAST = 7  # bands: up to 200 Hz, five octaves from there, and the rest
_BLOCK = 32  # frames transformed together, so that they stay in the processor's cache
_TINY = np.finfo(np.float32).tiny  # librosa divides by no less
_ROLLOFF = 0.85  # share of the magnitude below the rolloff frequency
_CONTRAST_LOWEST = 200.0  # Hz
_CONTRAST_SHARE = 0.02  # of a band's bins count as its peak, and as many as its valley
_DELTA_WIDTH = 9  # frames


@dataclass(frozen=True, eq=False)
class Analysis:
    """Frame-wise features of one signal; make it with :func:`analyse`."""

    signal: Signal  # float32, (s,)
    sample_rate: int  # Hz
    settings: Frames

    @cached_property
    def magnitude(self) -> np.ndarray:
        """Magnitude of the spectrum, (t, n_fft // 2 + 1)."""
        frames = self._windows
        window = filters.hann(self.settings.n_fft)
        magnitude = np.empty((len(frames), self.settings.n_fft // 2 + 1), np.float32)
        for start in range(0, len(frames), _BLOCK):
            block = slice(start, start + _BLOCK)
            # Transformed in double precision, kept in single, as librosa does: the tuning estimate and
            # the rolloff jump from bin to bin, so they are equal only when every bit is.
            spectrum = scipy.fft.rfft(frames[block] * window, axis=-1).astype(np.complex64)
            np.abs(spectrum, out=magnitude[block])
        return magnitude

    @cached_property
    def power(self) -> np.ndarray:
        """Squared magnitude, (t, n_fft // 2 + 1)."""
        return np.square(self.magnitude)

    @property
    def times(self) -> np.ndarray:
        """Centre of each frame in s, float64, (t,)."""
        return np.arange(self.n_frames) * (self.settings.hop_length / self.sample_rate)

    @property
    def n_frames(self) -> int:
        """Number of frames, t."""
        return 1 + len(self.signal) // self.settings.hop_length

    @cached_property
    def rms(self) -> np.ndarray:
        """Root mean square of the samples in each frame, (t,)."""
        return np.sqrt(np.einsum("ts,ts->t", self._windows, self._windows) / np.float32(self.settings.n_fft))

    @cached_property
    def zcr(self) -> np.ndarray:
        """Share of neighbouring samples of different sign, (t,)."""
        n_fft, last = self.settings.n_fft, len(self.signal) - 1
        is_negative = self.signal < -1e-10
        crossings = np.zeros(len(self.signal), np.int32)
        np.cumsum(is_negative[1:] != is_negative[:-1], out=crossings[1:])
        start = np.arange(self.n_frames) * self.settings.hop_length - n_fft // 2
        inside = crossings[np.clip(start + n_fft - 1, 0, last)] - crossings[np.clip(start, 0, last)]
        return (inside / n_fft).astype(np.float32)

    @cached_property
    def centroid(self) -> np.ndarray:
        """Mean frequency weighted by magnitude, Hz, (t,)."""
        return (self.magnitude @ self._frequencies.astype(np.float32)) / self._total

    @cached_property
    def bandwidth(self) -> np.ndarray:
        """Standard deviation of frequency weighted by magnitude, Hz, (t,)."""
        # double precision, since the variance is a small difference of large moments
        powers = np.stack([self._frequencies**0, self._frequencies, self._frequencies**2], axis=1)
        total, first, second = (self.magnitude.astype(np.float64) @ powers).T
        total = np.where(total < _TINY, 1, total)
        return np.sqrt(np.maximum(second / total - (first / total) ** 2, 0)).astype(np.float32)

    @cached_property
    def rolloff(self) -> np.ndarray:
        """Frequency below which 85 % of the magnitude lies, Hz, (t,)."""
        return self._frequencies[rolloff_bins(self.magnitude, _ROLLOFF)].astype(np.float32)

    @cached_property
    def flatness(self) -> np.ndarray:
        """Geometric over arithmetic mean of the power, (t,)."""
        power = np.maximum(self.power, np.float32(1e-10))
        return np.exp(np.log(power).mean(axis=1)) / power.mean(axis=1)

    @cached_property
    def contrast(self) -> np.ndarray:
        """Peak over valley in each of seven bands, dB, (t, 7)."""
        edges = np.concatenate(([0], _CONTRAST_LOWEST * 2.0 ** np.arange(N_CONTRAST)))
        if edges[-2] >= self.sample_rate / 2:
            raise ValueError(
                f"Spectral contrast needs a sample rate above {2 * edges[-2]:.0f} Hz, found {self.sample_rate}; "
                "raise audio.sample_rate or use features without it."
            )
        valleys, peaks = np.empty((2, self.n_frames, N_CONTRAST))
        for band, (low, high) in enumerate(zip(edges[:-1], edges[1:])):
            part, n_extreme = self._contrast_band(band, low, high)
            ordered = np.sort(part, axis=1)
            valleys[:, band] = ordered[:, :n_extreme].mean(axis=1)
            peaks[:, band] = ordered[:, -n_extreme:].mean(axis=1)
        return (filters.decibels(peaks) - filters.decibels(valleys)).astype(np.float32)

    @cached_property
    def chroma(self) -> np.ndarray:
        """Share of each pitch class from C on, 1 for the strongest, from the power, (t, 12)."""
        return self._chroma(self.power)

    @cached_property
    def chroma_of_magnitude(self) -> np.ndarray:
        """Chroma from the magnitude, as the student projects took it, (t, 12)."""
        return self._chroma(self.magnitude)

    @cached_property
    def mel(self) -> np.ndarray:
        """Energy in each mel band, (t, n_mels)."""
        return filters.mel_energies(
            self.power, sample_rate=self.sample_rate, n_fft=self.settings.n_fft, n_mels=self.settings.n_mels
        )

    @cached_property
    def mel_db(self) -> np.ndarray:
        """Mel energies in dB, at most 80 dB below the clip's loudest, (t, n_mels)."""
        return filters.decibels(self.mel)

    @cached_property
    def mfcc(self) -> np.ndarray:
        """Mel-frequency cepstral coefficients, (t, n_mfcc); the first is the overall level."""
        return scipy.fft.dct(self.mel_db, norm="ortho", axis=-1)[:, : self.settings.n_mfcc]

    @cached_property
    def mfcc_delta(self) -> np.ndarray:
        """Slope of each coefficient per frame, over nine frames, (t, n_mfcc)."""
        return _delta(self.mfcc, order=1)

    @cached_property
    def mfcc_delta2(self) -> np.ndarray:
        """Curvature of each coefficient per frame², over nine frames, (t, n_mfcc)."""
        return _delta(self.mfcc, order=2)

    @property
    def voicing(self) -> np.ndarray:
        """Height of the autocorrelation's peak, 0 to 1; 0 in frames too quiet to judge, (t,)."""
        return self._pitch[1]

    @property
    def is_voiced(self) -> np.ndarray:
        """Frames whose voicing passes ``settings.voicing``, bool (t,)."""
        return self.voicing >= self.settings.voicing

    @property
    def f0(self) -> np.ndarray:
        """Fundamental frequency, Hz; 0 where unvoiced, (t,)."""
        return np.where(self.is_voiced, self._pitch[0], np.float32(0))

    @cached_property
    def _pitch(self) -> tuple[np.ndarray, np.ndarray]:
        frequency, strength = pitch.autocorrelation_pitch(
            self.power,
            sample_rate=self.sample_rate,
            n_fft=self.settings.n_fft,
            lowest=self.settings.f0_min,
            highest=self.settings.f0_max,
        )
        is_quiet = self.rms <= self.rms.max() * 10 ** (-self.settings.quiet / 20)
        return frequency, np.where(is_quiet, np.float32(0), strength)

    @cached_property
    def _frequencies(self) -> np.ndarray:
        return filters.frequencies(self.sample_rate, self.settings.n_fft)

    @cached_property
    def _total(self) -> np.ndarray:
        total = self.magnitude.sum(axis=1)
        return np.where(total < _TINY, np.float32(1), total)

    @cached_property
    def _windows(self) -> np.ndarray:
        """Overlapping frames of the padded signal, a view, (t, n_fft)."""
        n_fft = self.settings.n_fft
        return np.lib.stride_tricks.sliding_window_view(np.pad(self.signal, n_fft // 2), n_fft)[
            :: self.settings.hop_length
        ]

    def _chroma(self, spectrum: np.ndarray) -> np.ndarray:
        n_fft = self.settings.n_fft
        deviation = pitch.tuning(spectrum, sample_rate=self.sample_rate, n_fft=n_fft)
        raw = spectrum @ filters.chroma_bank(self.sample_rate, n_fft, deviation)
        strongest = raw.max(axis=1, keepdims=True)
        return raw / np.where(strongest < _TINY, np.float32(1), strongest)

    def _contrast_band(self, band: int, low: float, high: float) -> tuple[np.ndarray, int]:
        """Bins of a band, and how many of them make its peak; neighbouring bands share an edge as in librosa."""
        inside = np.flatnonzero((self._frequencies >= low) & (self._frequencies <= high))
        first, last = inside[0] - (band > 0), inside[-1] + 1
        if band == N_CONTRAST - 1:
            last = len(self._frequencies)
        n_extreme = max(1, round(_CONTRAST_SHARE * (last - first)))
        return self.magnitude[:, first : last if band == N_CONTRAST - 1 else last - 1], n_extreme


def analyse(signal: Signal, sample_rate: int, frames: Frames) -> Analysis:
    """Frame-wise features of a prepared signal, computed when asked for.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz
    frames : settings

    Raises
    ------
    ValueError
        The signal is not one-dimensional, is empty, or holds NaN or infinite samples; or ``n_fft`` is odd.
    """
    signal = np.asarray(signal, dtype=np.float32)
    if signal.ndim != 1 or not len(signal):
        raise ValueError(f"Features need a signal of shape (samples,), found {signal.shape}; call audio.prepare first.")
    if not np.isfinite(signal).all():
        raise ValueError(f"{np.count_nonzero(~np.isfinite(signal))} of {len(signal)} samples are NaN or infinite.")
    if frames.n_fft < 2 or frames.n_fft % 2 or frames.hop_length < 1:
        raise ValueError(f"n_fft must be even and hop_length positive, found {frames.n_fft} and {frames.hop_length}.")
    return Analysis(signal, sample_rate, frames)


def rolloff_bins(magnitude: np.ndarray, share: float) -> np.ndarray:
    """First bin at which the running sum reaches a share of the total, (t, bins) → int (t,).

    Summed in single precision as librosa sums, so that rounding decides alike.
    """
    running = np.cumsum(magnitude, axis=1)
    return np.count_nonzero(running < np.float32(share) * running[:, -1:], axis=1)


def _delta(values: np.ndarray, *, order: int) -> np.ndarray:
    """First or second derivative of a parabola fitted to nine frames, (t, d) → (t, d).

    The fit's derivative of its own degree is constant, so the ends repeat their neighbours
    (Savitzky and Golay, 1964; ``librosa.feature.delta``).
    """
    half = _DELTA_WIDTH // 2
    steps = np.arange(-half, half + 1)
    weights = steps if order == 1 else steps**2 - (steps**2).mean()
    weights = weights * (order / (weights**2).sum())
    values = values - values[:1]  # a constant then has a derivative of exactly 0
    is_short = len(values) < _DELTA_WIDTH
    if is_short:
        values = np.pad(values, ((half, half), (0, 0)), mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(values, _DELTA_WIDTH, axis=0)  # (t, d, 9)
    slopes = windows @ weights.astype(np.float32)
    return slopes if is_short else np.pad(slopes, ((half, half), (0, 0)), mode="edge")
