"""The exported graph of a formula gives the scores that NumPy gives, for requests of any length."""

import numpy as np
import pytest
import torch

from paretorank.fusion import FusionScorer, parse_formula, rank_ensemble, shifted_product
from paretorank.fusion.module import FormulaModule

NAMES = ("click", "like", "watch")
FORMULAS = [
    "click^1.0 * (like + 0.01)^0.5 * watch^$w",
    "-click + 2 * like / max(watch, 1) - exp(-min(click, $w))",
    "rank(click) + log(clip(watch, 0, 10)) * sqrt(like) + place(-like)",
    str(rank_ensemble(NAMES)),
    str(shifted_product(NAMES)),
]


def rows(n_rows: int) -> np.ndarray:
    generator = np.random.default_rng(n_rows)
    scores = generator.uniform(-0.1, 1.0, (n_rows, 3)).round(1)  # ties, zeros and negative ones
    scores[:, 2] *= 30.0
    return scores


@pytest.mark.parametrize("text", FORMULAS)
def test_the_exported_graph_fuses_as_numpy_does(text: str) -> None:
    formula = parse_formula(text)
    weights = dict.fromkeys(formula.weights, 0.7)
    module = FormulaModule(formula, NAMES, weights)
    dynamic = {"scores": {0: torch.export.Dim("rows", min=2, max=4_096)}}
    program = torch.export.export(module, (torch.from_numpy(rows(7)),), dynamic_shapes=dynamic)
    graph = program.module()
    for n_rows in (2, 7, 300):
        expected = FusionScorer(formula, NAMES, rows(n_rows))(weights)
        found = graph(torch.from_numpy(rows(n_rows))).numpy()
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_scores_of_a_model_are_fused_in_double_precision() -> None:
    module = FormulaModule(parse_formula("click * 1e-9 + like"), NAMES)
    scores = torch.tensor([[0.25, 1.0, 0.0], [0.5, 1.0, 0.0]])
    first, second = module(scores).tolist()
    assert second > first


def test_the_weights_travel_with_the_state() -> None:
    formula = parse_formula("click^$a * like^$b")
    module = FormulaModule(formula, NAMES, {"a": 0.5, "b": 0.25})
    assert module.state_dict()["weights"].tolist() == [0.5, 0.25]
