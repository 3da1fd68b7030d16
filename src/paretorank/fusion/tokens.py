"""The words of a formula.

A number is `1`, `0.5`, `.5` or `1e-3`; a name is a letter or `_` and then letters, digits and `_`,
or anything between backticks or double quotes, where the doubled mark stands for the mark.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from paretorank.fusion.formula_error import formula_error

LONGEST_FORMULA: Final = 2_000
LONGEST_NAME: Final = 200
LARGEST_NUMBER: Final = 1e30
"""No written number and no weight is larger, so that no formula of this length overflows."""

TokenKind = Literal["number", "name", "weight", "mark", "end"]

_NUMBER = re.compile(r"(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_QUOTED = re.compile(r'`((?:[^`]|``)+)`|"((?:[^"]|"")+)"')
_MARKS: Final = "+-*/^(),"
_BLANKS: Final = " \t\r\n"


@dataclass(frozen=True)
class Token:
    """One word: its kind, what it says, and where it stands."""

    kind: TokenKind
    text: str
    """The characters of a number or mark; a name without quotes and without `$`."""
    at: int
    quoted: bool = False

    def __str__(self) -> str:
        if self.kind == "end":
            return "the end"
        return repr(f"${self.text}" if self.kind == "weight" else self.text)


def tokens_of(text: str, *, place: str) -> list[Token]:
    """Return the words, and at last one of kind "end".

    Raises:
        ConfigError: the formula is too long, or has a character, name or number that cannot be.
    """
    if len(text) > LONGEST_FORMULA:
        raise formula_error(
            text,
            LONGEST_FORMULA,
            f"a formula must have at most {LONGEST_FORMULA} characters, got {len(text)},"
            " and is too long",
            place=place,
            hint="Leave out terms, or merge them.",
        )
    return [*_words(text, place), Token("end", "", len(text))]


def _words(text: str, place: str) -> Iterator[Token]:
    at = 0
    while at < len(text):
        if text[at] in _BLANKS:
            at += 1
        elif text[at] in _MARKS:
            yield Token("mark", text[at], at)
            at += 1
        elif found := _NUMBER.match(text, at):
            yield _number(text, found, place)
            at = found.end()
        else:
            is_weight = text[at] == "$"
            token, at = _name(text, at + is_weight, place)
            yield Token("weight", token.text, token.at - 1, token.quoted) if is_weight else token


def _number(text: str, found: re.Match[str], place: str) -> Token:
    if not float(found[0]) <= LARGEST_NUMBER:
        problem = f"a number must be at most {LARGEST_NUMBER:g}, got a larger one"
        raise formula_error(text, found.start(), problem, place=place)
    return Token("number", found[0], found.start())


def _name(text: str, at: int, place: str) -> tuple[Token, int]:
    """Return the name that begins here, and where it ends."""
    if found := _NAME.match(text, at):
        token = Token("name", found[0], at)
    elif found := _QUOTED.match(text, at):
        mark = found[0][0]
        token = Token("name", found[0][1:-1].replace(mark * 2, mark), at, quoted=True)
    else:
        raise _no_word(text, at, place)
    if len(token.text) > LONGEST_NAME:
        problem = f"a name must have at most {LONGEST_NAME} characters, got {len(token.text)}"
        raise formula_error(text, at, problem, place=place)
    return token, found.end()


def _no_word(text: str, at: int, place: str) -> Exception:
    character = text[at : at + 1]
    if character in {"`", '"'}:
        problem, hint = "a quoted name has no end, or no character,", f"Close it with {character}."
    elif not character or text[at - 1 : at] == "$":
        problem, hint = "expected the name of a weight after '$'", "Write for instance: $w."
    else:
        problem = f"the character {character!r} has no meaning in a formula"
        hint = "Operators are + - * / ^; an odd name stands between backticks: `my task`."
    return formula_error(text, at, problem, place=place, hint=hint)
