"""Published encoders that run in ONNX Runtime, an optional dependency (extra ``encoders``).

Moonshine tiny (Jeffries et al. 2024) is an English speech recogniser; the middle layers of its encoder, trained to
tell words, also tell emotions. The published file, in ONNX Runtime's own format, gives only the last of six layers;
ONNX Runtime itself writes it as an ONNX graph, which is cut behind the layer that is wanted, so that the layers
behind it are not computed. The weights are not touched, but for a control, which puts the numbers of every array of
weights into a random order: the same network with weights of the same size that know nothing.
"""

from __future__ import annotations

from functools import lru_cache, partial

import numpy as np

from ser_study.download import weights
from ser_study.features import onnx_models
from ser_study.schema import Signal

SAMPLE_RATE = 16_000  # Hz
LAYERS = 5  # of six; the sum behind the last one is no value of the published graph
WIDTH = 288  # channels of every layer
INPUT, MASK = "input_values", "attention_mask"  # of the published graph
SHORTEST = 1_600  # samples; a shorter clip is continued with zeros, for the convolutions need some
_OUTPUT = "/layers.{}/Add_1_output_0"  # after the residual sum; counted from 0
VERSION = 1  # rises when the graph that is made changes


def moonshine(signal: Signal, sample_rate: int, *, layer: int = 3, seed: int | None = None) -> np.ndarray:
    """Mean and standard deviation over time of one layer of Moonshine's encoder.

    Parameters
    ----------
    signal : float32 array, shape (s,), full scale ±1
    sample_rate : Hz; the network knows 16,000 only
    layer : 1 to 5
    seed : of the order of the weights, as a control; None: as they are published

    Returns
    -------
    float32 array, shape (576,).

    Raises
    ------
    ValueError
        Another sampling rate, or no such layer.
    ImportError
        onnx or onnxruntime is not installed.
    """
    frames = moonshine_frames(signal, sample_rate, layer=layer, seed=seed)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def moonshine_frames(signal: Signal, sample_rate: int, *, layer: int = 3, seed: int | None = None) -> np.ndarray:
    """One layer of Moonshine's encoder, float32 (t, 288), about 41 frames a second; see ``moonshine``."""
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"Moonshine takes {SAMPLE_RATE} Hz, the clip has {sample_rate} Hz; set audio.sample_rate=16000."
        )
    wave = np.asarray(signal, dtype=np.float32)
    wave = np.pad(wave, (0, max(0, SHORTEST - len(wave))))[None]
    return _session(layer, seed).run(None, {INPUT: wave, MASK: np.ones(wave.shape, np.int64)})[0][0]


def moonshine_columns(*, layer: int = 3) -> tuple[str, ...]:
    """``layer3_0_mean`` … ``layer3_287_sd``."""
    return tuple(f"layer{layer}_{i}_{what}" for what in ("mean", "sd") for i in range(WIDTH))


@lru_cache(maxsize=LAYERS)
def _session(layer: int, seed: int | None = None):
    """One session a process and layer."""
    if not 1 <= layer <= LAYERS:
        raise ValueError(f"Moonshine tiny has no layer {layer} to be had; choose 1 to {LAYERS}.")
    order = "" if seed is None else f"-shuffled{seed}"
    name = f"moonshine-{weights.get('moonshine').sha256[:16]}-layer{layer}{order}-{VERSION}.onnx"
    return onnx_models.session(name, partial(layer_graph, layer, seed), title="Moonshine")


def layer_graph(layer: int, seed: int | None = None) -> bytes:
    """The ONNX graph up to a layer: ``INPUT`` (1, s) and ``MASK`` (1, s) of ones → (1, t, 288).

    Raises
    ------
    ImportError, ConnectionError, ValueError
        A library is missing, or the weights cannot be had.
    """
    cut = graph(weights.path("moonshine").read_bytes(), _OUTPUT.format(layer - 1))
    return cut if seed is None else onnx_models.shuffled(cut, seed)


def graph(model: bytes, value: str) -> bytes:
    """The part of a model in ONNX Runtime's own format that leads to one of its values, as an ONNX graph.

    Parameters
    ----------
    model : content of an ``.ort`` file
    value : name of a value inside the graph; it becomes the only output

    Raises
    ------
    ImportError
        onnx or onnxruntime is missing.
    ValueError
        It is no such file, or computes no value of that name.
    """
    return onnx_models.cut(onnx_models.converted(model), value)
