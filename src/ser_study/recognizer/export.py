"""A recogniser as files that run without this package: an ONNX graph, its card, and an example of its use.

The graph takes a prepared signal (see ``audio.prepare``) and gives probabilities; the example prepares a recording of
16 kHz. Writing the files needs onnx, running them onnxruntime and numpy.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ser_study import config as settings
from ser_study import features
from ser_study.download import weights
from ser_study.features import feature_onnx, onnx_models
from ser_study.recognizer import eight_bits, graph
from ser_study.recognizer.recognizer import Recognizer
from ser_study.store import replacing

CARD, EXAMPLE = "card.json", "example.py"
_TEMPLATE = Path(__file__).with_name("template") / EXAMPLE
_SPEED_SECONDS, _ROUNDS = 3.0, 20


def export(recognizer: Recognizer, folder: Path | str, *, int8: bool = False) -> list[Path]:
    """Write a recogniser as an ONNX graph; the same one gives the same bytes.

    Parameters
    ----------
    recognizer : on features that exist as graphs, ``feature_onnx.FEATURES``
    folder : made where it is not there; files of these names are replaced
    int8 : write a graph with weights of eight bits too, see ``eight_bits``

    Returns
    -------
    Files: ``<name>.onnx``, with ``int8`` also ``<name>_int8.onnx``, ``card.json`` and ``example.py``.

    Raises
    ------
    ValueError
        The recogniser cannot be a graph, see ``graph.check``.
    ImportError
        onnx or onnxruntime is not installed.
    OSError
        The folder cannot be written.
    """
    graph.check(recognizer)
    folder, name = Path(folder), _file_name(str(recognizer.card.get("name", "")))
    try:
        models = {f"{name}.onnx": graph.graph(recognizer)}
        if int8:
            models[f"{name}_int8.onnx"] = eight_bits.quantised(models[f"{name}.onnx"])
    except ModuleNotFoundError as error:
        raise ImportError(f"The export needs {error.name}; install it: pip install 'ser_study[encoders]'.") from None
    card = json.dumps(_card(recognizer, models), indent=1, ensure_ascii=False) + "\n"
    content = models | {CARD: card.encode(), EXAMPLE: _TEMPLATE.read_bytes()}
    for file, one in content.items():
        with replacing(folder / file) as temporary:
            temporary.write_bytes(one)
    return [folder / file for file in content]


def sizes_and_speeds(paths: Iterable[Path]) -> pd.DataFrame:
    """What the graphs among some files cost.

    Parameters
    ----------
    paths : as ``export`` gives them

    Returns
    -------
    One row a graph: ``file``, ``megabytes``, and ``milliseconds`` of processor time on 3 s of noise, in one thread: the
    least of some runs.
    """
    samples = np.random.default_rng(0).normal(0, 0.1, round(_SPEED_SECONDS * graph.SAMPLE_RATE)).astype(np.float32)
    graphs = [path for path in paths if path.suffix == ".onnx"]
    sessions = [onnx_models.opened(path.read_bytes()) for path in graphs]
    best = np.full(len(graphs), np.inf)
    for _ in range(_ROUNDS):  # in turn, so that other load on the machine slows all alike
        for i, session in enumerate(sessions):
            start = time.thread_time()
            session.run(None, {graph.INPUT: samples})
            best[i] = min(best[i], time.thread_time() - start)
    rows = {"file": [path.name for path in graphs], "megabytes": [path.stat().st_size / 1e6 for path in graphs]}
    return pd.DataFrame(rows | {"milliseconds": 1000 * best})


def _file_name(name: str) -> str:
    """The name of a recogniser as one of a file."""
    return re.sub(r"[^\w+-]+", "-", name).strip("-") or "recogniser"


def _card(recognizer: Recognizer, models: dict[str, bytes]) -> dict[str, Any]:
    """The card of a recogniser, with what users of the graphs need to know."""
    used = dict.fromkeys(features.get(name).weights for name in recognizer.features)
    about = {
        "graph": next(iter(models)),
        "files": {
            name: {"bytes": len(model), "sha256": hashlib.sha256(model).hexdigest()} for name, model in models.items()
        },
        "opset": feature_onnx.OPSET,
        "input": {
            "name": graph.INPUT,
            "type": "float32 (n,)",
            "sample_rate": graph.SAMPLE_RATE,
            "content": "full scale 1; mixed to mono, resampled, without ends more than 40 dB below the loudest frame, "
            "between 0.1 s and 60 s long, see example.py; not silent",
        },
        "output": {"name": graph.OUTPUT, "type": "float32 (C,)", "content": "a probability for each of the classes"},
        "weights": [
            {fact: getattr(weights.get(name), fact) for fact in ("title", "licence", "citation")} for name in used
        ],
    }
    known = {name: value for name, value in recognizer.card.items() if name not in ("arrays", "format")}
    return settings.as_dict(known | {"export": about})
