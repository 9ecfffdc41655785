"""Networks as ONNX graphs: made once from published weights, kept beside them, run on one thread.

ONNX Runtime, and the library that writes graphs, are optional (extra ``encoders``).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ser_study.download import weights
from ser_study.store import locked, replacing

LIBRARIES = ("onnx", "onnxruntime")
_WEIGHED = (  # nodes whose constants are weights; others hold shapes, scales and positions
    *("Conv", "FusedConv", "MatMulIntegerToFloat", "DynamicQuantizeMatMul", "LayerNormalization", "Mul", "Add"),
)
_FILE_START = b"ORTM"  # of ONNX Runtime's own format, after the first four bytes


def session(name: str, make: Callable[[], bytes], *, title: str):
    """A graph ready to run.

    Parameters
    ----------
    name : of the file in the cache of weights: what the graph is made from, and the version of what makes it
    make : makes the graph, where the file is not there or cannot be read
    title : of the network, for the error

    Returns
    -------
    onnxruntime.InferenceSession

    Raises
    ------
    ImportError
        A library is missing. What ``make`` raises comes through.
    """
    place = weights.folder() / name
    try:
        if (ready := _of_file(place)) is not None:
            return ready
        with ExitStack() as stack:
            with suppress(OSError):  # a cache that cannot be written costs time, nothing else
                stack.enter_context(locked(place))
            return _of_file(place) or opened(_made(place, make))
    except ModuleNotFoundError as error:
        raise ImportError(f"{title} needs {error.name}; install it with: pip install 'ser_study[encoders]'.") from None


def _made(place: Path, make: Callable[[], bytes]) -> bytes:
    model = make()
    with suppress(OSError), replacing(place) as temporary:
        temporary.write_bytes(model)
    return model


def _of_file(place: Path):
    """A session of a file; None where it is not there or damaged."""
    if not place.is_file():
        return None
    try:
        return opened(place.read_bytes())
    except ModuleNotFoundError:
        raise
    except Exception:  # the errors of ONNX Runtime have no class in common; one of the maker comes up when it is used
        return None


def opened(model: bytes):
    """A session of a graph, on one thread, as workers share the cores."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_mem_pattern = False  # it would be laid out anew for every new length of clip
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def converted(model: bytes):
    """A model in ONNX Runtime's own format as an ``onnx.ModelProto`` of the same nodes.

    Raises
    ------
    ModuleNotFoundError
        A library is missing.
    ValueError
        It is in another format.
    """
    import onnx
    import onnxruntime

    if model[4:8] != _FILE_START:
        raise ValueError(f"This is no model in ONNX Runtime's format: it starts with {model[:8]!r}.")
    with TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.add_session_config_entry("session.load_model_format", "ORT")
        options.add_session_config_entry("session.save_model_format", "ONNX")
        options.optimized_model_filepath = str(Path(folder) / "model.onnx")
        onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        return onnx.load(options.optimized_model_filepath)


def cut(whole, value: str) -> bytes:
    """The part of a model that leads to one of its values.

    Parameters
    ----------
    whole : onnx.ModelProto; its nodes stand in the order in which they run
    value : name of a value inside the graph; it becomes the only output

    Raises
    ------
    ModuleNotFoundError
        The library ``onnx`` is missing.
    ValueError
        The model computes no value of that name.
    """
    from onnx import TensorProto, helper

    wanted, nodes = {value}, []
    for node in reversed(whole.graph.node):
        if wanted & set(node.output):
            nodes.insert(0, node)
            wanted |= set(node.input)
    if not nodes:
        raise ValueError(f"The model computes no value {value!r}.")
    constants = [constant for constant in whole.graph.initializer if constant.name in wanted]
    output = helper.make_tensor_value_info(value, TensorProto.FLOAT, None)
    part = helper.make_graph(nodes, whole.graph.name, whole.graph.input, [output], constants)
    made = helper.make_model(part, opset_imports=whole.opset_import, ir_version=whole.ir_version)
    return made.SerializeToString()


def shuffled(model: bytes, seed: int) -> bytes:
    """A model with the numbers inside each array of weights in a random order.

    Parameters
    ----------
    model : content of an ONNX file
    seed : of the order

    Raises
    ------
    ModuleNotFoundError
        The library ``onnx`` is missing.
    """
    import onnx
    from onnx import numpy_helper

    whole, rng = onnx.load_from_string(model), np.random.default_rng(seed)
    weighed = {name for node in whole.graph.node if node.op_type in _WEIGHED for name in node.input}
    for constant in sorted(whole.graph.initializer, key=lambda one: one.name):
        array = numpy_helper.to_array(constant)
        if constant.name in weighed and array.size > 1 and array.dtype in (np.float32, np.uint8, np.int8):
            mixed = rng.permutation(array.ravel()).reshape(array.shape)
            constant.CopyFrom(numpy_helper.from_array(mixed, constant.name))
    return whole.SerializeToString()
