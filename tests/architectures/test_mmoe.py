"""MMoE and its one-gate form."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.architectures import MMoE, MMoEConfig, OMoE, OMoEConfig, SharedBottomConfig
from paretorank.blocks import ExpertBank

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "architectures.json").read_text()
)
TOLERANCE = {"rtol": 0.0, "atol": 1e-9}


def double(values: object) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def load_experts(experts: ExpertBank) -> None:
    weight = double(VALUES["mmoe"]["expert_W"])  # [E, D, H]
    with torch.no_grad():
        experts.first_weight.copy_(weight.mT.flatten(0, 1))
        experts.first_bias.copy_(double(VALUES["mmoe"]["expert_b"]).flatten())


def pinned_mmoe() -> MMoE:
    config = MMoEConfig(n_experts=3, expert_dims=(2,))
    model = config.build(in_dim=3, n_tasks=2, generator=torch.Generator()).double()
    load_experts(model.experts)
    with torch.no_grad():
        model.gates.weight.copy_(double(VALUES["mmoe"]["gate_W"]).mT.flatten(0, 1))
    return model


def random_mmoe(*, n_tasks: int = 2, n_experts: int = 4) -> MMoE:
    config = MMoEConfig(n_experts=n_experts, expert_dims=(7, 5))
    generator = torch.Generator().manual_seed(3)
    model = config.build(in_dim=6, n_tasks=n_tasks, generator=generator).double()
    with torch.no_grad():
        model.gates.weight.mul_(100)  # far from uniform
    return model


def rows(n_rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


def test_representations_and_gates_have_the_pinned_values() -> None:
    model, x = pinned_mmoe(), double(VALUES["x"])
    pinned = VALUES["mmoe"]
    torch.testing.assert_close(model.experts(x), double(pinned["expert_out"]), **TOLERANCE)
    torch.testing.assert_close(model.gate_weights(x), double(pinned["gates"]), **TOLERANCE)
    torch.testing.assert_close(model(x), double(pinned["task_rep"]), **TOLERANCE)


def test_one_gate_serves_all_tasks_with_the_pinned_values() -> None:
    config = OMoEConfig(n_experts=3, expert_dims=(2,))
    model: OMoE = config.build(in_dim=3, n_tasks=2, generator=torch.Generator()).double()
    load_experts(model.experts)
    with torch.no_grad():
        model.gate.weight.copy_(double(VALUES["mmoe"]["gate_W"])[0].T)
    x = double(VALUES["x"])
    torch.testing.assert_close(model(x), double(VALUES["omoe"]["task_rep"]), **TOLERANCE)
    assert torch.equal(model.gate_weights(x)[:, 0], model.gate_weights(x)[:, 1])


def test_equal_gates_make_it_the_one_gate_form() -> None:
    model = random_mmoe()
    one = OMoEConfig(n_experts=4, expert_dims=(7, 5)).build(
        in_dim=6, n_tasks=2, generator=torch.Generator()
    )
    one.double().experts.load_state_dict(model.experts.state_dict())
    with torch.no_grad():
        one.gate.weight.copy_(model.gates.weight[:4])
        model.gates.weight[4:] = model.gates.weight[:4]
    torch.testing.assert_close(model(rows()), one(rows()))


def test_an_independent_forward_pass_in_numpy_agrees() -> None:
    model, x = random_mmoe(), rows().numpy()
    state = {name: value.numpy() for name, value in model.state_dict().items()}
    expected = np.zeros((5, 2, 5))
    for row in range(5):
        outputs = []
        for expert in range(4):
            units = slice(expert * 7, (expert + 1) * 7)
            pre = state["experts.first_weight"][units] @ x[row]
            h = np.maximum(pre + state["experts.first_bias"][units], 0)
            pre = h @ state["experts.weights.0"][expert] + state["experts.biases.0"][expert, 0]
            outputs.append(np.maximum(pre, 0))
        for task in range(2):
            logits = state["gates.weight"][task * 4 : (task + 1) * 4] @ x[row]
            gate = np.exp(logits - logits.max())
            expected[row, task] = gate / gate.sum() @ np.stack(outputs)
    np.testing.assert_allclose(model(rows()).detach().numpy(), expected, atol=1e-12)


def test_permuting_experts_together_with_gate_columns_changes_nothing() -> None:
    model, shuffled = random_mmoe(), random_mmoe()
    order = torch.tensor([2, 0, 3, 1])
    with torch.no_grad():
        experts, other = model.experts, shuffled.experts
        other.first_weight.copy_(experts.first_weight.view(4, 7, 6)[order].flatten(0, 1))
        other.first_bias.copy_(experts.first_bias.view(4, 7)[order].flatten())
        other.weights[0].copy_(experts.weights[0][order])
        other.biases[0].copy_(experts.biases[0][order])
        shuffled.gates.weight.copy_(model.gates.weight.view(2, 4, 6)[:, order].flatten(0, 1))
    torch.testing.assert_close(model(rows()), shuffled(rows()))


def test_zero_gates_give_the_plain_mean_of_the_experts() -> None:
    model = random_mmoe()
    with torch.no_grad():
        model.gates.weight.zero_()
    mean = model.experts(rows()).mean(dim=1)
    torch.testing.assert_close(model(rows()), mean.unsqueeze(1).expand(-1, 2, -1))


def test_one_expert_is_a_shared_bottom_whatever_the_gates() -> None:
    model = random_mmoe(n_experts=1)
    bottom = SharedBottomConfig(hidden_dims=(7, 5)).build(
        in_dim=6, n_tasks=2, generator=torch.Generator()
    )
    first, second = bottom.double().bottom.layers
    with torch.no_grad():
        first.weight.copy_(model.experts.first_weight)
        first.bias.copy_(model.experts.first_bias)
        second.weight.copy_(model.experts.weights[0][0].T)
        second.bias.copy_(model.experts.biases[0][0, 0])
    torch.testing.assert_close(model(rows()), bottom(rows()))


def test_gate_weights_sum_to_one_and_carry_no_gradient() -> None:
    weights = random_mmoe(n_tasks=3).gate_weights(rows())
    assert weights.shape == (5, 3, 4)
    assert not weights.requires_grad
    torch.testing.assert_close(weights.sum(dim=2), torch.ones(5, 3, dtype=torch.float64))


def test_a_loss_of_one_task_leaves_the_gates_of_the_others_alone() -> None:
    model = random_mmoe()
    model(rows())[:, 0].sum().backward()
    assert model.gates.weight.grad is not None
    assert model.gates.weight.grad[4:].abs().max() == 0
    assert model.gates.weight.grad[:4].abs().max() > 0


def test_shared_are_the_experts_and_with_one_gate_the_gate_too() -> None:
    model = random_mmoe()
    assert set(map(id, model.shared_parameters())) == set(map(id, model.experts.parameters()))
    one = OMoEConfig(n_experts=2, expert_dims=(2,)).build(
        in_dim=3, n_tasks=2, generator=torch.Generator()
    )
    assert any(parameter is one.gate.weight for parameter in one.shared_parameters())


@pytest.mark.parametrize("n_tasks", [1, 2])
def test_one_row_keeps_its_axes(n_tasks: int) -> None:
    assert random_mmoe(n_tasks=n_tasks)(rows(1)).shape == (1, n_tasks, 5)


def test_gradients_agree_with_finite_differences() -> None:
    generator = torch.Generator().manual_seed(0)
    config = MMoEConfig(n_experts=2, expert_dims=(3, 2), activation="silu")
    model = config.build(in_dim=3, n_tasks=2, generator=generator).double()
    x = torch.randn(2, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(model, (x,))
