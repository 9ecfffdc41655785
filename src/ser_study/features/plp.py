"""Perceptual linear prediction (Hermansky, J. Acoust. Soc. Am. 87, 1990), on our own frames.

A frame's power is collected in critical bands one Bark apart, weighted by the ear's sensitivity at 40 phon, compressed
by the cube root (intensity to loudness), and described by an all-pole model whose cepstrum is the result.
"""

from __future__ import annotations

import functools

import numpy as np
import scipy.fft

from ser_study.features import filters
from ser_study.features.frames import Analysis

ORDER = 12  # poles
N_PLP = ORDER + 1  # cepstral coefficients, the log of the gain first
_QUIETEST = 1e-10  # power of a band counts as no less, so silence stays finite
_WIDE = 5000.0  # Hz; the sensitivity of wider signals has one more term


def plp(analysis: Analysis) -> np.ndarray:
    """Cepstral coefficients of each frame; the first is the log gain of the all-pole model.

    Parameters
    ----------
    analysis : at a sample rate of about 3.7 kHz or more

    Returns
    -------
    float32 array, shape (t, 13)

    Raises
    ------
    ValueError
        There are fewer critical bands below half the sample rate than the model has coefficients.
    """
    weights, sensitivity = _critical_bands(analysis.sample_rate, analysis.settings.n_fft)
    if len(sensitivity) < N_PLP:
        raise ValueError(
            f"PLP with {ORDER} poles needs {N_PLP} critical bands; half of {analysis.sample_rate} Hz holds "
            f"{len(sensitivity)}. Raise audio.sample_rate."
        )
    bands = np.maximum(analysis.power.astype(np.float64) @ weights, _QUIETEST) * sensitivity
    bands[:, 0], bands[:, -1] = bands[:, 1], bands[:, -2]  # half of these bands lies outside the spectrum
    correlation = scipy.fft.irfft(np.cbrt(bands), axis=1)[:, :N_PLP]
    return cepstrum(*linear_prediction(correlation)).astype(np.float32)


def linear_prediction(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All-pole models by the recursion of Levinson and Durbin, all frames at once.

    Parameters
    ----------
    correlation : float array, shape (t, p + 1), autocorrelation from lag 0; lag 0 must be positive

    Returns
    -------
    coefficients : shape (t, p + 1), of the inverse filter, 1 first
    gain : shape (t,), power of the prediction error
    """
    n_lags = correlation.shape[1]
    coefficients = np.zeros_like(correlation, dtype=np.float64)
    coefficients[:, 0] = 1
    gain = correlation[:, 0].astype(np.float64)
    for order in range(1, n_lags):
        error = np.einsum("ti,ti->t", coefficients[:, :order], correlation[:, order:0:-1])
        reflection = (-error / gain)[:, None]
        coefficients[:, : order + 1] += reflection * coefficients[:, order::-1]
        gain = gain * (1 - reflection[:, 0] ** 2)
    return coefficients, gain


def cepstrum(coefficients: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Cepstrum of the log power spectrum of all-pole models, (t, p + 1) and (t,) → (t, p + 1)."""
    values = np.zeros_like(coefficients)
    values[:, 0] = np.log(gain)
    for n in range(1, coefficients.shape[1]):
        lags = np.arange(1, n)
        earlier = (values[:, 1:n] * coefficients[:, n - 1 : 0 : -1]) @ (lags / n)
        values[:, n] = -coefficients[:, n] - earlier
    return values


@functools.lru_cache(maxsize=16)
def _critical_bands(sample_rate: int, n_fft: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights of each bin in each band, (bins, bands), and the ear's sensitivity in each band, 1 at most."""
    highest = _bark(np.asarray(sample_rate / 2))
    centres = np.linspace(0, highest, int(np.ceil(highest)) + 1)
    above = _bark(filters.frequencies(sample_rate, n_fft))[:, None] - centres  # Bark above the band's centre
    # flat for one Bark, then 10 dB a Bark below and 25 dB above: low sounds mask high ones
    weights = 10 ** np.minimum(0, np.minimum(above + 0.5, -2.5 * (above - 0.5)))
    weights[(above < -2.5) | (above > 1.3)] = 0
    squared = (2 * np.pi * 600 * np.sinh(centres / 6)) ** 2  # (rad/s)²
    sensitivity = (squared + 56.8e6) * squared**2 / ((squared + 6.3e6) ** 2 * (squared + 0.38e9))
    if sample_rate / 2 > _WIDE:
        sensitivity /= squared**3 + 9.58e26
    return weights, sensitivity / sensitivity.max()


def _bark(frequency: np.ndarray) -> np.ndarray:
    return 6 * np.arcsinh(frequency / 600)
