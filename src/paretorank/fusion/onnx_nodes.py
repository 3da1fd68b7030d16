"""The nodes of an ONNX graph, added one after the other."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

OPSET: Final = 18
"""The first one in which values can be added up by group in float64."""
_IR_VERSION: Final = 8
"""Of the release that brought that opset, so that older runtimes read the file."""
_ROWS: Final = "rows"
_TYPES: Final[dict[str, int]] = {
    "float32": onnx.TensorProto.FLOAT,
    "float64": onnx.TensorProto.DOUBLE,
    "int64": onnx.TensorProto.INT64,
}


class Nodes:
    """Nodes in the order in which they are added; their values go by name.

    Args:
        taken: names that no value may get by itself.
    """

    def __init__(self, taken: tuple[str, ...]) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: list[onnx.TensorProto] = []
        self._constant_names: dict[tuple[str, bytes], str] = {}
        self._prefix = "value"
        while any(name.startswith(self._prefix) for name in taken):
            self._prefix += "_"
        self._n_values = 0

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node of one output and return its name."""
        name = output or self._fresh()
        self._nodes.append(helper.make_node(operator, inputs, [name], **attributes))
        return name

    def add_pair(self, operator: str, *inputs: str) -> tuple[str, str]:
        """Add a node of two outputs and return their names."""
        names = self._fresh(), self._fresh()
        self._nodes.append(helper.make_node(operator, inputs, names))
        return names

    def cast(self, value: str, to: str) -> str:
        """Return the name of the value in another type."""
        return self.add("Cast", value, to=_TYPES[to])

    def constant(self, value: float) -> str:
        """Return the name of a number in float64."""
        return self._constant(np.asarray(value, np.float64))

    def whole(self, value: int | list[int]) -> str:
        """Return the name of a whole number, or of a list of such, in int64."""
        return self._constant(np.asarray(value, np.int64))

    def model(
        self, inputs: Mapping[str, str], outputs: Mapping[str, str], metadata: Mapping[str, str]
    ) -> bytes:
        """Return the file of a graph whose inputs and outputs are vectors of rows.

        Args:
            inputs: their types by name.
            outputs: their types by name.
            metadata: what else the file should say.
        """
        begin, end = (
            [helper.make_tensor_value_info(name, _TYPES[kind], [_ROWS]) for name, kind in side]
            for side in (inputs.items(), outputs.items())
        )
        graph = helper.make_graph(self._nodes, "fusion", begin, end, self._constants)
        model = helper.make_model(
            graph,
            producer_name="paretorank",
            ir_version=_IR_VERSION,
            opset_imports=[helper.make_opsetid("", OPSET)],
        )
        helper.set_model_props(model, dict(metadata))
        return model.SerializeToString(deterministic=True)

    def _constant(self, array: np.ndarray) -> str:
        key = (f"{array.dtype}{array.shape}", array.tobytes())
        if key not in self._constant_names:
            name = self._constant_names[key] = self._fresh()
            self._constants.append(numpy_helper.from_array(array, name))
        return self._constant_names[key]

    def _fresh(self) -> str:
        self._n_values += 1
        return f"{self._prefix}{self._n_values}"
