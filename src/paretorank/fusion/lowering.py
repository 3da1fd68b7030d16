"""Formulas in fewer operations, so that every evaluation computes the same ones.

Powers, roots and reciprocal ranks are written out with log, exp and places. What is left: numbers,
columns, weights, signs, sums, products, log, exp, min, max, clip, rank, place.
"""

from typing import Final

from paretorank.fusion.syntax import Call, Chain, Node, Number, Power, children, with_children

SMALLEST: Final = 1e-12
"""What log takes its operand for at least, and how far a divisor stays away from 0."""
LARGEST: Final = 1e100
"""Bound of products, quotients and columns: what a formula may add up, float64 still holds."""
LARGEST_EXPONENT: Final = 230.0
"""The exponential of this is just below `LARGEST`."""


def lowered(node: Node) -> Node:
    """Return the tree of the same values without powers, roots and reciprocal ranks."""
    node = with_children(node, tuple([lowered(child) for child in children(node)]))
    match node:
        case Power(base, exponent):
            return _power(base, exponent)
        case Call("sqrt", (operand,)):
            return _power(operand, Number(0.5))
        case Call("reciprocal_rank", (operand, exponent, offset)):
            place = _power(Call("place", (operand,)), exponent)
            return Chain("/", (Number(1.0), Chain("+", (place, offset))))
        case _:
            return node


def _power(base: Node, exponent: Node) -> Node:
    return Call("exp", (Chain("*", (exponent, Call("log", (base,)))),))
