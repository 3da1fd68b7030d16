"""CGC."""

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretorank.architectures import CGC, CGCConfig, MMoEConfig

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text()
)
TOLERANCE = {"rtol": 0.0, "atol": 1e-9}


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def random_cgc(*, n_task_experts: int = 2, n_shared_experts: int = 3, n_tasks: int = 2) -> CGC:
    config = CGCConfig(
        n_task_experts=n_task_experts, n_shared_experts=n_shared_experts, expert_dims=(7, 5)
    )
    generator = torch.Generator().manual_seed(3)
    model = config.build(in_dim=6, n_tasks=n_tasks, generator=generator).double()
    with torch.no_grad():
        model.level.task_gates.weight.mul_(100)  # far from uniform
    return model


def rows(n_rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


def test_representations_have_the_pinned_values() -> None:
    config = CGCConfig(n_task_experts=1, n_shared_experts=1, expert_dims=(2,))
    model = config.build(in_dim=3, n_tasks=2, generator=torch.Generator()).double()
    pinned, experts = VALUES["cgc"], model.level.experts
    assert experts.own is not None
    assert experts.shared is not None
    with torch.no_grad():
        experts.own.first_weight.copy_(double(pinned["task"]).flatten(0, 1).mT.flatten(0, 1))
        experts.shared.first_weight.copy_(double(pinned["shared"]).mT.flatten(0, 1))
        experts.own.first_bias.zero_()
        experts.shared.first_bias.zero_()
        model.level.task_gates.weight.copy_(double(pinned["gate"]).mT.flatten(0, 1))
    torch.testing.assert_close(model(double(VALUES["x"])), double(pinned["task_rep"]), **TOLERANCE)


def test_without_task_experts_it_is_mmoe_on_the_shared_ones() -> None:
    model = random_cgc(n_task_experts=0, n_shared_experts=3)
    mmoe = MMoEConfig(n_experts=3, expert_dims=(7, 5)).build(
        in_dim=6, n_tasks=2, generator=torch.Generator()
    )
    assert model.level.experts.shared is not None
    mmoe.double().experts.load_state_dict(model.level.experts.shared.state_dict())
    mmoe.gates.load_state_dict(model.level.task_gates.state_dict())
    torch.testing.assert_close(model(rows()), mmoe(rows()))
    torch.testing.assert_close(model.gate_weights(rows()), mmoe.gate_weights(rows()))


def test_without_shared_experts_the_gradients_of_tasks_are_fully_apart() -> None:
    model = random_cgc(n_shared_experts=0)
    model(rows())[:, 0].square().sum().backward()
    own, gates = model.level.experts.own, model.level.task_gates
    assert own is not None
    for stacked in (own.first_weight, own.weights[0], gates.weight):
        assert stacked.grad is not None
        first, second = stacked.grad.chunk(2)
        assert first.abs().max() > 0
        assert second.abs().max() == 0
    assert model.shared_parameters() == []


def test_a_task_reaches_its_own_and_the_shared_experts_but_no_others() -> None:
    model = random_cgc()
    model(rows())[:, 1].square().sum().backward()
    own, shared = model.level.experts.own, model.level.experts.shared
    assert own is not None
    assert shared is not None
    assert own.first_weight.grad is not None
    assert own.first_weight.grad[: 2 * 7].abs().max() == 0
    assert own.first_weight.grad[2 * 7 :].abs().max() > 0
    assert shared.first_weight.grad is not None
    assert shared.first_weight.grad.abs().max() > 0


def test_weights_are_of_the_own_experts_and_then_of_the_shared_ones() -> None:
    model = random_cgc(n_task_experts=1, n_shared_experts=2)
    with torch.no_grad():
        model.level.task_gates.weight.zero_()
        model.level.task_gates.weight[0] = 1.0  # the first task's score of its own expert
    weights = model.gate_weights(torch.ones(1, 6, dtype=torch.float64))
    assert weights.shape == (1, 2, 3)
    assert weights[0, 0, 0] > 0.9
    torch.testing.assert_close(weights[0, 1], torch.full((3,), 1 / 3, dtype=torch.float64))


def test_an_expert_that_explodes_in_one_task_leaves_the_others_finite() -> None:
    model = random_cgc()
    assert model.level.experts.own is not None
    with torch.no_grad():
        model.level.experts.own.first_weight[:7].mul_(1e100)
    assert torch.equal(model(rows())[:, 1], random_cgc()(rows())[:, 1])
