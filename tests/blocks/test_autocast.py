"""Hand-written backward passes under automatic mixed precision."""

import pytest
import torch
from torch import Tensor

from paretorank.blocks.autocast import autocast_inputs
from paretorank.blocks.gates import mix_experts
from paretorank.blocks.grouped_rows import GroupedRows, Groups, linear
from paretorank.blocks.padded_linear import padded_linear
from paretorank.blocks.relu_stack import relu_stack


def drawn(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator).requires_grad_()


def mixed() -> tuple[Tensor, list[Tensor]]:
    weights, experts = drawn(6, 3, 4), drawn(6, 4, 5)
    return mix_experts(weights, experts), [weights, experts]


def stacked() -> tuple[Tensor, list[Tensor]]:
    x, first, weight, bias = drawn(6, 3), drawn(8, 3), drawn(2, 4, 5), drawn(2, 1, 5)
    return relu_stack(x @ first.T, [weight], [bias], 2), [x, first, weight, bias]


def grouped() -> tuple[Tensor, list[Tensor]]:
    own, shared, weight, bias = drawn(4, 2), drawn(2, 3), drawn(6, 5), drawn(6)
    of_row = torch.tensor([0, 0, 1, 1])
    groups = Groups(of_row, torch.arange(4), torch.tensor([0, 2]))
    x = GroupedRows(own, shared, groups, torch.arange(5))
    return linear(x, weight, bias), [own, shared, weight, bias]


def padded() -> tuple[Tensor, list[Tensor]]:
    x, weight, bias = drawn(6, 3), drawn(8, 3), drawn(8)
    return padded_linear(x, weight, bias), [x, weight, bias]


@pytest.mark.parametrize("made", [mixed, stacked, grouped, padded])
def test_values_and_gradients_are_near_those_of_full_precision(made: object) -> None:
    def run(enabled: bool) -> tuple[Tensor, list[Tensor]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            value, inputs = made()  # type: ignore[operator]
        return value, list(torch.autograd.grad(value.float().square().sum(), inputs))

    low, low_grads = run(enabled=True)
    full, full_grads = run(enabled=False)
    assert low.dtype == torch.bfloat16
    assert full.dtype == torch.float32
    for found, expected in zip([low, *low_grads], [full, *full_grads], strict=True):
        error = (found.float() - expected).norm() / expected.norm()
        assert error < 0.03
    assert all(grad.dtype == torch.float32 for grad in low_grads)


def test_inputs_stay_as_they_are_without_autocast() -> None:
    given = drawn(2)
    assert autocast_inputs(given)[0] is given
