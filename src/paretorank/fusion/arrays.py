"""A lowered formula computed with NumPy.

The operations are those of `paretorank.fusion.module`, one for one; none of them warns, and with
bounded operands none of them overflows.

Shapes: n rows; a number stands for a column of equal values.
"""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from jaxtyping import Float, Shaped

from paretorank.fusion.lowering import LARGEST, LARGEST_EXPONENT, SMALLEST, lowered
from paretorank.fusion.syntax import Call, Chain, Column, Negative, Node, Number, Weight
from paretorank.metrics import RequestLists

Values = np.ndarray | np.float64
Ranker = Callable[[str, Values], Values]
"""Ranks values within requests, by the name of the function: rank or place."""


def fused_score(
    tree: Node,
    columns: Mapping[str, np.ndarray],
    weights: Mapping[str, float] | None = None,
    request: Shaped[np.ndarray, " n"] | None = None,
) -> Float[np.ndarray, " n"]:
    """Return the fused score of every row, computed once from the beginning.

    `FusionScorer` is the same, and faster for many weights.

    Args:
        tree: the formula.
        columns: scores by name; they must have one length.
        weights: every free weight.
        request: which rows are ranked together; None is all of them.
    """
    n_rows = len(next(iter(columns.values())))
    lists = RequestLists(np.zeros(n_rows, int) if request is None else request)
    with np.errstate(all="ignore"):
        bounded = {name: bound(column) for name, column in columns.items()}
        score = compute(lowered(tree), bounded, weights or {}, request_ranker(lists))
    return np.broadcast_to(score, n_rows).copy()


def bound(column: np.ndarray) -> Float[np.ndarray, "*n"]:
    """Return a column as float64 within the bounds of every formula."""
    return np.clip(np.asarray(column, dtype=np.float64), -LARGEST, LARGEST)


def compute(
    tree: Node, columns: Mapping[str, np.ndarray], weights: Mapping[str, float], ranked: Ranker
) -> Values:
    """Return the values of a lowered tree."""

    def values(node: Node) -> Values:
        match node:
            case Number(value):
                return np.float64(value)
            case Weight(name):
                return np.float64(weights[name])
            case Column(name):
                return columns[name]
            case Negative(operand):
                return -values(operand)
            case Chain(operators, operands):
                result = values(operands[0])
                for operator, operand in zip(operators, operands[1:], strict=True):
                    result = _OPERATORS[operator](result, values(operand))
                return result
            case Call(("rank" | "place") as function, (operand,)):
                return ranked(function, values(operand))
            case Call(function, arguments):
                return _FUNCTIONS[function](*[values(argument) for argument in arguments])
        raise ValueError(f"`tree` must be lowered, got {type(node).__name__}.")

    return values(tree)


def fixed_value(tree: Node) -> float:
    """Return the value of a lowered tree without columns, weights and ranks."""
    with np.errstate(all="ignore"):
        return float(compute(tree, {}, {}, _no_ranks))


def request_ranker(lists: RequestLists) -> Ranker:
    """Return what ranks a column of all rows, in the order of the input."""

    def ranked(function: str, values: Values) -> Values:
        column = lists.arranged(np.broadcast_to(values, len(lists.order)))
        standing = lists.standing(column)
        places = standing.places()
        if function == "rank":
            n_ranked = lists.spread(lists.sums((standing.tied > 0).astype(np.float64)))
            places = (n_ranked - places + 1.0) / np.maximum(n_ranked, 1.0)
        return lists.restored(places)

    return ranked


def _no_ranks(function: str, values: Values) -> Values:
    raise ValueError(f"`tree` must not rank, got {function} of {values}.")


def _product(left: Values, right: Values) -> Values:
    return _within(left * right, LARGEST)


def _quotient(left: Values, right: Values) -> Values:
    away = np.where(right < 0.0, np.minimum(right, -SMALLEST), np.maximum(right, SMALLEST))
    return _within(left / away, LARGEST)


def _logarithm(operand: Values) -> Values:
    return np.log(np.maximum(operand, SMALLEST))


def _exponential(operand: Values) -> Values:
    return np.exp(_within(operand, LARGEST_EXPONENT))


def _clip(operand: Values, low: Values, high: Values) -> Values:
    return np.minimum(np.maximum(operand, low), high)


def _within(values: Values, largest: float) -> Values:
    return np.minimum(np.maximum(values, -largest), largest)


_OPERATORS: Final[dict[str, Callable[[Values, Values], Values]]] = {
    "+": np.add,
    "-": np.subtract,
    "*": _product,
    "/": _quotient,
}
_FUNCTIONS: Final[dict[str, Callable[..., Values]]] = {
    "log": _logarithm,
    "exp": _exponential,
    "min": np.minimum,
    "max": np.maximum,
    "clip": _clip,
}
