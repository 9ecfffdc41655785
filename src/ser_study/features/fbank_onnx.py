"""Kaldi's filterbank as part of an ONNX graph, see ``fbank``.

All that is done to a frame before its energies is linear: the frame without its mean, pre-emphasis, the window and the
Fourier transform. One convolution does it, with a kernel for the real and one for the imaginary part of each bin that
some band needs. It runs in single precision, whose rounding shows in bands near the floor beside a loud tone only.
The mean of the whole clip is taken off first, which changes nothing but the rounding.
"""

from __future__ import annotations

import numpy as np

from ser_study.features import fbank
from ser_study.features.onnx_nodes import Nodes


def nodes(body: Nodes, samples: str, *, sample_rate: int = 16_000, n_mels: int = 80) -> str:
    """Add the filterbank of a clip.

    Parameters
    ----------
    body : the graph
    samples : value float32 (s,); fewer than a frame are filled with zeros to one
    sample_rate : Hz
    n_mels : bands

    Returns
    -------
    Name of a value float32 (t, n_mels), as ``fbank.fbank`` gives it.
    """
    length, hop = round(fbank.FRAME * sample_rate), round(fbank.HOP * sample_rate)
    kernels, bands = _kernels(length, sample_rate, n_mels)
    lacking = body("Max", body("Sub", np.array([length]), body("Shape", samples)), np.array([0]))
    x = body("Pad", samples, body("Concat", np.array([0]), lacking, axis=0))
    x = body("Sub", x, body("ReduceMean", x, np.array([0])))
    x = body("Conv", body("Unsqueeze", x, np.array([0, 1])), kernels, strides=[hop])  # (1, 2 bins, t)
    energies = body("Squeeze", body("MatMul", bands, body("Mul", x, x)), np.array([0]))
    return body("Transpose", body("Log", body("Max", energies, np.float32(fbank.FLOOR))), perm=[1, 0])


def _kernels(length: int, sample_rate: int, n_mels: int) -> tuple[np.ndarray, np.ndarray]:
    """From a frame to real and imaginary parts of bins, float32 (2 bins, 1, length), and what their squares weigh in
    each band, float32 (n_mels, 2 bins)."""
    n_fft = 1 << (length - 1).bit_length()
    weights = fbank.triangles(n_mels, n_fft, sample_rate)
    used = np.flatnonzero(weights.any(axis=1))
    centred = np.eye(length) - 1 / length
    before = np.concatenate([centred[:1], centred[:-1]])
    treated = (centred - fbank.PREEMPHASIS * before) * fbank.povey(length)[:, None]
    turns = np.exp(-2j * np.pi * np.outer(used, np.arange(length)) / n_fft) @ treated
    kernels = np.concatenate([turns.real, turns.imag])[:, None].astype(np.float32)
    return kernels, np.tile(weights[used], (2, 1)).T.astype(np.float32)
