"""The graph of a formula gives the scores that NumPy and PyTorch give, for any rows."""

import json
import subprocess
import sys
from collections.abc import Sequence
from unittest import mock

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from paretorank.foundation.errors import ConfigError
from paretorank.fusion import (
    Formula,
    FusionScorer,
    arrays,
    onnx_graph,
    parse_formula,
    rank_ensemble,
    shifted_product,
)
from paretorank.fusion.module import FormulaModule
from paretorank.fusion.onnx_graph import formula_graph
from paretorank.fusion.printer import to_text
from paretorank.fusion.syntax import Column, Node, Number, Weight
from tests.fusion.test_parser import grown

NAMES = ("click", "like", "odd name")
FORMULAS = [
    "click^1.0 * (like + 0.01)^0.5 * `odd name`^$w",
    "-click + 2 * like / max(`odd name`, 1) - exp(-min(click, $w))",
    "rank(click) + log(clip(`odd name`, 0, 10)) * sqrt(like) + place(-like)",
    "place(1) + rank(click * 0) - place(rank(like) + $w)",
    str(rank_ensemble(NAMES)),
    str(shifted_product(NAMES)),
]


class Graph:
    """The exported graph of a formula, run by ONNX Runtime as a server would."""

    def __init__(self, graph: bytes) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            graph, options, providers=["CPUExecutionProvider"]
        )

    def __call__(self, rows: np.ndarray, request: np.ndarray | None = None) -> np.ndarray:
        columns = dict(zip(NAMES, rows.T, strict=True)) | {"request": request}
        names = [given.name for given in self._session.get_inputs()]
        (fused,) = self._session.run(["fused"], {name: columns[name] for name in names})
        return np.asarray(fused)


def rows_of(n_rows: int, pool: Sequence[float], seed: int = 0) -> np.ndarray:
    """Return rows with many ties."""
    return np.random.default_rng(seed).choice(np.array(pool), (n_rows, len(NAMES)))


POOL = (0.0, -0.0, 1.0, 0.5, 0.1, -0.3, 1e-300, 1e300, -1e300, np.nan, np.inf)


@pytest.mark.parametrize("text", FORMULAS)
def test_a_graph_fuses_requests_of_any_length_as_numpy_does(text: str) -> None:
    formula = parse_formula(text)
    weights = dict.fromkeys(formula.weights, 0.7)
    graph = Graph(formula_graph(formula, weights=weights))
    by_request = Graph(formula_graph(formula, weights=weights, by_request=True))
    for n_rows in (0, 1, 2, 7, 300):
        rows, request = (
            rows_of(n_rows, POOL, n_rows),
            np.random.default_rng(0).integers(9, size=n_rows),
        )
        expected = FusionScorer(formula, NAMES, rows)(weights)
        np.testing.assert_allclose(graph(rows), expected, rtol=1e-9)
        expected = FusionScorer(formula, NAMES, rows, request)(weights)
        np.testing.assert_allclose(by_request(rows, request), expected, rtol=1e-9)


SCORES = st.one_of(st.sampled_from(POOL), st.floats(0.0, 1.0), st.floats(width=64))
POOLS = st.lists(SCORES, min_size=1, max_size=8)
NUMBERS = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 2.0, 60.0]), st.floats(0.0, 1e30)).map(Number)
COLUMNS = st.sampled_from(NAMES).map(Column)
LEAVES = st.one_of(COLUMNS, COLUMNS, NUMBERS, st.sampled_from(["v", "w"]).map(Weight))
TREES = st.recursive(LEAVES, grown, max_leaves=10)


def rough(function: str) -> object:
    """Return exp or log with an error in the twelfth digit that depends on the operand alone."""
    exact = arrays._FUNCTIONS[function]
    return lambda operand: exact(operand) * (1.0 + 1e-12 * np.sin(1e6 * operand + 1.0))


@given(TREES, POOLS, st.integers(1, 50), st.integers(0, 2**32 - 1), st.floats(-2.0, 2.0))
def test_numpy_torch_and_the_graph_agree(
    tree: Node, pool: list[float], n_rows: int, seed: int, weight: float
) -> None:
    formula = parse_formula(to_text(tree))
    assert formula.tree == tree
    assume(formula.columns)
    weights = dict.fromkeys(formula.weights, weight)
    rows, request = (
        rows_of(n_rows, pool, seed),
        np.random.default_rng(seed).integers(3, size=n_rows),
    )
    expected = FusionScorer(formula, NAMES, rows, request)(weights)
    with mock.patch.dict(arrays._FUNCTIONS, exp=rough("exp"), log=rough("log")):
        other = FusionScorer(formula, NAMES, rows, request)(weights)
    is_steady = np.isclose(other, expected, rtol=1e-8, atol=0.0, equal_nan=True)
    assume(is_steady.any())  # else the formula makes much of a last digit

    def check(found: np.ndarray, part: np.ndarray | slice = np.s_[:]) -> None:
        keep = is_steady[part]
        np.testing.assert_allclose(found[keep], expected[part][keep], rtol=1e-6, atol=0.0)

    check(Graph(formula_graph(formula, weights=weights, by_request=True))(rows, request))
    graph = Graph(formula_graph(formula, weights=weights))
    module = FormulaModule(formula, NAMES, weights)
    for code in np.unique(request):
        part = request == code
        check(graph(rows[part]), part)
        check(module(torch.from_numpy(rows[part])).numpy(), part)


