"""Features of pretrained encoders as parts of an ONNX graph: from a prepared signal to the columns of a clip."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from ser_study.features import campplus, encoders, fbank_onnx
from ser_study.features.onnx_nodes import Nodes

# of the format; Moonshine's graph is written in this one, and every ONNX Runtime from 1.20 on reads it
OPSET, IR_VERSION = 18, 8


def _campplus(body: Nodes, samples: str, *, output: str = "block2") -> str:
    bank = fbank_onnx.nodes(body, samples)
    bank = body("Sub", bank, body("ReduceMean", bank, np.array([0])))
    frames = body.embed(campplus.graph(output), {campplus.INPUT: bank}, name=f"campplus_{output}")
    return _mean_and_sd(body, frames)


def _moonshine(body: Nodes, samples: str, *, layer: int) -> str:
    lacking = body("Max", body("Sub", np.array([encoders.SHORTEST]), body("Shape", samples)), np.array([0]))
    wave = body("Pad", samples, body("Concat", np.array([0]), lacking, axis=0))
    wave = body("Unsqueeze", wave, np.array([0]))
    mask = body("Expand", np.array(1), body("Shape", wave))
    inputs = {encoders.INPUT: wave, encoders.MASK: mask}
    frames = body.embed(encoders.layer_graph(layer), inputs, name=f"moonshine_layer{layer}")
    return _mean_and_sd(body, body("Squeeze", frames, np.array([0])))


FEATURES: Mapping[str, Callable[[Nodes, str], str]] = {  # feature → what adds it to a graph
    "campplus": _campplus,
    "campplus_block1": partial(_campplus, output="block1"),
    "campplus_block3": partial(_campplus, output="block3"),
    "moonshine": partial(_moonshine, layer=3),
    "moonshine_layer2": partial(_moonshine, layer=2),
}


def nodes(body: Nodes, name: str, samples: str) -> str:
    """Add a feature.

    Parameters
    ----------
    body : the graph
    name : a key of ``FEATURES``
    samples : value float32 (s,), a signal at 16,000 Hz as the feature's section of the settings prepares it

    Returns
    -------
    Name of a value float32 (d,).

    Raises
    ------
    ImportError
        onnx or onnxruntime is not installed.
    """
    return FEATURES[name](body, samples)


def _mean_and_sd(body: Nodes, frames: str) -> str:
    """Mean and standard deviation over time, (t, d) → (2 d,)."""
    mean = body("ReduceMean", frames, np.array([0]))
    away = body("Sub", frames, mean)
    variance = body("ReduceMean", body("Mul", away, away), np.array([0]), keepdims=0)
    return body("Concat", body("Squeeze", mean, np.array([0])), body("Sqrt", variance), axis=0)
