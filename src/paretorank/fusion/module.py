"""A formula as a PyTorch module, to be exported with the model whose scores it fuses.

The operations are those of `paretorank.fusion.arrays`, one for one, in float64: rows that differ
by less than float32 can tell apart must not become ties. Ranks compare all pairs of rows, so the
graph has no sorting, and the batch is one request.

A runtime of the exported graph may compute powers and logs of equal scores with another last digit,
and ranks of those then tell tied rows apart. `paretorank.fusion.onnx_graph` writes graphs that do
not; ranks of columns are right in both.

Shapes: N rows of one request, T columns.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.fusion.formula import Formula
from paretorank.fusion.lowering import LARGEST, LARGEST_EXPONENT, SMALLEST, lowered
from paretorank.fusion.scorer import refuse_unknown_columns
from paretorank.fusion.syntax import Call, Chain, Column, Negative, Node, Number, Weight, walk


class FormulaModule(nn.Module):
    """Fuses the scores of one request.

    Args:
        formula: reads the columns by name.
        names: what the columns of the input are called.
        weights: of the free weights; those that are not given are at their start.

    Raises:
        ConfigError: a column or weight does not exist, or a weight is not finite.
    """

    weights: Tensor

    def __init__(
        self, formula: Formula, names: Sequence[str], weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        refuse_unknown_columns(formula, names)
        self._tree = lowered(formula.tree)
        self._column_at = {name: names.index(name) for name in formula.columns}
        self._weight_at = {name: at for at, name in enumerate(formula.weights)}
        values = formula.values(weights)
        ordered = [values[name] for name in formula.weights]
        self.register_buffer("weights", torch.tensor(ordered, dtype=torch.float64))
        written = [node.value for node in walk(self._tree) if isinstance(node, Number)]
        self._number_names: dict[float, str] = {}
        for value in dict.fromkeys([*_BOUNDS, *written]):
            name = self._number_names[value] = f"number_{len(self._number_names)}"
            kept = torch.tensor(value, dtype=torch.float64)
            self.register_buffer(name, kept, persistent=False)

    def forward(self, scores: Float[Tensor, "N T"]) -> Float[Tensor, " N"]:
        """Return the fused score of every row, in float64."""
        return self._values(self._tree, self._within(scores.double(), LARGEST))

    def _values(self, node: Node, scores: Float[Tensor, "N T"]) -> Float[Tensor, " N"]:
        match node:
            case Number(value):
                return self._number(value).expand_as(scores[:, 0])
            case Weight(name):
                return self.weights[self._weight_at[name]].expand_as(scores[:, 0])
            case Column(name):
                return scores[:, self._column_at[name]]
            case Negative(operand):
                return -self._values(operand, scores)
            case Chain(operators, operands):
                result = self._values(operands[0], scores)
                for operator, operand in zip(operators, operands[1:], strict=True):
                    result = self._operation(operator, result, self._values(operand, scores))
                return result
            case Call(function, arguments):
                return self._call(function, *[self._values(each, scores) for each in arguments])
        raise ValueError(f"A lowered formula must not have a {type(node).__name__}.")

    def _operation(
        self, operator: str, left: Float[Tensor, " N"], right: Float[Tensor, " N"]
    ) -> Float[Tensor, " N"]:
        match operator:
            case "+":
                return left + right
            case "-":
                return left - right
            case "*":
                return self._within(left * right, LARGEST)
            case _:
                return self._within(left / self._away_from_zero(right), LARGEST)

    def _call(self, function: str, *arguments: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        match function:
            case "log":
                return arguments[0].clamp(min=self._number(SMALLEST)).log()
            case "exp":
                return self._within(arguments[0], LARGEST_EXPONENT).exp()
            case "clip":
                return arguments[0].maximum(arguments[1]).minimum(arguments[2])
            case _:
                return _FUNCTIONS[function](*arguments)

    def _away_from_zero(self, divisor: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
        below = divisor.clamp(max=self._number(-SMALLEST))
        return torch.where(divisor < 0.0, below, divisor.clamp(min=self._number(SMALLEST)))

    def _within(self, values: Float[Tensor, "*N"], largest: float) -> Float[Tensor, "*N"]:
        return values.clamp(self._number(-largest), self._number(largest))

    def _number(self, value: float) -> Tensor:
        """Return a number as a tensor: exporters may round Python's own to float32."""
        return getattr(self, self._number_names[value])


def _place(operand: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    own, others = operand.unsqueeze(1), operand.unsqueeze(0)
    above = (others > own).double().sum(dim=1)
    tied = (others == own).double().sum(dim=1)
    nothing = operand - operand  # 0, and NaN for a row that has no place
    return above + (tied + 1.0) * 0.5 + nothing


def _rank(operand: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    n_ranked = (operand == operand).double().sum()  # noqa: PLR0124 - NaN is not itself
    return (n_ranked - _place(operand) + 1.0) / n_ranked.clamp(min=1.0)


_BOUNDS: Final = tuple(
    sign * bound for bound in (SMALLEST, LARGEST, LARGEST_EXPONENT) for sign in (1.0, -1.0)
)
_FUNCTIONS: Final[dict[str, Callable[..., Tensor]]] = {
    "min": torch.minimum,
    "max": torch.maximum,
    "place": _place,
    "rank": _rank,
}
