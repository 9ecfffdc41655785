"""CAM++ as an ONNX graph, which is ready in a fraction of a second and takes a third of the Keras network's time.

The layers are those of ``campplus_network``, in PyTorch's order of axes, with every batch normalisation folded into a
convolution beside it. One that precedes its convolution, with a ReLU between them, is folded too: for a scale a > 0,
ReLU(a x + b) = a max(x, -b / a) + b, so the scale goes into the weights, b into the bias, and only the maximum
is left to compute; for a < 0 it is a minimum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ser_study.features.campplus_network import BLOCKS, EPSILON, HEAD, N_MELS, SEGMENT, WIDTHS
from ser_study.features.onnx_nodes import FLOAT, Nodes

VERSION = 1  # rises when the graph changes
OPSET, IR_VERSION = 17, 8  # of the format; old enough for every ONNX Runtime that is allowed
INPUT = "filterbank"


def graph(state: Mapping[str, np.ndarray], output: str) -> bytes:
    """The graph up to one output; what lies behind it is left out.

    Parameters
    ----------
    state : name → array, as PyTorch shapes it
    output : a key of ``campplus_network.WIDTHS``

    Returns
    -------
    An ONNX model, filterbank (t, 80) → (t/2, d) of a block, (192,) of an embedding.

    Raises
    ------
    ModuleNotFoundError
        The library ``onnx`` is missing.
    ValueError
        An unknown output.
    """
    from onnx import TensorProto, helper

    if output not in WIDTHS:
        raise ValueError(f"CAM++ has no output {output}; known: {', '.join(WIDTHS)}.")
    body = _Graph(state=state)
    body("Identity", _value(body, output), output=output)
    shape = ["frames", WIDTHS[output]] if output in BLOCKS else [WIDTHS[output]]
    whole = helper.make_graph(
        body.nodes,
        "campplus",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["bank_frames", N_MELS])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)],
        body.constants,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    return helper.make_model(whole, opset_imports=opsets, ir_version=IR_VERSION).SerializeToString()


@dataclass
class _Graph(Nodes):
    """Nodes made from a state dict."""

    state: Mapping[str, np.ndarray] = field(default_factory=dict)

    def constant(self, array: np.ndarray | np.generic) -> str:
        """Weights are folded in double precision and kept in single."""
        return super().constant(array.astype(np.float32) if array.dtype.kind == "f" else array)

    def norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Scale and shift of a batch normalisation, float64 (d,) each."""
        spread = np.sqrt(self.state[f"{name}.running_var"].astype(np.float64) + EPSILON)
        scale = self.state.get(f"{name}.weight", 1.0) / spread
        return scale, self.state.get(f"{name}.bias", 0.0) - self.state[f"{name}.running_mean"] * scale

    def conv(self, x: str, name: str, *, before: str = "", after: str = "", act: str = "", **attributes) -> str:
        """A convolution; ``before`` names a batch normalisation with ReLU on its input (kernels of width 1 only),
        ``after`` one on its output, ``act`` a function behind that."""
        kernel = self.state[f"{name}.weight"].astype(np.float64)
        bias = self.state.get(f"{name}.bias", np.zeros(len(kernel))).astype(np.float64)
        if before:
            scale, shift = self.norm(before)
            x = self._bounded(x, scale, shift)
            bias = bias + kernel[..., 0] @ np.where(scale == 0, np.maximum(shift, 0), shift)
            kernel = kernel * scale[:, None]
        if after:
            scale, shift = self.norm(after)
            kernel, bias = kernel * scale.reshape(-1, *[1] * (kernel.ndim - 1)), bias * scale + shift
        y = self("Conv", x, kernel, bias, **attributes)
        return self(act, y) if act else y

    def _bounded(self, x: str, scale: np.ndarray, shift: np.ndarray) -> str:
        """What is left of a batch normalisation with ReLU when scale and shift are folded into the next weights."""
        bound = -shift / np.where(scale == 0, 1, scale)
        x = self("Max", x, np.where(scale > 0, bound, -np.inf)[:, None])
        return self("Min", x, np.where(scale < 0, bound, np.inf)[:, None]) if (scale < 0).any() else x


