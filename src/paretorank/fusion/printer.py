"""A tree written out again, with no more parentheses than it needs.

Reading what was written gives the same tree.
"""

import re

from paretorank.fusion.syntax import Call, Chain, Column, Negative, Node, Number, Power, Weight

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SUM, _PRODUCT, _SIGN, _POWER, _ATOM = range(5)
"""How tightly what a node prints holds together."""


def to_text(tree: Node) -> str:
    """Return the formula in its usual layout."""
    match tree:
        case Number(value):
            return _number(value)
        case Column(name):
            return quoted(name)
        case Weight(name):
            return "$" + quoted(name)
        case Negative(operand):
            return "-" + _at_least(_SIGN, operand)
        case Power(base, exponent):
            return f"{_at_least(_ATOM, base)}^{_at_least(_SIGN, exponent)}"
        case Call(function, arguments):
            return f"{function}({', '.join([to_text(argument) for argument in arguments])})"
        case Chain(operators, operands):
            binding = _PRODUCT if tree.is_sum else _SIGN
            parts = [_at_least(binding, operand) for operand in operands]
            rest = zip(operators, parts[1:], strict=True)
            return parts[0] + "".join([f" {operator} {part}" for operator, part in rest])


def quoted(name: str) -> str:
    """Return the name of a column or weight as a formula writes it.

    >>> quoted("click"), quoted("long view")
    ('click', '`long view`')
    """
    return name if _PLAIN.fullmatch(name) else "`" + name.replace("`", "``") + "`"


def _at_least(binding: int, node: Node) -> str:
    text = to_text(node)
    return text if _binding(node) >= binding else f"({text})"


def _binding(node: Node) -> int:
    match node:
        case Chain():
            return _SUM if node.is_sum else _PRODUCT
        case Negative():
            return _SIGN
        case Power():
            return _POWER
        case _:
            return _ATOM


def _number(value: float) -> str:
    return repr(value).removesuffix(".0")
