"""A formula as a PyTorch module, to be exported with the model whose scores it fuses.

The operations are those of `paretorank.fusion.arrays`, one for one, in float64: rows that differ
by less than float32 can tell apart must not become ties. Ranks compare all pairs of rows, so the
graph has no sorting, and the batch is one request.

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
from paretorank.fusion.syntax import Call, Chain, Column, Negative, Node, Number, Weight


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

    def forward(self, scores: Float[Tensor, "N T"]) -> Float[Tensor, " N"]:
        """Return the fused score of every row, in float64."""
        bounded = scores.double().clamp(-LARGEST, LARGEST)
        return self._values(self._tree, bounded)

    def _values(self, node: Node, scores: Float[Tensor, "N T"]) -> Float[Tensor, " N"]:
        match node:
            case Number(value):
                return torch.full_like(scores[:, 0], value)
            case Weight(name):
                return torch.ones_like(scores[:, 0]) * self.weights[self._weight_at[name]]
            case Column(name):
                return scores[:, self._column_at[name]]
            case Negative(operand):
                return -self._values(operand, scores)
            case Chain(operators, operands):
                result = self._values(operands[0], scores)
                for operator, operand in zip(operators, operands[1:], strict=True):
                    result = _OPERATORS[operator](result, self._values(operand, scores))
                return result
            case Call(function, arguments):
                values = [self._values(argument, scores) for argument in arguments]
                return _FUNCTIONS[function](*values)
        raise ValueError(f"A lowered formula must not have a {type(node).__name__}.")


def _product(left: Float[Tensor, " N"], right: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    return (left * right).clamp(-LARGEST, LARGEST)


def _quotient(left: Float[Tensor, " N"], right: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    away = torch.where(right < 0.0, right.clamp(max=-SMALLEST), right.clamp(min=SMALLEST))
    return (left / away).clamp(-LARGEST, LARGEST)


def _logarithm(operand: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    return operand.clamp(min=SMALLEST).log()


def _exponential(operand: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    return operand.clamp(-LARGEST_EXPONENT, LARGEST_EXPONENT).exp()


def _clip(
    operand: Float[Tensor, " N"], low: Float[Tensor, " N"], high: Float[Tensor, " N"]
) -> Float[Tensor, " N"]:
    return torch.minimum(torch.maximum(operand, low), high)


def _place(operand: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    own, others = operand.unsqueeze(1), operand.unsqueeze(0)
    above = (others > own).double().sum(dim=1)
    tied = (others == own).double().sum(dim=1)
    nothing = operand - operand  # 0, and NaN for a row that has no place
    return above + (tied + 1.0) * 0.5 + nothing


def _rank(operand: Float[Tensor, " N"]) -> Float[Tensor, " N"]:
    n_ranked = (operand == operand).double().sum()  # noqa: PLR0124 - NaN is not itself
    return (n_ranked - _place(operand) + 1.0) / n_ranked.clamp(min=1.0)


_OPERATORS: Final[dict[str, Callable[[Tensor, Tensor], Tensor]]] = {
    "+": torch.add,
    "-": torch.sub,
    "*": _product,
    "/": _quotient,
}
_FUNCTIONS: Final[dict[str, Callable[..., Tensor]]] = {
    "log": _logarithm,
    "exp": _exponential,
    "min": torch.minimum,
    "max": torch.maximum,
    "clip": _clip,
    "place": _place,
    "rank": _rank,
}
