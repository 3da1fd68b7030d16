"""Parent logit: a learned multiple of each parent's logit, nothing at the start."""

import pytest
import torch
from torch import Tensor

from paretorank.relations import Dependencies, ParentLogit, ParentLogitConfig

# 2 <- 1, (1, 2) <- 0: the task axis is not in topological order
GRAPH = Dependencies(((1, 2), (2,), ()), (False, True, True), (False,) * 3)
LOGITS = torch.tensor([[1.0, 10.0, 100.0]], dtype=torch.float64)


def build(*, detach: bool = False, weights: tuple[float, ...] | None = None) -> ParentLogit:
    config = ParentLogitConfig(detach_parents=detach)
    relation = config.build(GRAPH, in_dim=1, generator=torch.Generator()).double()
    if weights is not None:
        with torch.no_grad():
            relation.weight.copy_(torch.tensor(weights))
    return relation


def test_nothing_changes_at_the_start_and_the_factors_can_learn() -> None:
    relation = build()
    logits = relation.relate_logits(LOGITS)
    assert torch.equal(logits, LOGITS)
    logits.sum().backward()
    assert relation.weight.grad is not None
    assert relation.weight.grad.tolist() == [100.0, 10.0, 100.0]


def test_logits_are_handed_on_from_task_to_task() -> None:
    logits = build(weights=(0.5, 2.0, 3.0)).relate_logits(LOGITS)
    assert logits.tolist() == [[1 + 2 * (10 + 50) + 300, 10 + 50, 100]]


@pytest.mark.parametrize(("detach", "expected"), [(False, [1, 3, 5.5]), (True, [1, 1, 1])])
def test_parents_are_pulled_along_unless_they_are_left_alone(
    detach: bool, expected: list[float]
) -> None:
    relation = build(detach=detach, weights=(0.5, 2.0, 3.0))
    logits = LOGITS.clone().requires_grad_()
    relation.relate_logits(logits).sum().backward()
    assert logits.grad is not None
    assert logits.grad.tolist() == [expected]


def test_without_an_edge_nothing_is_learned() -> None:
    alone = Dependencies(((),), (True,), (False,))
    relation = ParentLogitConfig().build(alone, in_dim=1, generator=torch.Generator())
    assert not list(relation.parameters())
    logits: Tensor = LOGITS[:, :1]
    assert relation.relate_logits(logits) is logits
