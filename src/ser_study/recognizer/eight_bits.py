"""A graph whose weights are kept in eight bits.

The weights of the encoders' convolutions and matrices are written as whole numbers between -127 and 127, with one
factor for each output and one for each input. A factor for the inputs is needed: normalisations are folded into the
weights (see ``campplus_onnx``), so those of different inputs differ by orders of magnitude. ONNX Runtime multiplies
once, when it loads the graph, and computes in single precision, as with the graph of full size; so nothing has to be
calibrated, and nothing depends on what a processor can do in eight bits. A factor is the one with the least squared
error. The filterbank, whose errors would count in quiet bands, the two-dimensional convolutions behind it and the head,
which have few weights, stay as they are.

Computing in eight bits too was tried with ONNX Runtime's quantisation on clips of EMO-DB. Calibrated, and with factors
for the inputs as here, it took three quarters of the time and as much room, and moved the probabilities farther;
without such factors one clip in nine got another class. Dynamic quantisation gave another class to four clips in five
and took longer.
"""

from __future__ import annotations

import math

import numpy as np

from ser_study.features.onnx_nodes import FLOAT

KINDS = ("Conv", "FusedConv", "MatMul")
SMALLEST = 1_000  # weights; fewer are not worth their factors
_LARGEST = 127
_SHARES = np.linspace(0.6, 1, 17)  # of the factor that the largest weight needs; a smaller one cuts off the largest few


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
    int8 (a, b, …), float32 (1, b, 1 …) and float32 (a, 1, 1 …), whose product comes close to the weights.
    """
    rest = tuple(range(2, weights.ndim))
    second = _no_zero(np.sqrt(np.square(weights).mean(axis=(0, *rest), keepdims=True)))
    even = weights / second
    most = _no_zero(np.abs(even).max(axis=(1, *rest), keepdims=True) / _LARGEST)
    tried = [(share * most).astype(np.float32) for share in _SHARES]
    errors = [np.square(_rounded(even, one) * one - even).sum(axis=(1, *rest), keepdims=True) for one in tried]
    first = np.take_along_axis(np.stack(tried), np.argmin(errors, axis=0)[None], axis=0)[0]
    return _rounded(even, first).astype(np.int8), second, first


def _rounded(values: np.ndarray, factors: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values / factors), -_LARGEST, _LARGEST)


def _no_zero(factors: np.ndarray) -> np.ndarray:
    return np.where(factors > 0, factors, 1).astype(np.float32)


def _weights(graph, constants) -> set[str]:
    """Names of the weights of encoders that are worth it; used as weights alone."""
    names = {
        node.input[1]
        for node in graph.node
        if node.name and node.op_type in KINDS and node.input[1] in constants  # what is embedded has a name
    }
    plain = {name for name in names if constants[name].data_type == FLOAT and len(constants[name].dims) in (2, 3)}
    return {name for name in plain if math.prod(constants[name].dims) >= SMALLEST}
