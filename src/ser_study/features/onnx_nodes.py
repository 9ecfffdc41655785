"""Nodes and constants of an ONNX graph as they are added, one after the other; values go by their names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

FLOAT, DOUBLE = 1, 11  # numbers of the types in the format


@dataclass
class Nodes:
    """Nodes in the order in which they run, and the constants among their inputs."""

    nodes: list = field(default_factory=list)
    constants: list = field(default_factory=list)

    def __call__(self, kind: str, *inputs: str | np.ndarray | np.generic, output: str = "", **attributes) -> str:
        """Add a node; arrays among its inputs become constants. The name of its value is returned.

        Raises
        ------
        ModuleNotFoundError
            The library ``onnx`` is missing.
        """
        from onnx import helper

        output = output or f"v{len(self.nodes)}"
        names = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        self.nodes.append(helper.make_node(kind, names, [output], **attributes))
        return output

    def constant(self, array: np.ndarray | np.generic) -> str:
        """Name of an array, of the type that it has."""
        from onnx import numpy_helper

        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(array, order="C"), name))
        return name

    def embed(self, model: bytes, inputs: Mapping[str, str], *, name: str) -> str:
        """Add a whole model.

        Parameters
        ----------
        model : of one output
        inputs : name of each of its inputs → value here
        name : before the names of all its other values

        Returns
        -------
        Name of its output here.
        """
        import onnx

        graph = onnx.load_from_string(model).graph
        known = {**inputs, "": ""}  # an input that is left out has no name
        for constant in graph.initializer:
            known[constant.name] = constant.name = f"{name}/{constant.name}"
        for node in graph.node:
            if any(attribute.HasField("g") for attribute in node.attribute):
                raise ValueError(f"The graph of {name} branches in {node.name!r}; it cannot be made part of another.")
            node.name = f"{name}/{node.output[0]}"
            node.input[:] = [known[value] for value in node.input]
            known |= {value: f"{name}/{value}" for value in node.output if value}
            node.output[:] = [known[value] for value in node.output]
        self.nodes.extend(graph.node)
        self.constants.extend(graph.initializer)
        return known[graph.output[0].name]
