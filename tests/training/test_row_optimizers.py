"""Optimizers of tables against plain loops and against torch."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from paretorank.training.row_optimizers import RowAdagrad, RowAdam, summed_rows

N_ROWS, DIM = 6, 3


def table() -> nn.Parameter:
    generator = torch.Generator().manual_seed(0)
    return nn.Parameter(torch.randn(N_ROWS, DIM, generator=generator, dtype=torch.float64))


def sparse(rows: list[int], values: Tensor) -> Tensor:
    return torch.sparse_coo_tensor(
        torch.tensor([rows]), values, (N_ROWS, DIM), check_invariants=True
    )


def steps(n: int, *, n_looked_up: int = 4) -> list[tuple[list[int], Tensor]]:
    """Return rows and gradients of some steps; rows repeat within a step."""
    generator = torch.Generator().manual_seed(7)
    return [
        (
            torch.randint(N_ROWS - 1, (n_looked_up,), generator=generator).tolist(),
            torch.randn(n_looked_up, DIM, generator=generator, dtype=torch.float64),
        )
        for _ in range(n)
    ]


def summed(rows: list[int], values: Tensor) -> dict[int, np.ndarray]:
    sums: dict[int, np.ndarray] = {}
    for row, value in zip(rows, values.numpy(), strict=True):
        sums[row] = sums.get(row, 0.0) + value
    return sums


def test_adagrad_takes_one_step_as_by_hand() -> None:
    weight = nn.Parameter(torch.tensor([[1.0, 2.0], [5.0, 5.0]], dtype=torch.float64))
    weight.grad = torch.sparse_coo_tensor(
        [[0]], torch.tensor([[3.0, 1.0]]).double(), (2, 2), check_invariants=True
    )
    RowAdagrad([weight], lr=0.1, eps=0.0).step()
    root = math.sqrt((9 + 1) / 2)  # the mean over the row, one accumulator
    expected = torch.tensor([[1.0 - 0.3 / root, 2.0 - 0.1 / root], [5.0, 5.0]]).double()
    torch.testing.assert_close(weight.detach(), expected)


def test_adagrad_equals_a_loop_over_rows() -> None:
    weight, expected, total = table(), table().detach().numpy(), np.zeros(N_ROWS)
    optimizer = RowAdagrad([weight], lr=0.05)
    for rows, values in steps(12):
        weight.grad = sparse(rows, values)
        optimizer.step()
        for row, gradient in summed(rows, values).items():
            total[row] += np.mean(gradient**2)
            expected[row] -= 0.05 * gradient / (np.sqrt(total[row]) + 1e-8)
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-10)


def test_adam_equals_a_loop_over_rows() -> None:
    weight, expected = table(), table().detach().numpy()
    mean, square = np.zeros((N_ROWS, DIM)), np.zeros((N_ROWS, DIM))
    optimizer = RowAdam([weight], lr=0.05)
    for t, (rows, values) in enumerate(steps(12), start=1):
        weight.grad = sparse(rows, values)
        optimizer.step()
        for row, gradient in summed(rows, values).items():
            mean[row] = 0.9 * mean[row] + 0.1 * gradient
            square[row] = 0.999 * square[row] + 0.001 * gradient**2
            unbiased = np.sqrt(square[row] / (1 - 0.999**t))
            expected[row] -= 0.05 * mean[row] / (1 - 0.9**t) / (unbiased + 1e-8)
    np.testing.assert_allclose(weight.detach().numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_adam_equals_that_of_torch_when_every_step_touches_every_row(scale: float) -> None:
    ours, theirs = table(), table()
    row_adam, adam = RowAdam([ours], lr=0.01), torch.optim.Adam([theirs], lr=0.01)
    generator = torch.Generator().manual_seed(3)
    for _ in range(20):
        order = torch.randperm(N_ROWS, generator=generator)
        gradient = scale * torch.randn(N_ROWS, DIM, generator=generator, dtype=torch.float64)
        ours.grad = sparse(order.tolist(), gradient[order])
        theirs.grad = gradient
        row_adam.step()
        adam.step()
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("optimizer", [RowAdagrad, RowAdam])
def test_a_row_that_is_not_looked_up_never_moves(
    optimizer: type[RowAdagrad] | type[RowAdam],
) -> None:
    weight, before = table(), table()
    stepper = optimizer([weight], lr=0.5)
    weight.grad = sparse([0, 1], torch.ones(2, DIM).double())
    stepper.step()
    after_one = weight.detach().clone()
    for _ in range(3):
        weight.grad = sparse([1], torch.ones(1, DIM).double())
        stepper.step()
    assert torch.equal(weight[2:], before[2:])
    assert torch.equal(weight[0], after_one[0])  # not even by the momentum of its first step
    assert not torch.equal(weight[1], after_one[1])


def test_gradients_of_a_row_that_repeats_in_a_batch_are_summed_once() -> None:
    weight = table()
    weight.grad = sparse([4, 1, 4, 4], torch.arange(12).reshape(4, 3).double())
    rows, gradient = summed_rows(weight)
    assert rows.tolist() == [1, 4]
    assert gradient.tolist() == [[3, 4, 5], [15, 18, 21]]


def test_a_dense_gradient_is_refused() -> None:
    weight = table()
    weight.grad = torch.ones(N_ROWS, DIM).double()
    with pytest.raises(ValueError, match="sparse gradient"):
        RowAdam([weight], lr=0.1).step()


@pytest.mark.parametrize("optimizer", [RowAdagrad, RowAdam])
def test_a_table_without_gradient_is_left_alone(
    optimizer: type[RowAdagrad] | type[RowAdam],
) -> None:
    weight = table()
    optimizer([weight], lr=0.1).step()
    assert torch.equal(weight, table())


@pytest.mark.parametrize("optimizer", [RowAdagrad, RowAdam])
def test_a_step_makes_nothing_of_the_size_of_the_table(
    optimizer: type[RowAdagrad] | type[RowAdam],
) -> None:
    n_rows = 200_000
    weight = nn.Parameter(torch.zeros(n_rows, 8))
    stepper, largest = optimizer([weight], lr=0.1), []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            del types
            result = func(*args, **(kwargs or {}))
            in_place = func._schema.is_mutable
            if isinstance(result, Tensor) and not in_place and not result.is_sparse:
                largest.append(result.numel())
            return result

    for _ in range(2):  # the first step makes the state
        weight.grad = torch.sparse_coo_tensor(
            [[5, 9]], torch.ones(2, 8), (n_rows, 8), check_invariants=True
        )
        largest.clear()
        with Watch():
            stepper.step()
    assert max(largest) <= 2 * 2 * 8  # two rows of two moments
