"""Rows whose shared columns stand once per group, and their linear map."""

import pytest
import torch
from torch import Tensor

from paretorank.blocks import GroupedRows, Groups, linear, whole_rows

N_ROWS, N_OWN, N_SHARED, WIDTH = 7, 2, 3, 4
GROUPINGS = {
    "some": [0, 1, 0, 2, 1, 1, 2],
    "alone": list(range(N_ROWS)),
    "together": [0] * N_ROWS,
}
each_grouping = pytest.mark.parametrize("of_row", GROUPINGS.values(), ids=GROUPINGS)
with_and_without_bias = pytest.mark.parametrize("has_bias", [True, False])


def groups(of_row: list[int]) -> Groups:
    group = torch.tensor(of_row)
    sizes = group.bincount()
    return Groups(group, group.argsort(stable=True), sizes.cumsum(0) - sizes)


def draw(*shape: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


def grouped(of_row: list[int], own: Tensor, shared: Tensor) -> GroupedRows:
    # own columns stand at 3 and 0 of the whole matrix, shared ones at 4, 1 and 2
    return GroupedRows(own, shared, groups(of_row), torch.tensor([3, 0, 4, 1, 2]))


def parts(of_row: list[int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return own and shared columns, weight and bias."""
    return (
        draw(N_ROWS, N_OWN, seed=1),
        draw(max(of_row) + 1, N_SHARED, seed=2),
        draw(WIDTH, N_OWN + N_SHARED, seed=3),
        draw(WIDTH, seed=4),
    )


def test_the_whole_matrix_has_every_column_in_its_place() -> None:
    own, shared = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[10.0, 20.0], [30.0, 40.0]])
    x = GroupedRows(own, shared, groups([1, 0, 1]), torch.tensor([1, 2, 0]))
    assert x.whole().tolist() == [[40, 1, 30], [20, 2, 10], [40, 3, 30]]
    assert torch.equal(whole_rows(x), x.whole())
    assert whole_rows(own) is own
    assert len(x) == 3


def test_totals_are_sums_over_the_rows_of_each_group() -> None:
    values = torch.tensor([[1.0], [10.0], [100.0], [1000.0]])
    some = groups([1, 0, 1, 0])
    assert some.total(values).tolist() == [[1010], [101]]


@each_grouping
@with_and_without_bias
def test_value_and_gradients_are_those_of_the_whole_matrix(
    of_row: list[int], has_bias: bool
) -> None:
    once, twice = parts(of_row), parts(of_row)
    results = []
    for (own, shared, weight, bias), as_matrix in ((once, False), (twice, True)):
        x = grouped(of_row, own, shared)
        rows = x.whole() if as_matrix else x
        result = linear(rows, weight, bias if has_bias else None)
        result.pow(3).sum().backward()
        results.append(result)
    torch.testing.assert_close(results[0], results[1])
    for one, two in zip(once[: 3 + has_bias], twice, strict=False):
        assert one.grad is not None
        torch.testing.assert_close(one.grad, two.grad)
    assert (once[3].grad is not None) == has_bias


@each_grouping
@with_and_without_bias
def test_gradients_agree_with_finite_differences(of_row: list[int], has_bias: bool) -> None:
    def apply(own: Tensor, shared: Tensor, weight: Tensor, *bias: Tensor) -> Tensor:
        return linear(grouped(of_row, own, shared), weight, *bias)

    assert torch.autograd.gradcheck(apply, parts(of_row)[: 3 + has_bias])


@pytest.mark.parametrize(("n_own", "n_shared"), [(0, 3), (2, 0)])
def test_one_of_the_two_parts_may_be_empty(n_own: int, n_shared: int) -> None:
    own, shared = draw(3, n_own, seed=1), draw(2, n_shared, seed=2)
    x = GroupedRows(own, shared, groups([0, 1, 0]), torch.arange(n_own + n_shared))
    weight = draw(WIDTH, n_own + n_shared, seed=3)
    result = linear(x, weight)
    torch.testing.assert_close(result, linear(x.whole(), weight))
    result.sum().backward()
    assert weight.grad is not None
    torch.testing.assert_close(weight.grad, x.whole().sum(0).expand(WIDTH, -1))
