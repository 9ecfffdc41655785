"""Published encoders that run in ONNX Runtime, an optional dependency (extra ``encoders``).

Moonshine tiny (Jeffries et al. 2024) is an English speech recogniser; the middle layers of its encoder, trained to
tell words, also tell emotions. The published file gives only the last of six layers. It is a flatbuffer whose
parts point at each other by distance, so another layer is had by writing that layer's name behind the end and
pointing the graph's output at it; the weights are not touched. All six layers are still computed.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import numpy as np

from ser_study.download import weights
from ser_study.schema import Signal

SAMPLE_RATE = 16_000  # Hz
LAYERS = 5  # of six; the sum behind the last one is no value of the published graph
WIDTH = 288  # channels of every layer
SHORTEST = 1_600  # samples; a shorter clip is continued with zeros, for the convolutions need some
_OUTPUT = "/layers.{}/Add_1_output_0"  # after the residual sum; counted from 0
_FILE_START = b"ORTM"  # after the first four bytes


def moonshine(signal: Signal, sample_rate: int, *, layer: int = 3) -> np.ndarray:
    """Mean and standard deviation over time of one layer of Moonshine's encoder.

    Parameters
    ----------
    signal : float32 array, shape (s,), full scale ±1
    sample_rate : Hz; the network knows 16,000 only
    layer : 1 to 5

    Returns
    -------
    float32 array, shape (576,).

    Raises
    ------
    ValueError
        Another sampling rate, or no such layer.
    ImportError
        onnxruntime is not installed.
    """
    frames = moonshine_frames(signal, sample_rate, layer=layer)
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def moonshine_frames(signal: Signal, sample_rate: int, *, layer: int = 3) -> np.ndarray:
    """One layer of Moonshine's encoder, float32 (t, 288), about 41 frames a second; see ``moonshine``."""
    if sample_rate != SAMPLE_RATE:
        raise ValueError(
            f"Moonshine takes {SAMPLE_RATE} Hz, the clip has {sample_rate} Hz; set audio.sample_rate=16000."
        )
    wave = np.asarray(signal, dtype=np.float32)
    wave = np.pad(wave, (0, max(0, SHORTEST - len(wave))))[None]
    session = _session(weights.path("moonshine"), layer)
    return session.run(None, {"input_values": wave, "attention_mask": np.ones(wave.shape, np.int64)})[0][0]


def moonshine_columns(*, layer: int = 3) -> tuple[str, ...]:
    """``layer3_0_mean`` … ``layer3_287_sd``."""
    return tuple(f"layer{layer}_{i}_{what}" for what in ("mean", "sd") for i in range(WIDTH))


@lru_cache(maxsize=LAYERS)
def _session(path: Path, layer: int):
    """One session a process and layer, on one thread, as workers share the cores."""
    if not 1 <= layer <= LAYERS:
        raise ValueError(f"Moonshine tiny has no layer {layer} to be had; choose 1 to {LAYERS}.")
    try:
        import onnxruntime
    except ImportError:
        raise ImportError("Moonshine needs ONNX Runtime; install it with: pip install 'ser_study[encoders]'.") from None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.load_model_format", "ORT")
    model = with_output(path.read_bytes(), _OUTPUT.format(layer - 1))
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def with_output(model: bytes, name: str) -> bytes:
    """A copy of a model in ONNX Runtime's own format whose first output is another of its values.

    Parameters
    ----------
    model : content of an ``.ort`` file
    name : of a value inside the graph

    Raises
    ------
    ValueError
        It is no such file, or holds no value of that name.
    """
    if model[4:8] != _FILE_START:
        raise ValueError(f"This is no model in ONNX Runtime's format: it starts with {model[:8]!r}.")
    word = name.encode()
    if not re.search(re.escape(len(word).to_bytes(4, "little") + word + b"\0"), model):
        raise ValueError(f"The model computes no value {name!r}.")
    slot = _output_slot(model)
    changed = bytearray(model) + b"\0" * (-len(model) % 4)
    changed[slot : slot + 4] = (len(changed) - slot).to_bytes(4, "little")
    return bytes(changed + len(word).to_bytes(4, "little") + word + b"\0")


def _output_slot(model: bytes) -> int:
    """Where the pointer to the name of the graph's first output stands: session → model → graph → outputs."""
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs.InferenceSession import InferenceSession

    table = InferenceSession.GetRootAsInferenceSession(model, 0).Model().Graph()._tab
    return table.Vector(table.Offset(_GRAPH_OUTPUTS))


_GRAPH_OUTPUTS = 16  # place of the field in the table of a graph, fixed by the format
