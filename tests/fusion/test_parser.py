"""What a formula means, how it prints, and how a wrong one is refused."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretorank.foundation.errors import ConfigError
from paretorank.fusion import fused_score, parse_formula
from paretorank.fusion.parser import DEEPEST, parse
from paretorank.fusion.printer import to_text
from paretorank.fusion.syntax import Call, Chain, Column, Negative, Node, Number, Power, Weight

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
A, B, C = Column("a"), Column("b"), Column("c")


def value(text: str) -> float:
    """Return what a formula of numbers is worth."""
    return float(fused_score(parse(text), {"a": np.array([3.0])})[0])


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("a + b * c", Chain("+", (A, Chain("*", (B, C))))),
        ("a - b + c", Chain("-+", (A, B, C))),
        ("a - (b + c)", Chain("-", (A, Chain("+", (B, C))))),
        ("a / b * c", Chain("/*", (A, B, C))),
        ("a^b^c", Power(A, Power(B, C))),
        ("(a^b)^c", Power(Power(A, B), C)),
        ("-a^b", Negative(Power(A, B))),
        ("(-a)^b", Power(Negative(A), B)),
        ("-a * b", Chain("*", (Negative(A), B))),
        ("a^-b", Power(A, Negative(B))),
        ("a * -b", Chain("*", (A, Negative(B)))),
        ("cap(a, 0, $w)", Call("clip", (A, Number(0.0), Weight("w")))),
        ('`my ``task` + "log" + log', Chain("++", (Column("my `task"), *[Column("log")] * 2))),
        ("$`w 1` * .5e1", Chain("*", (Weight("w 1"), Number(5.0)))),
    ],
)
def test_operators_bind_as_the_language_says(text: str, tree: Node) -> None:
    assert parse(text) == tree
    assert parse(to_text(tree)) == tree


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 - 2 - 1", 4.0),
        ("8 / 2 / 2", 2.0),
        ("2^3^2", 512.0),
        ("-2^2", -4.0),
        ("2^-1", 0.5),
        ("1 + 2 * 3", 7.0),
        ("min(a, 2) + max(a, 5)", 7.0),
        ("clip(a, 4, 9) + cap(a, 0, 1)", 5.0),
        ("sqrt(16) + log(exp(2))", 6.0),
        ("place(a) + rank(a)", 2.0),
    ],
)
def test_a_formula_has_the_value_worked_out_by_hand(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-12)


NAMES = st.one_of(
    st.sampled_from(["click", "log", "_x", "my task", "é", "a`b", '"', "1st", "$w"]),
    st.text(min_size=1, max_size=8),
)
LEAVES = st.one_of(st.floats(0.0, 1e30).map(Number), NAMES.map(Column), NAMES.map(Weight))


def grown(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    one, two, three = inner.map(lambda x: (x,)), st.tuples(inner, inner), st.tuples(*[inner] * 3)
    operators = st.one_of(
        st.text("+-", min_size=1, max_size=3), st.text("*/", min_size=1, max_size=3)
    )
    chains = operators.flatmap(
        lambda signs: st.tuples(*[inner] * (len(signs) + 1)).map(lambda nodes: Chain(signs, nodes))
    )
    calls = st.one_of(
        st.builds(Call, st.sampled_from(["log", "exp", "sqrt", "rank", "place"]), one),
        st.builds(Call, st.sampled_from(["min", "max"]), two),
        st.builds(Call, st.sampled_from(["clip", "reciprocal_rank"]), three),
    )
    return st.one_of(inner.map(Negative), st.builds(Power, inner, inner), chains, calls)


@given(st.recursive(LEAVES, grown, max_leaves=12))
def test_reading_what_was_printed_gives_the_same_tree(tree: Node) -> None:
    assert parse(to_text(tree)) == tree


def test_an_error_points_at_the_place_and_says_what_was_expected() -> None:
    with pytest.raises(ConfigError) as caught:
        parse("click * * like", place="fusion.formula")
    assert str(caught.value).splitlines() == [
        "fusion.formula: expected a number, a name, a weight or '(', got '*' at character 9.",
        "    click * * like",
        "            ^",
    ]


def test_the_caret_stays_under_its_character_in_a_long_formula() -> None:
    text = "click + " * 30 + "liek" + " + click" * 30
    with pytest.raises(ConfigError) as caught:
        parse(text, columns=frozenset({"click", "like"}))
    _, shown, caret = str(caught.value).splitlines()
    assert shown[caret.index("^") :].startswith("liek")
    assert len(shown) < 80


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("", "got the end", "operand"),
        ("click like", "got 'like'", "2 * click"),
        ("2 click", "expected an operator or the end", "2 * click"),
        ("click ** 2", "got '*'", "a^b"),
        ("(click", "expected an operator or ')'", "Close"),
        ("click)", "got ')'", "product"),
        ("clik", "no column 'clik'", "'click'"),
        ("log * 2", "no column 'log'", "log(...)"),
        ("lgo(click)", "no function 'lgo'", "'log'"),
        ("log()", "takes 1 arguments, got 0", "commas"),
        ("log(click, 2)", "takes 1 arguments, got 2", "commas"),
        ("min(click 2)", "expected an operator, ',' or ')'", "Close"),
        ("min(click,", "got the end", "operand"),
        ("`click", "no end", "`"),
        ("$ + 1", "name of a weight", "$w"),
        ("click & like", "'&' has no meaning", "Operators"),
        ("1e31", "at most 1e+30", "instance"),
        ("1e999999999", "at most 1e+30", "instance"),
        ("a" * 201, "at most 200", "instance"),
        ("1" * 2_001, "at most 2000", "Leave out"),
    ],
)
def test_what_is_no_formula_is_refused_with_a_reason(text: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_formula(text, columns=["click", "like"])
    assert problem in str(caught.value)
    assert hint in caught.value.hint


@pytest.mark.parametrize("bomb", ["(" * 1_000, "-" * 1_000, "2^" * 900 + "2", "log(" * 400])
def test_a_formula_may_not_nest_without_end(bomb: str) -> None:
    with pytest.raises(ConfigError, match=f"nested at most {DEEPEST}"):
        parse(bomb)


def test_a_chain_may_be_as_long_as_a_formula() -> None:
    assert value("+".join(["1"] * 1_000)) == 1_000.0


@pytest.mark.slow
def test_hostile_formulas_are_refused_or_computed() -> None:
    command = [sys.executable, BENCHMARKS / "fuzz_formulas.py", "--cases", "1000", "--seed", "1"]
    found = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "computed" in found.stdout
    assert "refused" in found.stdout
