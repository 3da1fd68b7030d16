"""ReLU layers whose backward pass is derived by hand."""

import itertools
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from paretorank.blocks.relu_stack import relu_stack, row_gradient


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


class Products(TorchDispatchMode):
    """Counts the matrix products that are made inside the block."""

    n = 0

    @override
    def __torch_dispatch__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self.n += func in {torch.ops.aten.bmm.default, torch.ops.aten.mm.out}
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize(
    ("wants_rows", "wants_layers", "n_products"),
    [(True, True, 2 + 1 + 3), (True, False, 1 + 3), (False, True, 2 + 1)],
)
def test_gradients_that_nobody_asked_for_are_not_computed(
    *, wants_rows: bool, wants_layers: bool, n_products: int
) -> None:
    """Two layers: a product for each one's weights, one and three (by expert) for what is below."""
    weights, biases = layers((4, 3, 2))
    x = pre_activation(4).requires_grad_()
    total = relu_stack(x * 1.0, weights, biases, 3).square().sum()
    everything = [x, *weights, *biases]
    whole = torch.autograd.grad(total, everything, retain_graph=True)
    wanted = [x] * wants_rows + [*weights, *biases] * wants_layers
    with Products() as products:
        torch.autograd.backward(total, inputs=wanted)
    assert products.n == n_products
    for leaf, gradient in zip(everything, whole, strict=True):
        if any(leaf is each for each in wanted):
            assert leaf.grad is not None
            assert torch.equal(leaf.grad, gradient)
        else:
            assert leaf.grad is None


def test_gradients_of_single_layers_are_those_of_all() -> None:
    weights, biases = layers((4, 3, 2))
    total = relu_stack(pre_activation(4), weights, biases, 3).square().sum()
    leaves = [*weights, *biases]
    whole = torch.autograd.grad(total, leaves, retain_graph=True)
    for leaf, gradient in zip(leaves, whole, strict=True):
        (alone,) = torch.autograd.grad(total, leaf, retain_graph=True)
        assert torch.equal(alone, gradient)


def test_a_gradient_of_the_rows_that_is_known_takes_no_product() -> None:
    weights, biases = layers((4, 3, 2))
    x, first = pre_activation(4), torch.ones(12, dtype=torch.float64).requires_grad_()
    made = relu_stack(x * first, weights, biases, 3).transpose(0, 1)
    place = row_gradient(made, [first])
    assert place is not None
    parts = made.sum(), made.square().sum()
    known = [torch.autograd.grad(part, place.edge, retain_graph=True)[0] for part in parts]
    total = 0.5 * parts[0] + 2.0 * parts[1]
    (expected,) = torch.autograd.grad(total, first, retain_graph=True)
    place.will_be(0.5 * known[0] + 2.0 * known[1])
    with Products() as products:
        (found,) = torch.autograd.grad(total, first, retain_graph=True)
    assert products.n == 0
    torch.testing.assert_close(found, expected)


def test_layers_get_their_gradient_although_that_of_the_rows_is_known() -> None:
    weights, biases = layers((4, 2))
    first = torch.ones(12, dtype=torch.float64).requires_grad_()
    total = relu_stack(pre_activation(4) * first, weights, biases, 3).sum()
    whole = torch.autograd.grad(total, [first, *weights], retain_graph=True)
    place = row_gradient(total, [first])
    assert place is not None
    place.will_be(torch.zeros(5, 12, dtype=torch.float64))
    for one, other in zip(torch.autograd.grad(total, [first, *weights]), whole, strict=True):
        assert torch.equal(one, other)


def test_there_is_no_place_where_passes_to_the_parameters_do_not_come_by() -> None:
    weights, biases = layers((4, 2))
    first = torch.ones(12, dtype=torch.float64).requires_grad_()
    made = relu_stack(pre_activation(4) * first, weights, biases, 3)
    assert row_gradient(made, weights) is None
    assert row_gradient(made + first.sum(), [first]) is None
    assert row_gradient(first, [first]) is None
