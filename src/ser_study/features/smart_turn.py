"""Features of smart-turn, a network that knows when a speaker has finished, whose middle layers know emotions too.

It is the encoder of Whisper tiny (Radford et al. 2022), trained further on the last 8 s of a speaker's turn. It runs
as an ONNX graph (extra ``encoders``), which is made once from the published weights, see ``smart_turn_onnx``.

The published network takes 8 s, with zeros before a shorter turn. Here a clip goes in alone, at the positions that it
would have at the end of the 8 s, and is scaled by its own spread: a clip of 2.2 s takes a third of the time, and on
validation speakers of RAVDESS and EMO-DB the scores stay within a point of those with the zeros. There the second
layer, the output of the first of four blocks, was as good as any behind it, and it is the cheapest.
"""

from __future__ import annotations

import math
from functools import lru_cache, partial

import numpy as np

from ser_study.config import Frames
from ser_study.download import weights
from ser_study.features import onnx_models, smart_turn_onnx
from ser_study.features.frames import analyse
from ser_study.schema import Signal

SAMPLE_RATE = 16_000  # Hz
LONGEST = 8 * SAMPLE_RATE  # samples that the network has positions for
N_MELS = 80
FRAMES = Frames(n_fft=400, hop_length=160, n_mels=N_MELS)
EPSILON = 1e-7  # of the variance of a waveform, as it was trained


def pooled(signal: Signal, sample_rate: int, *, layer: int = 2) -> np.ndarray:
    """Mean and standard deviation over time of one layer.

    Parameters
    ----------
    signal : float32 array, shape (s,), full scale ±1
    sample_rate : Hz; the network knows 16,000 only
    layer : 1 to 8, see ``smart_turn_onnx.LAYERS``

    Returns
    -------
    float32 array, shape (768,).

    Raises
    ------
    ValueError
        Another sampling rate, or no such layer.
    ImportError
        onnx or onnxruntime is not installed.
    """
    frames = layer_frames(signal, sample_rate, layer=layer)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def layer_frames(signal: Signal, sample_rate: int, *, layer: int = 2) -> np.ndarray:
    """One layer, float32 (t, 384), 50 frames a second; see ``pooled``.

    A clip of more than 8 s is cut into equal parts that are no longer.
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"smart-turn takes {SAMPLE_RATE} Hz, the clip has {sample_rate} Hz; set audio.sample_rate=16000."
        )
    parts = np.array_split(np.asarray(signal, np.float32), max(1, math.ceil(len(signal) / LONGEST)))
    session = _session(layer)
    return np.concatenate([session.run(None, {smart_turn_onnx.INPUT: log_mel(part)[None]})[0][0] for part in parts])


def log_mel(signal: Signal) -> np.ndarray:
    """Input of the network, float32 (80, t) at 100 frames a second: Whisper's log-mel energies of a waveform of
    mean 0 and variance 1.

    Whisper's levels are log10 of the energy, no lower than 8 below the loudest, plus 4, by 4.
    """
    signal = np.asarray(signal, dtype=np.float32)
    wave = (signal - signal.mean()) / np.sqrt(signal.var() + np.float32(EPSILON))
    level = analyse(wave, SAMPLE_RATE, FRAMES).mel_db  # 10 times the log10, no lower than 80 below the loudest
    return np.ascontiguousarray(level[: max(1, len(signal) // FRAMES.hop_length)].T / 40 + 1)


def columns(*, layer: int = 2) -> tuple[str, ...]:
    """``layer2_0_mean`` … ``layer2_383_sd``."""
    return tuple(f"layer{layer}_{i}_{what}" for what in ("mean", "sd") for i in range(smart_turn_onnx.WIDTH))


@lru_cache(maxsize=len(smart_turn_onnx.LAYERS))
def _session(layer: int):
    """One session a process and layer."""
    if layer not in smart_turn_onnx.LAYERS:
        raise ValueError(f"smart-turn has no layer {layer}; choose 1 to {len(smart_turn_onnx.LAYERS)}.")
    name = f"smart_turn-{weights.get('smart_turn').sha256[:16]}-layer{layer}-{smart_turn_onnx.VERSION}.onnx"
    return onnx_models.session(name, partial(_graph, layer), title="smart-turn")


def _graph(layer: int) -> bytes:
    return smart_turn_onnx.graph(weights.path("smart_turn").read_bytes(), layer)
