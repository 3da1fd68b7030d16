"""The values of a lowered formula as nodes of an ONNX graph.

Equal rows get equal values, or ranks of powers would tell tied rows apart. ONNX Runtime computes
Exp and Log by packets of rows, and the last few rows in another way that differs in the last digit.
Pow and ReduceLogSum treat every row alike, so they stand in for the two.

ONNX Runtime leaves out a sum with a constant that float32 takes for 0, and a product with one that
it takes for 1. Such numbers are spread over the rows, where it does not look; parts without columns
are computed beforehand, or it would make such numbers itself.
"""

import math
from collections.abc import Sequence
from typing import Final

from paretorank.fusion.arrays import fixed_value
from paretorank.fusion.formula import Formula
from paretorank.fusion.lowering import LARGEST, LARGEST_EXPONENT, SMALLEST, lowered
from paretorank.fusion.onnx_nodes import Nodes
from paretorank.fusion.onnx_places import Places
from paretorank.fusion.syntax import RANKINGS, Call, Chain, Column, Negative, Node, walk


class FormulaNodes:
    """Adds nodes that compute a formula; equal parts are computed once.

    Args:
        nodes: what they are added to.
        formula: without free weights; reads a column or more.
        request: the input that says which rows belong together; None if all do.
    """

    def __init__(self, nodes: Nodes, formula: Formula, request: str | None) -> None:
        self._nodes = nodes
        self._tree = lowered(formula.tree)
        self._names: dict[Node, str] = {}
        self._places = Places(nodes, formula.columns[0], request)

    def add_output(self, name: str) -> None:
        """Add all nodes; the fused score gets this name."""
        self._nodes.add("Identity", self._value(self._tree), output=name)

    def _value(self, node: Node) -> str:
        if node not in self._names:
            self._names[node] = self._added(node)
        return self._names[node]

    def _added(self, node: Node) -> str:
        if not any(isinstance(below, Column) or _ranks(below) for below in walk(node)):
            return self._number(fixed_value(node))
        match node:
            case Column(name):
                return self._within(self._nodes.cast(name, "float64"), LARGEST)
            case Negative(operand):
                return self._nodes.add("Neg", self._value(operand))
            case Chain(operators, operands):
                result = self._value(operands[0])
                for operator, operand in zip(operators, operands[1:], strict=True):
                    result = self._operation(operator, result, self._value(operand))
                return result
            case Call(function, arguments):
                return self._call(function, [self._value(argument) for argument in arguments])
        raise ValueError(f"`formula` must have no free weights, got {node}.")

    def _number(self, value: float) -> str:
        name = self._nodes.constant(value)
        seems_zero = 0.0 < abs(value) < _LEAST
        seems_one = 0.0 < abs(value - 1.0) < _NEAREST
        return self._places.spread(name) if seems_zero or seems_one else name

    def _operation(self, operator: str, left: str, right: str) -> str:
        if operator == "/":
            right = self._away_from_zero(right)
        result = self._nodes.add(_OPERATORS[operator], left, right)
        return result if operator in "+-" else self._within(result, LARGEST)

    def _call(self, function: str, arguments: Sequence[str]) -> str:
        add, constant = self._nodes.add, self._nodes.constant
        operand = arguments[0]
        match function:
            case "log":
                last = self._nodes.whole([-1])
                column = add("Unsqueeze", add("Max", operand, constant(SMALLEST)), last)
                return add("Squeeze", add("ReduceLogSum", column, last), last)
            case "exp":
                return add("Pow", constant(math.e), self._within(operand, LARGEST_EXPONENT))
            case "clip":
                return add("Min", add("Max", operand, arguments[1]), arguments[2])
            case "min" | "max":
                return add(function.capitalize(), *arguments)
            case "place":
                return self._places.place(operand)
            case _:
                return self._places.rank(operand)

    def _away_from_zero(self, divisor: str) -> str:
        add, constant = self._nodes.add, self._nodes.constant
        is_negative = add("Less", divisor, constant(0.0))
        below = add("Min", divisor, constant(-SMALLEST))
        above = add("Max", divisor, constant(SMALLEST))
        return add("Where", is_negative, below, above)

    def _within(self, value: str, largest: float) -> str:
        constant = self._nodes.constant
        return self._nodes.add("Clip", value, constant(-largest), constant(largest))


def _ranks(node: Node) -> bool:
    return isinstance(node, Call) and node.function in RANKINGS


_LEAST: Final = 1.2e-38
"""Above the smallest number that float32 holds with all its digits."""
_NEAREST: Final = 1.2e-7
"""Above the distance from 1 to its neighbours in float32."""
_OPERATORS: Final = {"+": "Add", "-": "Sub", "*": "Mul", "/": "Div"}
