"""The tree of a formula: what the parser returns and every other part reads.

A chain keeps its operands side by side instead of nested, so the depth of a tree is the depth of
its parentheses, signs, powers and calls, and no walk over it can exhaust the stack.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

FUNCTIONS: Final[dict[str, int]] = {
    "log": 1,
    "exp": 1,
    "sqrt": 1,
    "min": 2,
    "max": 2,
    "clip": 3,
    "rank": 1,
    "place": 1,
    "reciprocal_rank": 3,
}
"""How many arguments each function takes."""

ALIASES: Final[dict[str, str]] = {"cap": "clip"}
"""Other names of functions."""

RANKINGS: Final = ("rank", "place")
"""Functions that look at the other rows of the request."""


@dataclass(frozen=True)
class Number:
    """A number that is written out; never negative, a sign is an operator."""

    value: float


@dataclass(frozen=True)
class Column:
    """The scores of a task, or another column that comes with the rows."""

    name: str


@dataclass(frozen=True)
class Weight:
    """A number that a search fills in, written `$name`."""

    name: str


@dataclass(frozen=True)
class Negative:
    """The operand with its sign turned."""

    operand: "Node"


@dataclass(frozen=True)
class Chain:
    """Operands with operators of one precedence between them, applied from left to right."""

    operators: str
    """One character each: of "+-" in a sum, of "*/" in a product."""
    operands: tuple["Node", ...]
    """One more than operators."""

    @property
    def is_sum(self) -> bool:
        """Whether it binds as loosely as a sum."""
        return self.operators[0] in "+-"


@dataclass(frozen=True)
class Power:
    """The base to the power of the exponent."""

    base: "Node"
    exponent: "Node"


@dataclass(frozen=True)
class Call:
    """A function of `FUNCTIONS` with its arguments."""

    function: str
    arguments: tuple["Node", ...]


Node: TypeAlias = Number | Column | Weight | Negative | Chain | Power | Call


def children(node: Node) -> tuple[Node, ...]:
    """Return the nodes directly below, from left to right."""
    match node:
        case Negative(operand):
            return (operand,)
        case Chain(_, operands):
            return operands
        case Power(base, exponent):
            return (base, exponent)
        case Call(_, arguments):
            return arguments
        case _:
            return ()


def with_children(node: Node, new: tuple[Node, ...]) -> Node:
    """Return the node with other nodes below it, as many as `children` returns."""
    match node:
        case Negative():
            return Negative(*new)
        case Chain():
            return replace(node, operands=new)
        case Power():
            return Power(*new)
        case Call():
            return replace(node, arguments=new)
        case _:
            return node


def walk(node: Node) -> Iterator[Node]:
    """Yield the node and everything below it, from left to right."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def names_of(tree: Node, kind: type[Column] | type[Weight]) -> tuple[str, ...]:
    """Return the names of all columns, or of all weights, in order of first use."""
    return tuple(dict.fromkeys(node.name for node in walk(tree) if isinstance(node, kind)))


def number(value: float) -> Node:
    """Return the tree of a number of any sign."""
    return Number(value) if value >= 0.0 else Negative(Number(-value))