@pytest.mark.parametrize("text", ["place(click^0.7)", "rank(log(click) * exp(like))"])
def test_powers_of_equal_scores_are_ties(text: str) -> None:
    formula = parse_formula(text)
    graph = Graph(formula_graph(formula))
    for n_rows in range(1, 40):
        rows = rows_of(n_rows, (0.1, 0.37, 3.3), n_rows)
        np.testing.assert_array_equal(graph(rows), FusionScorer(formula, NAMES, rows)())


def test_equal_rows_get_equal_scores() -> None:
    graph = Graph(formula_graph(parse_formula("click^0.3 * exp(like) + log(click)")))
    for score in (0.1, 0.37, 3.3):
        assert len(np.unique(graph(np.full((39, 3), score)))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "(click - click) - 4.8e-152",
        "click * 1.00000003 - click",
        "click / (0.5 * 1.99999998) - click",
        "(click - click) + 1e-30 * 1e-30",
        "click^0.99999999 - click",
    ],
)
def test_numbers_that_float32_takes_for_0_or_1_count(text: str) -> None:
    formula, rows = parse_formula(text), np.random.default_rng(0).random((5, 3))
    expected = FusionScorer(formula, NAMES, rows)()
    assert np.all(expected != 0.0)
    np.testing.assert_allclose(Graph(formula_graph(formula))(rows), expected, rtol=1e-6)


def test_ranks_by_hand() -> None:
    rows = np.array([[0.1], [0.7], [0.7], [0.4], [np.nan], [0.2], [0.4]]) * np.ones(3)
    request = np.array([5, 5, -3, 5, 5, -3, 5])  # 5: .1 .7 .4 and a missing one, .4; -3: .7 .2
    graph = Graph(formula_graph(parse_formula("rank(click)"), by_request=True))
    expected = [0.25, 1.0, 1.0, 0.625, np.nan, 0.5, 0.625]
    np.testing.assert_allclose(graph(rows, request), expected, rtol=1e-15)


@pytest.mark.parametrize("score_type", ["float32", "float64"])
def test_scores_of_either_type_are_fused_in_float64(score_type: onnx_graph.ScoreType) -> None:
    formula = parse_formula("click * 1e-9 + like^0.5 + rank(like)")
    rows = np.random.default_rng(0).random((20, 3)).astype(score_type)
    found = Graph(formula_graph(formula, score_type=score_type))(rows)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, FusionScorer(formula, NAMES, rows)(), rtol=1e-14)


def test_the_file_says_what_it_computes() -> None:
    formula = parse_formula("click * `odd name`^$w")
    graph = formula_graph(formula, weights={"w": -0.5}, metadata={"scores": "calibrated"})
    model = onnx.load_from_string(graph)
    onnx.checker.check_model(model, full_check=True)
    facts = {fact.key: fact.value for fact in model.metadata_props}
    assert parse_formula(facts["formula"]) == formula.with_weights({"w": -0.5})
    assert json.loads(facts["columns"]) == ["click", "odd name"]
    assert facts["scores"] == "calibrated"
    assert [given.name for given in model.graph.input] == ["click", "odd name"]


def test_a_formula_always_becomes_the_same_bytes() -> None:
    formula = parse_formula("rank(click) * like^0.5", columns=NAMES)
    assert formula_graph(formula) == formula_graph(formula)


def test_a_part_that_is_written_twice_is_computed_once() -> None:
    once, twice = (
        onnx.load_from_string(formula_graph(parse_formula(text))).graph
        for text in ("rank(click^0.5)", "rank(click^0.5) + rank(click^0.5)")
    )
    assert len(twice.node) == len(once.node) + 1


@pytest.mark.parametrize("name", ["é ß", '"', "a\nb", "value1", "value_1", "log", "request"])
def test_a_column_may_have_any_name(name: str) -> None:
    formula = Formula(Column(name))
    session = onnxruntime.InferenceSession(formula_graph(formula))
    assert session.run(None, {name: np.array([0.5])}) == [np.array([0.5])]


@pytest.mark.parametrize(
    ("text", "by_request", "problem"),
    [
        ("1 + rank(2)", False, "must read a column"),
        ("click + fused", False, "may be called 'fused'"),
        ("click + request", True, "may be called 'request'"),
        ("click + `a\0b`", False, "without NUL"),
        ("click + `\ud800`", False, "must be text"),
    ],
)
def test_what_cannot_be_a_graph_is_refused(text: str, by_request: bool, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        formula_graph(parse_formula(text), by_request=by_request)
    assert caught.value.hint


def test_without_onnx_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="not installed") as caught:
        formula_graph(parse_formula("click"))
    assert caught.value.hint == 'pip install "paretorank[export]"'


def test_a_graph_is_made_without_torch() -> None:
    program = """
import sys
from paretorank.fusion import parse_formula
from paretorank.fusion.onnx_graph import formula_graph
formula_graph(parse_formula("rank(click) * like^0.5"))
print("torch" in sys.modules)
"""
    command = [sys.executable, "-c", program]
    found = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    assert found.stdout.strip() == "False"
