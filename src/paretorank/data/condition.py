"""A small language for conditions over columns, parsed and never evaluated.

`is_click == 1 and (tab != 0 or not is_null(duration))` becomes a Polars expression. Allowed:
columns, numbers, text, comparisons, `and`, `or`, `not`, `in [..]`, `+ - * /`, `is_null(column)`.
"""

import ast
import operator
from collections.abc import Callable
from typing import Any

import polars as pl

from paretorank.foundation.errors import ConfigError

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], pl.Expr]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], pl.Expr]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_MAX_LENGTH = 2_000
_MAX_DEPTH = 40


def parse_condition(text: str, *, place: str) -> pl.Expr:
    """Return the condition as an expression that is true, false or null per row.

    Raises:
        ConfigError: the text is not a condition of this language.
    """
    if len(text) > _MAX_LENGTH:
        raise _error(text[:40] + "...", place, f"is longer than {_MAX_LENGTH} characters")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _error(text, place, "cannot be read") from None
    try:
        return _expression(tree.body, text, place, _MAX_DEPTH)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        raise _error(text, place, "has a number that is too large") from None


def columns_of(text: str, *, place: str) -> list[str]:
    """Return the columns that a condition reads."""
    return parse_condition(text, place=place).meta.root_names()


def _expression(node: ast.expr, text: str, place: str, depth: int) -> pl.Expr:
    if depth == 0:
        raise _error(text, place, "is nested too deeply")

    def inner(child: ast.expr) -> pl.Expr:
        return _expression(child, text, place, depth - 1)

    match node:
        case ast.Name(id=name):
            return pl.col(name)
        case ast.Constant(value=bool() | int() | float() | str() as value):
            return pl.lit(value)
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return ~inner(operand)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -inner(operand)
        case ast.BoolOp(op=op, values=values):
            parts = [inner(value) for value in values]
            return pl.all_horizontal(parts) if isinstance(op, ast.And) else pl.any_horizontal(parts)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            return _ARITHMETIC[type(op)](inner(left), inner(right))
        case ast.Compare(left=left, ops=[ast.In()], comparators=[ast.List(elts=[_, *_] as items)]):
            found = inner(left)
            return pl.any_horizontal([found == _constant(item, text, place) for item in items])
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _COMPARE:
            return _COMPARE[type(op)](inner(left), inner(right))
        case ast.Call(func=ast.Name(id="is_null"), args=[argument], keywords=[]):
            return inner(argument).is_null()
        case _:
            raise _error(text, place, f"uses {type(node).__name__}, which is not allowed")


def _constant(node: ast.expr, text: str, place: str) -> int | float | str:
    match node:
        case ast.Constant(value=int() | float() | str() as value):
            return value
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as value)):
            return -value
        case _:
            raise _error(text, place, "has a list with something else than numbers and text")


def _error(text: str, place: str, problem: str) -> ConfigError:
    return ConfigError(
        f"{place}: the condition {text!r} {problem}.",
        hint="Write for instance: is_click == 1 and tab != 0. "
        "Columns, numbers, text, == != < <= > >=, and, or, not, in [..], is_null(column).",
    )
