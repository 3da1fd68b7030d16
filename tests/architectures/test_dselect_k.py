"""DSelect-k: smooth steps, binary numbers of experts, and their entropy."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from torch import Tensor

from paretorank.architectures import DSelectK, DSelectKConfig
from paretorank.architectures.dselect_k import smooth_step


def random_model(**settings: Any) -> DSelectK:
    config = DSelectKConfig(**{"n_experts": 4, "expert_dims": (7, 5), **settings})
    generator = torch.Generator().manual_seed(3)
    model = config.build(in_dim=6, n_tasks=2, generator=generator).double()
    with torch.no_grad():
        model.gates.bits.mul_(15)  # some bits decided, others not
        model.gates.shares.mul_(100)
    return model


def rows(n_rows: int = 5) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, 6, generator=generator, dtype=torch.float64)


def test_a_smooth_step_has_the_values_of_the_cubic() -> None:
    found = smooth_step(torch.tensor([-9.0, -1.0, -0.5, 0.0, 0.5, 1.0, 9.0]), 2.0)
    # -2/8 t^3 + 3/4 t + 1/2 for a width of 2
    assert found.tolist() == [0.0, 0.0, 0.15625, 0.5, 0.84375, 1.0, 1.0]


def test_a_decided_selector_names_its_expert_in_binary() -> None:
    model = random_model(n_selected=1, per_row=False)
    with torch.no_grad():
        model.gates.bits.copy_(torch.tensor([-1.0, 1.0, 1.0, 1.0]))  # 0b10 and 0b11, low bit first
    weights = model.gate_weights(rows())
    expected = torch.tensor([[0.0, 0, 1, 0], [0, 0, 0, 1]], dtype=torch.float64)
    assert torch.equal(weights, expected.expand(5, -1, -1))
    experts = model.experts(rows())
    torch.testing.assert_close(model(rows()), experts[:, 2:])


def test_once_decided_a_task_uses_at_most_k_experts() -> None:
    model = random_model(n_experts=8, n_selected=3)
    with torch.no_grad():
        model.gates.bits.mul_(1e6)
    n_used = (model.gate_weights(rows(200)) > 0).sum(dim=2)
    assert n_used.max() == 3


@pytest.mark.parametrize("per_row", [False, True])
def test_an_independent_forward_pass_in_numpy_agrees(per_row: bool) -> None:
    model, x = random_model(per_row=per_row), rows().numpy()
    bits, shares = (p.detach().numpy() for p in (model.gates.bits, model.gates.shares))
    scores = x @ bits.T if per_row else np.tile(bits, (5, 1))
    logits = x @ shares.T if per_row else np.tile(shares, (5, 1))
    expected = np.zeros((5, 2, 4))
    for row, task, expert in np.ndindex(5, 2, 4):
        total = sum(math.exp(logits[row, task * 2 + s]) for s in range(2))
        for selector in range(2):
            chance = 1.0
            for bit in range(2):
                t = min(max(scores[row, (task * 2 + selector) * 2 + bit], -0.5), 0.5)
                step = -2 * t**3 + 1.5 * t + 0.5
                chance *= step if expert >> bit & 1 else 1 - step
            share = math.exp(logits[row, task * 2 + selector]) / total
            expected[row, task, expert] += share * chance
    np.testing.assert_allclose(model.gate_weights(rows()).numpy(), expected, atol=1e-12)
    mixed = torch.from_numpy(expected) @ model.experts(rows())
    torch.testing.assert_close(model(rows()), mixed)


@pytest.mark.parametrize("per_row", [False, True])
def test_the_entropy_of_undecided_selectors_is_the_highest_and_of_decided_ones_zero(
    per_row: bool,
) -> None:
    model = random_model(entropy=0.5, per_row=per_row)
    found = []
    for factor in (0.0, 1e9):
        with torch.no_grad():
            model.gates.bits.mul_(factor) if factor == 0 else model.gates.bits.add_(factor)
        model(rows().abs())
        auxiliary = model.auxiliary_loss()
        assert auxiliary is not None
        auxiliary.backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
        found.append(float(auxiliary.detach()))
    assert found == pytest.approx([0.5 * math.log(4), 0.0], abs=1e-5)


def test_descending_the_entropy_makes_selectors_decide() -> None:
    model = random_model(entropy=1.0, per_row=False)
    with torch.no_grad():
        model.gates.bits.div_(10)
    optimizer = torch.optim.SGD([model.gates.bits], lr=0.5)
    for _ in range(200):
        model(rows())
        auxiliary = model.auxiliary_loss()
        assert auxiliary is not None
        optimizer.zero_grad()
        auxiliary.backward()
        optimizer.step()
    chosen = model.gates.weights(rows())[1].max(dim=3).values
    assert chosen.min() > 0.99


@pytest.mark.parametrize("n_experts", [1, 6])
def test_a_number_of_experts_that_is_no_power_of_two_is_refused(n_experts: int) -> None:
    with pytest.raises(ValidationError, match="2, 4, 8"):
        DSelectKConfig(n_experts=n_experts)
