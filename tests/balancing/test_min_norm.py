"""The shortest mix of gradients: against known values, the optimality conditions and SciPy."""

import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize
from torch import Tensor

from paretorank.balancing.min_norm import min_norm_weights

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())
ALL_SIZES = (3, 5, 8, 9, 12)  # closed form aside, both ways to solve it


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def solve(*gradients: Any) -> list[float]:
    rows = double(gradients)
    return min_norm_weights(rows @ rows.T).tolist()


def violation(gramian: Tensor, weights: Tensor) -> Tensor:
    """Return how far (M w)_k is below w^T M w, relative to the largest gradient that counts."""
    products = gramian @ weights
    square = weights @ products
    slack = (products - square) / gramian.diagonal().clamp(min=1e-300).sqrt()
    return (-slack).amax() / (weights * gramian.diagonal().sqrt()).amax().clamp(min=1e-300)


@pytest.mark.parametrize("case", VALUES["min_norm_two_task"], ids=str)
def test_two_tasks_have_the_weights_of_the_closed_form(case: dict[str, Any]) -> None:
    weights = solve(case["g1"], case["g2"])
    assert weights == pytest.approx([case["w1"], case["w2"]], abs=1e-6)


@pytest.mark.parametrize("case", VALUES["min_norm"], ids=lambda case: case["name"])
def test_the_direction_and_the_weights_where_unique_are_known(case: dict[str, Any]) -> None:
    gradients = double(case["J"])
    weights = min_norm_weights(gradients @ gradients.T)
    torch.testing.assert_close(
        weights @ gradients, double(case["direction"]), rtol=1e-6, atol=1e-10
    )
    if case["weights_unique"]:
        torch.testing.assert_close(weights, double(case["weights"]), rtol=1e-6, atol=1e-10)


def test_a_task_that_hurts_nobody_gets_exactly_nothing_not_a_thousandth() -> None:
    assert solve([1.0, 0.0], [3.0, 1.0]) == [1.0, 0.0]
    assert solve([3.0, 1.0], [1.0, 0.0]) == [0.0, 1.0]
    assert solve([1.0, 0.0, 0.0], [3.0, 1.0, 0.0], [2.0, 0.0, 1.0]) == [1.0, 0.0, 0.0]


@pytest.mark.parametrize("n_tasks", ALL_SIZES)
def test_orthogonal_gradients_are_weighed_by_one_over_their_squared_length(n_tasks: int) -> None:
    squares = torch.arange(1.0, n_tasks + 1, dtype=torch.float64)
    weights = min_norm_weights(squares.diag())
    torch.testing.assert_close(weights, (1 / squares) / (1 / squares).sum(), rtol=1e-12, atol=0)


@pytest.mark.parametrize("n_tasks", ALL_SIZES)
@pytest.mark.parametrize("rank", [2, 4, 20])
def test_the_weights_meet_the_optimality_conditions(n_tasks: int, rank: int) -> None:
    generator = torch.Generator().manual_seed(n_tasks)
    for _ in range(20):
        gradients = torch.randn(n_tasks, rank, generator=generator, dtype=torch.float64)
        gradients *= 10 ** (6 * torch.rand(n_tasks, 1, generator=generator).double() - 3)
        gramian = gradients @ gradients.T
        weights = min_norm_weights(gramian)
        assert weights.amin() >= 0
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert violation(gramian, weights) < 1e-9


@given(arrays(np.float64, (3, 4), elements=st.floats(-10, 10).map(lambda x: round(x, 3))))
def test_any_three_gradients_are_solved_whatever_their_rank(gradients: np.ndarray) -> None:
    gramian = double(gradients @ gradients.T)
    weights = min_norm_weights(gramian)
    assert weights.amin() >= 0
    assert weights.sum() == pytest.approx(1.0, abs=1e-12)
    assert violation(gramian, weights) < 1e-6


@given(arrays(np.float64, (4, 6), elements=st.floats(-3, 3).map(lambda x: round(x, 2))))
def test_no_general_solver_finds_a_shorter_mix(gradients: np.ndarray) -> None:
    gramian = gradients @ gradients.T
    weights = min_norm_weights(double(gramian)).numpy()
    other = minimize(
        lambda w: w @ gramian @ w,
        np.full(4, 0.25),
        jac=lambda w: 2 * gramian @ w,
        bounds=[(0, 1)] * 4,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1, "jac": np.ones_like},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    assert weights @ gramian @ weights <= other.fun + 1e-9 * np.trace(gramian)


