"""The language of conditions: what it means, and that nothing else gets in."""

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from paretorank.data.condition import columns_of, parse_condition
from paretorank.foundation.errors import ConfigError

ROWS = pl.DataFrame(
    {"x": [1, 2, None, -3], "y": [1.0, 0.5, 2.0, None], "name": ["a", "b", None, "c d"]}
)


def _holds(text: str) -> list[bool | None]:
    return ROWS.select(parse_condition(text, place="here")).to_series().to_list()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x == 1", [True, False, None, False]),
        ("x != 1", [False, True, None, True]),
        ("x < 2", [True, False, None, True]),
        ("x <= 2", [True, True, None, True]),
        ("x > 1", [False, True, None, False]),
        ("x >= 1", [True, True, None, False]),
        ("x == -3", [False, False, None, True]),
        ("name == 'c d'", [False, False, None, True]),
        ('name == "a"', [True, False, None, False]),
        ("x in [1, -3]", [True, False, None, True]),
        ("y in [1, 0.5]", [True, True, False, None]),
        ("y in [1, 2]", [True, False, True, None]),
        ("x in [1, 2.5]", [True, False, None, False]),
        ("name in ['a', 'b']", [True, True, None, False]),
        ("x in [1]", [True, False, None, False]),
        ("x + y == 2", [True, False, None, None]),
        ("x - y > 1", [False, True, None, None]),
        ("x * y == 1", [True, True, None, None]),
        ("x / y == 4", [False, True, None, None]),
        ("is_null(x)", [False, False, True, False]),
        ("not is_null(x)", [True, True, False, True]),
        ("x == 1 or is_null(x)", [True, False, True, False]),
        ("True", [True]),
    ],
)
def test_every_operator_means_what_it_says(text: str, expected: list[bool | None]) -> None:
    assert _holds(text) == expected


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("x == 1 or x == 2 and y == 1", "(x == 1) or ((x == 2) and (y == 1))"),
        ("not x == 1 and y == 1", "(not (x == 1)) and (y == 1)"),
        ("x + y * 2 == 3", "(x + (y * 2)) == 3"),
        ("x - 1 - 1 == 0", "((x - 1) - 1) == 0"),
        ("-x + 2 == 1", "((-x) + 2) == 1"),
    ],
)
def test_precedence_is_the_usual_one(text: str, same: str) -> None:
    assert _holds(text) == _holds(same)


def test_unknown_stays_unknown_unless_the_other_side_decides() -> None:
    frame = pl.DataFrame({"a": [None, None, None], "b": [True, False, None]})
    both = parse_condition("a == 1 and b", place="here").alias("and")
    either = parse_condition("a == 1 or b", place="here").alias("or")
    found = frame.cast({"a": pl.Int64}).select(both, either)
    assert found["and"].to_list() == [None, False, None]
    assert found["or"].to_list() == [True, None, None]


def test_the_columns_that_are_read_are_known() -> None:
    text = "is_click == 1 and (tab != 0 or not is_null(duration)) and tab < 3"
    assert sorted(set(columns_of(text, place="here"))) == ["duration", "is_click", "tab"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "x ==",
        "x = 1",
        "x; y",
        "import os",
        "__import__('os')",
        "__import__('os').system('true')",
        "open('x')",
        "x.name",
        "x.__class__",
        "().__class__.__bases__[0]",
        "x[0]",
        "x[0:1]",
        "lambda: x",
        "[v for v in x]",
        "{v for v in x}",
        "(v for v in x)",
        "{1: 2}",
        "{1}",
        "(1, 2)",
        "[1, 2]",
        "f'{x}'",
        "x if y else 1",
        "(x := 1)",
        "await x",
        "*x",
        "x ** 2",
        "x // 2",
        "x % 2",
        "x @ y",
        "x & y",
        "x | y",
        "x ^ y",
        "x << 1",
        "~x",
        "+x",
        "x is 1",
        "x in y",
        "x in (1, 2)",
        "x in [y]",
        "x in [[1]]",
        "x in [None]",
        "x in []",
        "1 < x < 3",
        "x == None",
        "x == b'a'",
        "x == 1j",
        "x == ...",
        "is_null()",
        "is_null(x, y)",
        "is_null(x=1)",
        "is_null(*x)",
        "is_nan(x)",
        "x == 999999999999999999999999999999999999999999",
        "x in [999999999999999999999999999999999999999999]",
        "x\0y",
        "x == 1 #" + "a" * 3000,
        "(" * 900 + "x" + ")" * 900,
        "-" * 1900 + "1",
        "not " * 450 + "x",
        "1" + "+1" * 900,
        "is_null(" * 200 + "x" + ")" * 200,
    ],
)
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"^tasks\.like\.observed_when: the condition") as caught:
        parse_condition(text, place="tasks.like.observed_when")
    assert "is_null(column)" in caught.value.hint


def test_a_reasonably_nested_condition_is_read() -> None:
    text = "(" * 15 + "x == 1" + ")" * 15
    assert _holds(text) == _holds("x == 1")
    assert len(_holds(" or ".join(f"x == {at}" for at in range(100)))) == 4


_PIECES = st.sampled_from(
    """x y name 1 2.5 'a' ( ) [ ] == != < <= > >= and or not in is_null + - * / , . : lambda if else
    __import__ 1e999 0x7f True None \\ " ' f' b' \n \t ; = := @ ~ % {} # 10**9""".split(" ")
)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=30), st.lists(_PIECES, max_size=12).map(" ".join)))
@example("'\\ud800' == x")
@example("x == '\\N{DIGIT ONE}'")
def test_any_text_is_a_condition_or_a_configuration_error(text: str) -> None:
    try:
        found = parse_condition(text, place="here")
    except ConfigError:
        return
    assert isinstance(found, pl.Expr)
