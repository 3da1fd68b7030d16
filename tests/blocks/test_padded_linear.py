"""A linear layer whose rows are further apart than they are long."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from paretorank.blocks.padded_linear import padded_linear


def inputs() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((5, 3), (4, 3), (4,))
    x, weight, bias = (
        torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_()
        for shape in shapes
    )
    return x, weight, bias


def test_values_and_gradients_are_those_of_the_plain_layer() -> None:
    given = inputs()
    ours, theirs = padded_linear(*given), F.linear(*given)
    torch.testing.assert_close(ours, theirs)
    mine = torch.autograd.grad(ours.square().sum(), given)
    wanted = torch.autograd.grad(theirs.square().sum(), given)
    for one, other in zip(mine, wanted, strict=True):
        torch.testing.assert_close(one, other)


def test_the_rows_of_1024_columns_do_not_start_a_power_of_two_apart() -> None:
    rows = padded_linear(torch.ones(2, 1), torch.ones(1024, 1), torch.zeros(1024))
    assert rows.stride() == (1024 + 16, 1)


@pytest.mark.parametrize("wanted", [(0,), (1, 2), (1,)])
def test_a_pass_that_asks_for_less_gives_the_same(wanted: tuple[int, ...]) -> None:
    given = inputs()
    total = padded_linear(*given).square().sum()
    whole = torch.autograd.grad(total, given, retain_graph=True)
    for at, part in zip(
        wanted, torch.autograd.grad(total, [given[at] for at in wanted]), strict=True
    ):
        assert torch.equal(part, whole[at])
