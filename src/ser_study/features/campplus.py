"""Features of CAM++, a network that knows speakers, whose middle layers know emotions too; see ``campplus_network``.

The network runs as an ONNX graph (extra ``encoders``), which is made once from the published weights.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from ser_study.download import weights
from ser_study.download.state_dict import read_state_dict
from ser_study.features import campplus_onnx, onnx_models
from ser_study.features.campplus_network import N_MELS, RANDOM_SEED, WIDTHS, random_state
from ser_study.features.fbank import fbank
from ser_study.schema import Signal

SAMPLE_RATE = 16_000  # Hz
INPUT = campplus_onnx.INPUT  # name of the filterbank in the graph
STEPS = 20  # time steps of ``steps``


def layer(
    signal: Signal, sample_rate: int, *, output: str = "block2", untrained: bool = False, seed: int = RANDOM_SEED
) -> np.ndarray:
    """What CAM++ makes of one clip.

    Parameters
    ----------
    signal : float32 array, shape (s,)
    sample_rate : Hz; the network knows 16,000 only
    output : a key of ``WIDTHS``
    untrained : random weights in place of the published ones, as a control
    seed : of the random weights

    Returns
    -------
    float32 array: of a block (t, d) with 50 frames a second, of an embedding (192,).

    Raises
    ------
    ValueError
        Another sampling rate, or an unknown output.
    """
    if sample_rate != SAMPLE_RATE:
        raise ValueError(f"CAM++ takes {SAMPLE_RATE} Hz, the clip has {sample_rate} Hz; set audio.sample_rate=16000.")
    return layer_of(filterbank(signal), output=output, untrained=untrained, seed=seed)


def layer_of(
    bands: np.ndarray, *, output: str = "block2", untrained: bool = False, seed: int = RANDOM_SEED
) -> np.ndarray:
    """What CAM++ makes of a filterbank, float32 (t, 80) as ``filterbank`` gives it; see ``layer``."""
    return _session(output, untrained, seed).run(None, {INPUT: bands})[0]


def filterbank(signal: Signal) -> np.ndarray:
    """Input of CAM++, (t, 80) at 100 frames a second: Kaldi's filterbank, each band without its mean over the clip."""
    bands = fbank(signal, SAMPLE_RATE, n_mels=N_MELS)
    return bands - bands.mean(axis=0)


def pooled(signal: Signal, sample_rate: int, *, output: str = "block2", **weights_of) -> np.ndarray:
    """Mean and standard deviation over time of a block, float32 (2 d,); see ``layer``."""
    return mean_and_sd(layer(signal, sample_rate, output=output, **weights_of))


def pooled_filterbank(signal: Signal, sample_rate: int) -> np.ndarray:
    """The filterbank pooled as a block is, before each band loses its mean, float32 (160,): a control."""
    return mean_and_sd(fbank(signal, sample_rate, n_mels=N_MELS))


def filterbank_columns() -> tuple[str, ...]:
    """``band_0_mean`` … ``band_79_sd``."""
    return tuple(f"band_{i}_{what}" for what in ("mean", "sd") for i in range(N_MELS))


def mean_and_sd(frames: np.ndarray) -> np.ndarray:
    """How ``pooled`` pools, (t, d) → (2 d,)."""
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def pooled_columns(*, output: str = "block2") -> tuple[str, ...]:
    """``block2_0_mean`` … ``block2_1023_sd``."""
    return tuple(f"{output}_{i}_{what}" for what in ("mean", "sd") for i in range(WIDTHS[output]))


def columns(*, output: str = "block2") -> tuple[str, ...]:
    """``block2_0`` … ``block2_1023``."""
    return tuple(f"{output}_{i}" for i in range(WIDTHS[output]))


def steps(signal: Signal, sample_rate: int, *, output: str = "block2") -> np.ndarray:
    """A block averaged into ``STEPS`` equal stretches of the clip, float16 (20, d), which halves what is kept."""
    return equal_steps(layer(signal, sample_rate, output=output), STEPS).astype(np.float16)


def equal_steps(frames: np.ndarray, n: int) -> np.ndarray:
    """Means over n equal stretches of time, (t, d) → (n, d); a frame on a border counts on both sides by its share.

    Of fewer than n frames, some are repeated.
    """
    total = np.concatenate([np.zeros((1, frames.shape[1])), np.cumsum(frames, axis=0, dtype=np.float64)])
    edges = np.linspace(0, len(frames), n + 1)
    low = np.minimum(edges.astype(int), len(frames) - 1)
    at = total[low] + (edges - low)[:, None] * frames[low]
    return (np.diff(at, axis=0) * n / len(frames)).astype(np.float32)


@lru_cache(maxsize=len(WIDTHS))
def _session(output: str, untrained: bool, seed: int):
    """One session a process and output."""
    source = f"random{seed}" if untrained else weights.get("campplus").sha256[:16]
    name = f"campplus-{source}-{output}-{campplus_onnx.VERSION}.onnx"
    return onnx_models.session(name, partial(graph, output, untrained, seed), title="CAM++")


def graph(output: str, untrained: bool = False, seed: int = RANDOM_SEED) -> bytes:
    """The ONNX graph up to an output, from ``INPUT``, see ``campplus_onnx.graph``.

    Raises
    ------
    ModuleNotFoundError, ConnectionError, ValueError
        The library ``onnx`` is missing, or the weights cannot be had.
    """
    state = random_state(seed) if untrained else read_state_dict(weights.path("campplus"))
    return campplus_onnx.graph(state, output)
