"""ReLU layers whose backward pass is derived by hand."""

import itertools

import pytest
import torch
from torch import Tensor

from paretorank.blocks.relu_stack import relu_stack


def layers(dims: tuple[int, ...]) -> tuple[list[Tensor], list[Tensor]]:
    generator = torch.Generator().manual_seed(0)
    weights = [
        torch.randn(3, d, h, generator=generator, dtype=torch.float64).requires_grad_()
        for d, h in itertools.pairwise(dims)
    ]
    biases = [
        torch.randn(3, 1, h, generator=generator, dtype=torch.float64).requires_grad_()
        for h in dims[1:]
    ]
    return weights, biases


def pre_activation(width: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 3 * width, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("dims", [(4, 2), (4, 3, 2), (2, 2, 2, 2)])
def test_values_and_gradients_are_those_of_autograd(dims: tuple[int, ...]) -> None:
    weights, biases = layers(dims)
    x = pre_activation(dims[0]).requires_grad_()
    ours = relu_stack(x * 1.0, weights, biases, 3)
    h = x.relu().view(5, 3, -1).transpose(0, 1)
    for weight, bias in zip(weights, biases, strict=True):
        h = torch.baddbmm(bias, h, weight).relu()
    torch.testing.assert_close(ours, h)
    outer = torch.randn(h.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    wanted = [x, *weights, *biases]
    mine = torch.autograd.grad((ours * outer).sum(), wanted)
    theirs = torch.autograd.grad((h * outer).sum(), wanted)
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other)


def test_the_gradient_that_comes_in_is_left_as_it_is() -> None:
    weights, biases = layers((4, 2))
    ours = relu_stack(pre_activation(4), weights, biases, 3)
    incoming = torch.ones_like(ours)
    ours.backward(incoming)
    assert torch.equal(incoming, torch.ones_like(ours))