def _value(body: _Graph, output: str) -> str:
    """Name of the output's value, with all that leads to it."""
    x = body.conv(
        _head(body), "xvector.tdnn.linear", after="xvector.tdnn.nonlinear.batchnorm", act="Relu", **_time(2, 2)
    )
    segments = _segments(body, x)
    for number, (block, (depth, dilation)) in enumerate(BLOCKS.items(), start=1):
        for layer in range(1, depth + 1):
            x = body("Concat", x, _dense_layer(body, x, f"xvector.{block}.tdnnd{layer}", dilation, segments), axis=1)
        transition = f"xvector.transit{number}"
        if block == output:
            scale, shift = (values[:, None] for values in body.norm(f"{transition}.nonlinear.batchnorm"))
            x = body("Relu", body("Add", body("Mul", x, scale), shift))
            return body("Transpose", body("Squeeze", x, np.array([0])), perm=[1, 0])  # (1, d, t) → (t, d)
        last = {"after": "xvector.out_nonlinear.batchnorm", "act": "Relu"} if number == len(BLOCKS) else {}
        x = body.conv(x, f"{transition}.linear", before=f"{transition}.nonlinear.batchnorm", **last)
    act = "" if output == "signed_embedding" else "Relu"
    x = body.conv(_statistics(body, x), "xvector.dense.linear", after="xvector.dense.nonlinear.batchnorm", act=act)
    return body("Reshape", x, np.array([-1]))


def _time(margin: int, stride: int = 1, dilation: int = 1) -> dict[str, list[int]]:
    """Attributes of a convolution over time alone."""
    return {"pads": [margin, margin], "strides": [stride], "dilations": [dilation]}


def _head(body: _Graph) -> str:
    """Two-dimensional front end, (t, 80) → (1, 320, t): bands are halved three times, time is kept."""
    around, halved = {"pads": [1, 1, 1, 1]}, {"strides": [2, 1]}
    x = body("Unsqueeze", body("Transpose", INPUT, perm=[1, 0]), np.array([0, 1]))
    x = body.conv(x, "head.conv1", after="head.bn1", act="Relu", **around)
    for layer in ("layer1", "layer2"):
        for part, strides in enumerate((halved, {})):
            name = f"head.{layer}.{part}"
            y = body.conv(x, f"{name}.conv1", after=f"{name}.bn1", act="Relu", **around, **strides)
            y = body.conv(y, f"{name}.conv2", after=f"{name}.bn2", **around)
            if strides:
                x = body.conv(x, f"{name}.shortcut.0", after=f"{name}.shortcut.1", **strides)
            x = body("Relu", body("Add", y, x))
    x = body.conv(x, "head.conv2", after="head.bn2", act="Relu", **around, **halved)
    return body("Reshape", x, np.array([1, HEAD * N_MELS // 8, -1]))


def _segments(body: _Graph, x: str) -> tuple[str, str]:
    """Two matrices: (t, segments) takes frames to the mean of a segment plus the mean of the clip; (segments, t)
    hands a segment's value back to its frames. The last segment is as long as it is."""
    zero, one, size = (np.array(number, dtype=np.int64) for number in (0, 1, SEGMENT))
    t = body("Squeeze", body("Shape", x, start=2))
    number = body("Div", body("Range", zero, t, one), size)  # of each frame's segment
    known = body("Range", zero, body("Div", body("Add", t, size - one), size), one)
    member = body("Equal", body("Unsqueeze", known, np.array([1])), body("Unsqueeze", number, np.array([0])))
    member = body("Cast", member, to=FLOAT)
    means = body("Div", member, body("ReduceSum", member, np.array([1]), keepdims=1))
    means = body("Add", means, body("Reciprocal", body("Cast", t, to=FLOAT)))
    return body("Transpose", means, perm=[1, 0]), member


def _dense_layer(body: _Graph, x: str, name: str, dilation: int, segments: tuple[str, str]) -> str:
    """One dense time-delay layer with context-aware masking, (1, d, t) → (1, 32, t)."""
    means, member = segments
    before, after = (f"{name}.nonlinear{i}.batchnorm" for i in (1, 2))
    x = body.conv(x, f"{name}.linear1", before=before, after=after, act="Relu")
    local = body.conv(x, f"{name}.cam_layer.linear_local", **_time(dilation, dilation=dilation))
    context = body.conv(body("MatMul", x, means), f"{name}.cam_layer.linear1", act="Relu")
    mask = body.conv(context, f"{name}.cam_layer.linear2", act="Sigmoid")
    return body("Mul", local, body("MatMul", mask, member))


def _statistics(body: _Graph, x: str) -> str:
    """Mean and (unbiased) standard deviation over time, (1, d, t) → (1, 2 d, 1)."""
    mean = body("ReduceMean", x, axes=[2], keepdims=1)
    away = body("Sub", x, mean)
    n = body("Cast", body("Shape", x, start=2), to=FLOAT)
    n = body("Max", body("Sub", n, np.ones(1)), np.ones(1))
    variance = body("Div", body("ReduceSum", body("Mul", away, away), np.array([2]), keepdims=1), n)
    return body("Concat", mean, body("Sqrt", variance), axis=1)
