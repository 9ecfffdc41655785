"""A recogniser as one ONNX graph: from a prepared signal to probabilities."""

from __future__ import annotations

import json

import numpy as np

from ser_study.config import Audio
from ser_study.features import feature_onnx
from ser_study.features.onnx_nodes import DOUBLE, FLOAT, Nodes
from ser_study.models.linear_head import LinearHead
from ser_study.recognizer.recognizer import Recognizer

INPUT, OUTPUT = "samples", "probabilities"
SAMPLE_RATE = 16_000  # Hz


def check(recognizer: Recognizer) -> None:
    """Refuse a recogniser that cannot become a graph.

    Raises
    ------
    ValueError
        It takes hand-crafted features, or its clips were prepared in another way than the example beside the graph
        prepares them.
    """
    lacking = [name for name in recognizer.features if name not in feature_onnx.FEATURES]
    if lacking:
        raise ValueError(
            f"A recogniser on {', '.join(lacking)} cannot be exported: only {', '.join(feature_onnx.FEATURES)} exist "
            "as ONNX graphs, other features are Python code. Export one on campplus, or use the bundle itself with "
            "Recognizer.load."
        )
    wanted, audio = Audio(), recognizer.config.audio  # no feature of these has a section of its own
    other = [name for name in vars(wanted) if getattr(audio, name) != getattr(wanted, name)]
    if other:
        listed = ", ".join(f"audio.{name}={getattr(audio, name)!r}" for name in other)
        raise ValueError(
            f"This recogniser was fitted with {listed}. Only one fitted on clips prepared by the defaults can be "
            "exported; fit it again without these settings."
        )


def graph(recognizer: Recognizer) -> bytes:
    """The graph of a recogniser; the same one gives the same bytes.

    Parameters
    ----------
    recognizer : on features of ``feature_onnx.FEATURES``

    Returns
    -------
    An ONNX model, ``INPUT`` float32 (s,) at 16,000 Hz as ``audio.prepare`` gives it → ``OUTPUT`` float32 (C,).

    Raises
    ------
    ValueError
        See ``check``.
    ImportError
        onnx or onnxruntime is not installed.
    """
    check(recognizer)
    from onnx import TensorProto, helper

    body = Nodes()
    parts = [feature_onnx.nodes(body, name, INPUT) for name in recognizer.features]
    values = body("Concat", *parts, axis=0) if len(parts) > 1 else parts[0]
    _head(body, values, recognizer.head)
    whole = helper.make_graph(
        body.nodes,
        "recogniser",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n_samples"])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [len(recognizer.classes)])],
        body.constants,
    )
    others = sorted({node.domain for node in body.nodes} - {""})
    opsets = [helper.make_opsetid("", feature_onnx.OPSET), *(helper.make_opsetid(name, 1) for name in others)]
    model = helper.make_model(
        whole, opset_imports=opsets, ir_version=feature_onnx.IR_VERSION, producer_name="ser_study"
    )
    about = {"classes": json.dumps(list(recognizer.classes)), "sample_rate": str(SAMPLE_RATE)}
    helper.set_model_props(model, about | {"declaration": str(recognizer.card.get("declaration", ""))})
    return model.SerializeToString(deterministic=True)


def _head(body: Nodes, values: str, head: LinearHead) -> None:
    """Centre, deviation, coefficients and scale as one matrix, in double precision as in the study: it is small."""
    weights = head.coefficients / head.deviation * head.scale  # (C, d)
    intercepts = head.intercepts * head.scale - weights @ head.centre
    row = body("Cast", body("Unsqueeze", values, np.array([0])), to=DOUBLE)
    margins = body("Add", body("MatMul", row, weights.T), intercepts)
    shares = body("Squeeze", body("Softmax", margins, axis=1), np.array([0]))
    body("Cast", shares, to=FLOAT, output=OUTPUT)
