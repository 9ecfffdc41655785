"""A graph whose weights are kept in eight bits.

The weights of the encoders' convolutions and matrices are written as whole numbers between -127 and 127, with one
factor for each output and one for each input. A factor for the inputs is needed: normalisations are folded into the
weights (see ``campplus_onnx``), so those of different inputs differ by orders of magnitude. ONNX Runtime multiplies
once, when it loads the graph, and computes in single precision, as with the graph of full size; so results are the same
on every processor, and nothing has to be calibrated. The filterbank, whose errors would count in quiet bands, and the
head, which is small, stay as they are.

Computing in eight bits too was tried with ONNX Runtime's own quantisation, see ``docs/architecture.md``.
"""

from __future__ import annotations

import math

import numpy as np

from ser_study.features.onnx_nodes import FLOAT

KINDS = ("Conv", "FusedConv", "MatMul")
SMALLEST = 1_000  # weights; fewer are not worth their factors
_LARGEST = 127


def quantised(model: bytes) -> bytes:
    """The same graph with weights of eight bits.

    Parameters
    ----------
    model : of ``graph.graph``

    Returns
    -------
    An ONNX model of the same inputs and outputs.

    Raises
    ------
    ModuleNotFoundError
        The library ``onnx`` is missing.
    """
    import onnx
    from onnx import helper, numpy_helper

    whole = onnx.load_from_string(model)
    constants = {constant.name: constant for constant in whole.graph.initializer}
    added = []
    for name in sorted(_weights(whole.graph, constants)):
        array = numpy_helper.to_array(constants[name])
        numbers, *factors = split(array)
        constants[name].CopyFrom(numpy_helper.from_array(numbers, f"{name}/numbers"))
        whole.graph.initializer.extend(
            numpy_helper.from_array(factor, f"{name}/factor{i}") for i, factor in enumerate(factors)
        )
        added += [
            helper.make_node("Cast", [f"{name}/numbers"], [f"{name}/cast"], to=FLOAT),
            helper.make_node("Mul", [f"{name}/cast", f"{name}/factor0"], [f"{name}/scaled"]),
            helper.make_node("Mul", [f"{name}/scaled", f"{name}/factor1"], [name]),
        ]
    nodes = [*added, *whole.graph.node]
    whole.graph.ClearField("node")
    whole.graph.node.extend(nodes)
    return whole.SerializeToString(deterministic=True)


def split(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weights as whole numbers and the factors of their first two axes.

    Parameters
    ----------
    weights : float32 (a, b, …)

    Returns
    -------
    int8 (a, b, …), float32 (1, b, 1 …) and float32 (a, 1, 1 …), whose product is close to the weights.
    """
    rest = tuple(range(2, weights.ndim))
    second = _no_zero(np.abs(weights).max(axis=(0, *rest), keepdims=True))
    first = _no_zero(np.abs(weights / second).max(axis=(1, *rest), keepdims=True) / _LARGEST)
    return np.round(weights / second / first).astype(np.int8), second, first


def _no_zero(factors: np.ndarray) -> np.ndarray:
    return np.where(factors > 0, factors, 1).astype(np.float32)


def _weights(graph, constants) -> set[str]:
    """Names of the weights of encoders that are worth it; used as weights alone."""
    names = {
        node.input[1]
        for node in graph.node
        if node.name and node.op_type in KINDS and node.input[1] in constants  # what is embedded has a name
    }
    plain = {name for name in names if constants[name].data_type == FLOAT and len(constants[name].dims) >= 2}
    return {name for name in plain if math.prod(constants[name].dims) >= SMALLEST}
