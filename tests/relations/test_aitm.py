"""AITM: information that scores itself, and scores that stay below their parents'."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.relations import AITM, AITMConfig, Dependencies, Seen
from paretorank.relations.aitm import weigh_by_own_scores

VALUES = json.loads((Path(__file__).parents[1] / "values" / "relations.json").read_text())
# 0 <- 1, 0 <- 2, (1, 2) <- 3; 4 stands alone
DIAMOND = Dependencies(((), (0,), (0,), (1, 2), ()), (True,) * 5, (False,) * 5)


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def build(graph: Dependencies = DIAMOND, *, in_dim: int = 3, weight: float = 0.6) -> AITM:
    config = AITMConfig(calibrator_weight=weight)
    return config.build(graph, in_dim=in_dim, generator=torch.Generator().manual_seed(3)).double()


def hidden(n_tasks: int = 5, width: int = 3, n_rows: int = 4) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n_rows, n_tasks, width, generator=generator, dtype=torch.float64)


def test_mixed_information_is_that_of_the_reference() -> None:
    case = VALUES["aitm"]
    information = torch.stack([double(case["p_transferred"]), double(case["q_own"])], dim=1)
    h1, h2, h3 = (double(case[name]).unsqueeze(0) for name in ("h1", "h2", "h3"))
    found = weigh_by_own_scores(information.unsqueeze(1), h1, h2, h3)
    torch.testing.assert_close(found.squeeze(1), double(case["z"]), rtol=1e-9, atol=1e-12)


def test_equal_information_comes_back_as_its_value() -> None:
    case = VALUES["aitm"]
    own = double(case["q_own"])
    h1, h2, h3 = (double(case[name]).unsqueeze(0) for name in ("h1", "h2", "h3"))
    found = weigh_by_own_scores(torch.stack([own, own], dim=1).unsqueeze(1), h1, h2, h3)
    torch.testing.assert_close(found.squeeze(1), own @ h3[0])


def test_the_calibrator_is_that_of_the_reference() -> None:
    case = VALUES["aitm_calibrator"]
    scores = double(case["y_hat"])
    chain = Dependencies(((), (0,), (1,)), (True,) * 3, (False,) * 3)
    relation = build(chain, weight=1.0)
    logits = scores.logit().requires_grad_()
    seen = Seen(logits, scores, torch.ones(3, 3).bool(), torch.ones(3).double())
    auxiliary = relation.row_losses(scores, seen).auxiliary
    assert auxiliary is not None
    assert auxiliary.item() == pytest.approx(case["value"])
    auxiliary.backward()
    assert logits.grad is not None
    slope = scores * (1 - scores)
    torch.testing.assert_close(
        logits.grad / slope, double(case["grad_wrt_y_hat"]), rtol=1e-9, atol=1e-11
    )


def test_the_calibrator_counts_rows_by_weight_and_is_scaled() -> None:
    pair = Dependencies(((), (0,)), (True, True), (False, False))
    logits = double([[0.2, 0.7], [0.5, 0.4], [0.1, 0.9]]).logit()
    seen = Seen(logits, logits, torch.ones(3, 2).bool(), double([1.0, 2.0, 0.0]))
    auxiliary = build(pair).row_losses(logits, seen).auxiliary
    assert auxiliary is not None
    assert auxiliary.item() == pytest.approx(0.6 * 0.5 / 3)
    assert build(pair, weight=0.0).row_losses(logits, seen).auxiliary is None


@pytest.mark.parametrize(
    ("is_binary", "is_conditional"),
    [((True, False), (False, False)), ((True, True), (False, True)), ((True, True), (True, False))],
)
def test_scores_that_answer_different_questions_are_not_calibrated(
    is_binary: tuple[bool, ...], is_conditional: tuple[bool, ...]
) -> None:
    relation = build(Dependencies(((), (0,)), is_binary, is_conditional))
    logits = double([[0.2, 0.7]])
    seen = Seen(logits, logits, torch.ones(1, 2).bool(), torch.ones(1).double())
    assert relation.row_losses(logits, seen).auxiliary is None


def test_only_rows_with_both_labels_are_calibrated() -> None:
    pair = Dependencies(((), (0,)), (True, True), (False, False))
    logits = double([[0.2, 0.7], [0.5, 0.6], [0.1, 0.9]]).logit().requires_grad_()
    observed = torch.tensor([[True, False], [True, True], [False, True]])
    seen = Seen(logits, logits.detach(), observed, torch.ones(3).double())
    auxiliary = build(pair).row_losses(logits, seen).auxiliary
    assert auxiliary is not None
    assert auxiliary.item() == pytest.approx(0.6 * 0.1)
    auxiliary.backward()
    assert logits.grad is not None
    assert logits.grad.abs().sum(dim=1).bool().tolist() == [False, True, False]


def numpy_forward(relation: AITM, z: np.ndarray) -> np.ndarray:
    """Compute the diamond task by task, with plain loops."""
    state = {name: value.numpy() for name, value in relation.state_dict().items()}
    out = z.copy()
    places = {1: (0, 0), 2: (0, 1), 3: (1, 0)}
    for task, (generation, place) in places.items():
        own = {key: state[f"transfers.{generation}.{key}"][place] for key in ("h1", "h2", "h3")}
        weight = state[f"transfers.{generation}.handed_weight"][place]
        bias = state[f"transfers.{generation}.handed_bias"][place]
        for row in range(len(z)):
            pieces = [z[row, task]]
            for at, parent in enumerate(DIAMOND.parents[task]):
                pieces.append(np.maximum(out[row, parent] @ weight[at] + bias[at], 0))
            scores = [(v @ own["h1"]) @ (v @ own["h2"]) / z.shape[2] ** 0.5 for v in pieces]
            a = np.exp(scores) / np.exp(scores).sum()
            out[row, task] = sum(w * (v @ own["h3"]) for w, v in zip(a, pieces, strict=True))
    return out


def test_any_graph_is_computed_like_task_by_task() -> None:
    relation, z = build(), hidden()
    with torch.no_grad():
        found = relation(z).hidden
    np.testing.assert_allclose(found.numpy(), numpy_forward(relation, z.numpy()), rtol=1e-12)


def test_tasks_without_parents_pass_through_and_others_read_only_their_ancestors() -> None:
    relation, z = build(), hidden().requires_grad_()
    found = relation(z).hidden
    assert torch.equal(found[:, [0, 4]], z[:, [0, 4]])
    reads = []
    for task in range(5):
        (grad,) = torch.autograd.grad(found[:, task].square().sum(), z, retain_graph=True)
        reads.append([at for at in range(5) if grad[:, at].any()])
    assert reads == [[0], [0, 1], [0, 2], [0, 1, 2, 3], [4]]


def test_without_a_parent_nothing_changes_and_nothing_is_learned() -> None:
    alone = build(Dependencies(((), ()), (True, True), (False, False)))
    z = hidden(2)
    assert alone(z).hidden is z
    assert not list(alone.parameters())


def test_gradients_agree_with_finite_differences() -> None:
    relation = build()
    assert torch.autograd.gradcheck(lambda z: relation(z).hidden, hidden(n_rows=2).requires_grad_())
