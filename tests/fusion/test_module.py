"""The exported graph of a formula gives the scores that NumPy gives, for requests of any length."""

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor, nn

from paretorank.fusion import Formula, FusionScorer, parse_formula, rank_ensemble, shifted_product
from paretorank.fusion.module import FormulaModule

NAMES = ("click", "like", "watch")
FORMULAS = [
    "click^1.0 * (like + 0.01)^0.5 * watch^$w",
    "-click + 2 * like / max(watch, 1) - exp(-min(click, $w))",
    "rank(click) + log(clip(watch, 0, 10)) * sqrt(like) + place(-like)",
    str(rank_ensemble(NAMES)),
    str(shifted_product(NAMES)),
]
COMPOSED = [
    "(click + 1e-9)^0.5 * (like + 0.01) / (watch - 1)",
    "rank(click) - place(-like) * log(exp(99 * watch) * exp(99 * watch))",  # reaches bounds
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


class FusedModel(nn.Module):
    """A model that hands out its scores by task, and what formulas make of them."""

    def __init__(self, formulas: list[Formula]) -> None:
        super().__init__()
        self.fusions = nn.ModuleList([FormulaModule(formula, NAMES) for formula in formulas])

    def forward(self, scores: dict[str, Tensor]) -> tuple[Tensor, ...]:
        columns = torch.stack([scores[name] for name in NAMES], dim=1)
        return tuple(fusion(columns) for fusion in self.fusions)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`isinstance\\(treespec, LeafSpec\\)`:FutureWarning")
@pytest.mark.filterwarnings("ignore:# The axis name. rows:UserWarning")
def test_formulas_become_an_onnx_graph_together_with_a_model() -> None:
    formulas = [parse_formula(text) for text in COMPOSED]
    outputs = [f"fused {at}" for at in range(len(formulas))]
    rows_dim = torch.export.Dim("rows", min=2, max=4_096)
    program = torch.onnx.export(
        FusedModel(formulas).eval(),
        kwargs={"scores": {name: torch.rand(7) for name in NAMES}},
        dynamic_shapes={"scores": {name: {0: rows_dim} for name in NAMES}},
        input_names=NAMES,
        output_names=outputs,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString())
    for n_rows in (1, 2, 7, 300):
        scores = rows(n_rows).astype(np.float32)
        scores[0] = np.nan
        found = session.run(outputs, dict(zip(NAMES, scores.T, strict=True)))
        for formula, fused in zip(formulas, found, strict=True):
            expected = FusionScorer(formula, NAMES, scores)()
            np.testing.assert_allclose(fused, expected, rtol=1e-9)
