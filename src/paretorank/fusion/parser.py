"""A small language for fused scores, parsed by hand and never evaluated by Python.

    click^1.0 * (like + 0.01)^0.5 * clip(watch, 0, 300)^$w

What binds, from loosely to tightly:

    a + b, a - b    from left to right
    a * b, a / b    from left to right
    -a              `-a^b` is `-(a^b)`, `-a * b` is `(-a) * b`
    a ^ b           from right to left: `a^b^c` is `a^(b^c)`; the exponent may have a sign: `a^-b`

Operands: numbers, names of tasks and other columns (odd ones between backticks or double quotes),
weights `$w` that a search fills in, parentheses, and functions:

    log(x)  exp(x)  sqrt(x)  min(x, y)  max(x, y)
    clip(x, low, high)          max(x, low), and of that and high the smaller; also called cap
    place(x)                    1 for the largest x of the request, 2 for the next; ties share the
                                mean of their places
    rank(x)                     the share of the request's rows that x is not below: 1 for the
                                largest, 1/n for the smallest of n; ties share their mean
    reciprocal_rank(x, a, b)    1 / (place(x)^a + b), the term of a rank ensemble

Every result is defined. With ε = 1e-12: log, sqrt and powers take their operand as at least ε, a
divisor keeps its sign and is at least ε away from 0, products, quotients and exponentials are
bounded at ±1e100. So x^y is exp(y · log max(x, ε)) for all x, also for negative x and whole y. NaN
stays NaN, and a row whose x is NaN is not ranked among the others.

Limits: 2,000 characters, 32 levels, numbers up to 1e30.
"""

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.fusion.formula_error import formula_error
from paretorank.fusion.syntax import (
    ALIASES,
    FUNCTIONS,
    Call,
    Chain,
    Column,
    Negative,
    Node,
    Number,
    Power,
    Weight,
)
from paretorank.fusion.tokens import Token, tokens_of

DEEPEST = 32
_LEVELS = ("+-", "*/")


def parse(text: str, *, columns: frozenset[str] | None = None, place: str = "formula") -> Node:
    """Return the tree of a formula.

    Args:
        text: the formula.
        columns: the names that exist; None allows every name.
        place: where the formula was written, for messages.

    Raises:
        ConfigError: the text is not a formula of this language.
    """
    return _Parser(text, columns, place).formula()


class _Parser:
    """Reads the words once, from left to right."""

    def __init__(self, text: str, columns: frozenset[str] | None, place: str) -> None:
        self._text, self._columns, self._place = text, columns, place
        self._tokens = tokens_of(text, place=place)
        self._next = 0
        self._depth = 0

    def formula(self) -> Node:
        tree = self._chain(0)
        if self._token.kind != "end":
            raise self._expected("an operator or the end")
        return tree

    @property
    def _token(self) -> Token:
        return self._tokens[self._next]

    def _is_mark(self, marks: str) -> bool:
        return self._token.kind == "mark" and self._token.text in marks

    def _take(self) -> Token:
        token = self._token
        self._next += 1
        return token

    def _chain(self, level: int) -> Node:
        """Read a sum (level 0) or a product (level 1)."""
        if level == len(_LEVELS):
            return self._signed()
        operators, operands = "", [self._chain(level + 1)]
        while self._is_mark(_LEVELS[level]):
            operators += self._take().text
            operands.append(self._chain(level + 1))
        return Chain(operators, tuple(operands)) if operators else operands[0]

    def _signed(self) -> Node:
        """Read an operand with its signs and its power; each is one level deeper."""
        self._depth += 1
        if self._depth > DEEPEST:
            problem = f"a formula must be nested at most {DEEPEST} deep and goes deeper"
            raise self._error(problem, self._token, "Leave out parentheses and signs.")
        if self._is_mark("-"):
            self._take()
            node: Node = Negative(self._signed())
        else:
            node = self._operand()
            if self._is_mark("^"):
                self._take()
                node = Power(node, self._signed())
        self._depth -= 1
        return node

    def _operand(self) -> Node:
        token = self._token
        if token.kind == "number":
            return Number(float(self._take().text))
        if token.kind == "weight":
            return Weight(self._take().text)
        if token.kind == "name":
            return self._named(self._take())
        if not self._is_mark("("):
            raise self._expected("a number, a name, a weight or '('")
        self._take()
        inner = self._chain(0)
        self._close("an operator or ')'")
        return inner

    def _named(self, token: Token) -> Node:
        if self._is_mark("(") and not token.quoted:
            return self._call(token)
        if self._columns is not None and token.text not in self._columns:
            hint = did_you_mean(token.text, self._columns)
            if token.text in FUNCTIONS or token.text in ALIASES:
                hint = f"{token.text} is a function: write {token.text}(...)."
            raise self._error(f"there is no column {token.text!r}, named", token, hint)
        return Column(token.text)

    def _call(self, token: Token) -> Node:
        function = ALIASES.get(token.text, token.text)
        if function not in FUNCTIONS:
            hint = did_you_mean(token.text, (*FUNCTIONS, *ALIASES))
            raise self._error(f"there is no function {token.text!r}, called", token, hint)
        self._take()
        arguments: list[Node] = []
        while not self._is_mark(")"):
            if arguments:
                self._comma()
            arguments.append(self._chain(0))
        self._take()
        if len(arguments) != FUNCTIONS[function]:
            problem = f"{token.text} takes {FUNCTIONS[function]} arguments, got {len(arguments)},"
            raise self._error(problem, token, "Arguments are parted by commas.")
        return Call(function, tuple(arguments))

    def _comma(self) -> None:
        if not self._is_mark(","):
            raise self._expected("an operator, ',' or ')'")
        self._take()

    def _close(self, expected: str) -> None:
        if not self._is_mark(")"):
            raise self._expected(expected)
        self._take()

    def _expected(self, what: str) -> ConfigError:
        token, before = self._token, self._tokens[self._next - 1] if self._next else None
        if before is not None and before.text == token.text == "*":
            return self._error(f"expected {what}, got '*'", token, "A power is written a^b.")
        return self._error(f"expected {what}, got {token}", token, _hint_for(what))

    def _error(self, problem: str, token: Token, hint: str) -> ConfigError:
        return formula_error(self._text, token.at, problem, place=self._place, hint=hint)


def _hint_for(what: str) -> str:
    if "')'" in what:
        return "Close every parenthesis, and write every product with *."
    if "operator" in what:
        return "Write every product with *: 2 * click."
    return "An operator stands between two operands: click * like."
