"""The published graph of smart-turn, changed so that it gives a middle layer of a clip of any length up to 8 s.

Three changes, none to a weight:

- It ends behind the wanted layer; what lies behind is left out.
- The table of positions, added to the 400 frames of 8 s, is cut to as many as the clip has, the last ones.
- Weights of 8 bits are written as the numbers they stand for, and values between the layers are no longer rounded to
  8 bits. Sums of such values depend on the processor: one without instructions for them may clip what it adds up.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ser_study.features import onnx_models

VERSION = 1  # rises when the graph changes
INPUT = "input_features"
WIDTH = 384  # channels of every layer
# Each of the encoder's four blocks adds twice to what it was given, behind its attention and behind its feed-forward
# half: a layer is such a sum, by its name in the published graph.
LAYERS: Mapping[int, str] = dict(
    enumerate(("add_117", "add_146", "add_239", "add_268", "add_361", "add_390", "add_483", "add_512"), start=1)
)
_POSITIONS = "inner.encoder.embed_positions.weight"  # (400, 384)
_BEFORE_POSITIONS = "permute"  # (1, t, 384)
_N_FRAMES = "val_21"  # 400, in shapes that values are brought to


def graph(model: bytes, layer: int) -> bytes:
    """The graph up to one layer.

    Parameters
    ----------
    model : content of the published file
    layer : a key of ``LAYERS``

    Returns
    -------
    An ONNX model, log-mel (1, 80, t) → (1, t / 2, 384); t up to 800.

    Raises
    ------
    ModuleNotFoundError
        The library ``onnx`` is missing.
    ValueError
        The model is another one.
    """
    import onnx

    whole = onnx.load_from_string(model)
    _in_single_precision(whole.graph)
    _of_any_length(whole.graph)
    return onnx_models.cut(whole, LAYERS[layer])


def _in_single_precision(graph) -> None:
    """Replace whole numbers, and their scales, by what they stand for."""
    from onnx import numpy_helper

    constants = {constant.name: constant for constant in graph.initializer}
    same, kept = {}, []  # values that are now one and the same
    for node in graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = same.get(name, name)
        if node.op_type not in ("QuantizeLinear", "DequantizeLinear"):
            kept.append(node)
        elif node.input[0] in constants:
            whole, scale, zero = (numpy_helper.to_array(constants[name]) for name in node.input)
            axis = next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 1)
            graph.initializer.append(numpy_helper.from_array(_scaled(whole, scale, zero, axis), node.output[0]))
        else:
            same[node.output[0]] = node.input[0]
    del graph.node[:]
    graph.node.extend(kept)


def _scaled(whole: np.ndarray, scale: np.ndarray, zero: np.ndarray, axis: int) -> np.ndarray:
    """(whole - zero) · scale, with one scale, or one for each place along an axis."""
    if scale.size > 1:
        shape = [-1 if i == axis else 1 for i in range(whole.ndim)]
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    return ((whole.astype(np.int32) - zero.astype(np.int32)) * scale).astype(np.float32)


def _of_any_length(graph) -> None:
    """Cut the positions to the length of the input."""
    from onnx import helper, numpy_helper

    at = next((i for i, node in enumerate(graph.node) if _POSITIONS in node.input), None)
    constants = {constant.name: constant for constant in graph.initializer}
    if at is None or _N_FRAMES not in constants:
        raise ValueError(f"This is not the published model of smart-turn: it adds no {_POSITIONS}.")
    constants[_N_FRAMES].CopyFrom(numpy_helper.from_array(np.array([-1]), _N_FRAMES))  # whatever is left
    graph.initializer.extend(
        numpy_helper.from_array(np.array([number]), name)
        for name, number in (("time_axis", 0), ("end", np.iinfo(np.int64).max))
    )
    node = graph.node[at]
    node.input[list(node.input).index(_POSITIONS)] = "last_positions"
    for added in (
        helper.make_node("Slice", [_POSITIONS, "minus_n_frames", "end", "time_axis"], ["last_positions"]),
        helper.make_node("Neg", ["n_frames"], ["minus_n_frames"]),
        helper.make_node("Shape", [_BEFORE_POSITIONS], ["n_frames"], start=1, end=2),
    ):
        graph.node.insert(at, added)
    graph.input[0].type.tensor_type.shape.dim[2].dim_param = "frames"