@pytest.mark.parametrize("n_tasks", ALL_SIZES)
def test_the_order_of_the_tasks_does_not_matter(n_tasks: int) -> None:
    generator = torch.Generator().manual_seed(0)
    gradients = torch.randn(n_tasks, n_tasks, generator=generator, dtype=torch.float64)
    order = torch.randperm(n_tasks, generator=generator)
    straight = min_norm_weights(gradients @ gradients.T)
    shuffled = min_norm_weights(gradients[order] @ gradients[order].T)
    torch.testing.assert_close(shuffled, straight[order], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("n_tasks", [2, *ALL_SIZES])
def test_a_scale_common_to_all_gradients_changes_nothing(n_tasks: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(1)
    gradients = torch.randn(n_tasks, 16, generator=generator, dtype=torch.float64)
    gramian = gradients @ gradients.T
    torch.testing.assert_close(
        min_norm_weights(scale**2 * gramian), min_norm_weights(gramian), rtol=1e-6, atol=1e-9
    )


def test_very_different_lengths_are_told_apart() -> None:
    """Orthogonal to a short gradient, a long one gets the square of the ratio of their lengths."""
    weights = solve([1e-6, 0.0, 0.0], [0.0, 1e6, 0.0], [0.0, 0.0, 1.0])
    assert weights == pytest.approx([1.0, 1e-24, 1e-12], rel=1e-6)


def test_tasks_that_cannot_be_told_apart_share_equally() -> None:
    assert solve([2.0, 1.0], [2.0, 1.0]) == [0.5, 0.5]
    assert solve([1.0, 0.0], [1.0, 0.0], [0.0, 1.0]) == pytest.approx([0.25, 0.25, 0.5])
    many = solve(*[[1.0, 0.0]] * 9, [0.0, 1.0])
    assert many == pytest.approx([1 / 18] * 9 + [0.5])


@pytest.mark.parametrize("n_tasks", [2, *ALL_SIZES])
def test_zero_gradients_share_all_the_weight(n_tasks: int) -> None:
    gramian = torch.ones(n_tasks, n_tasks, dtype=torch.float64)
    gramian[0] = gramian[:, 0] = 0.0
    assert min_norm_weights(gramian).tolist() == [1.0] + [0.0] * (n_tasks - 1)
    everything = min_norm_weights(torch.zeros(n_tasks, n_tasks))
    assert everything.tolist() == pytest.approx([1 / n_tasks] * n_tasks)


def test_opposite_gradients_cancel() -> None:
    assert solve([1.0, 0.0], [-3.0, 0.0]) == pytest.approx([0.75, 0.25])
    weights = solve([1.0, 1e-7, 0.0], [-1.0, 1e-7, 0.0], [0.0, 1.0, 1.0])
    assert weights == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)


def test_one_task_gets_everything() -> None:
    assert min_norm_weights(torch.tensor([[4.0]])).tolist() == [1.0]


@pytest.mark.parametrize("n_tasks", [1, 2, 4, 9])
def test_every_gramian_of_a_batch_is_solved_on_its_own(n_tasks: int) -> None:
    generator = torch.Generator().manual_seed(2)
    gradients = torch.randn(2, 3, n_tasks, 5, generator=generator, dtype=torch.float64)
    gramians = gradients @ gradients.mT
    weights = min_norm_weights(gramians)
    assert weights.shape == (2, 3, n_tasks)
    for i in range(2):
        for j in range(3):
            alone = min_norm_weights(gramians[i, j])
            torch.testing.assert_close(weights[i, j], alone, rtol=1e-9, atol=1e-12)
    assert min_norm_weights(gramians[:0]).shape == (0, 3, n_tasks)


def test_many_gramians_are_solved_in_parts() -> None:
    gramians = torch.eye(8, dtype=torch.float64).expand(300, 8, 8)
    assert torch.equal(min_norm_weights(gramians), torch.full((300, 8), 0.125).double())


def test_half_precision_is_solved_in_double() -> None:
    weights = min_norm_weights(torch.tensor([[1.0, 0.0], [0.0, 3.0]], dtype=torch.float16))
    assert weights.dtype == torch.float64
    assert weights.tolist() == [0.75, 0.25]


def test_no_tasks_and_infinite_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        min_norm_weights(torch.tensor([[1.0, torch.nan], [torch.nan, 1.0]]))
    with pytest.raises(ValueError, match="at least one task"):
        min_norm_weights(torch.zeros(0, 0))
