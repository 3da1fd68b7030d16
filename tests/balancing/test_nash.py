"""Nash bargaining weights: against known values and what defines them."""

import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis.extra.numpy import arrays
from torch import Tensor

from paretorank.balancing.gradient_balancer import SeenGradients
from paretorank.balancing.nash import Nash, NashConfig, min_norm_square, nash_weights

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def solve(gradients: Any) -> Tensor:
    rows = double(gradients)
    return nash_weights(rows @ rows.T)


@pytest.mark.parametrize("case", VALUES["nash"], ids=lambda case: case["name"])
def test_the_weights_are_known(case: dict[str, Any]) -> None:
    weights = solve(case["J"])
    torch.testing.assert_close(weights, double(case["alpha"]), rtol=1e-6, atol=1e-9)
    direction = weights @ double(case["J"])
    torch.testing.assert_close(direction, double(case["direction"]), rtol=1e-6, atol=1e-9)


def test_orthogonal_gradients_are_weighed_by_one_over_their_length() -> None:
    assert solve([[2.0, 0.0], [0.0, 0.1]]).tolist() == pytest.approx([0.5, 10.0])
    assert solve([[4.0]]).tolist() == pytest.approx([0.25])


@given(arrays(np.float64, (4, 5), elements=st.floats(-5, 5).map(lambda x: round(x, 2))))
def test_every_task_gains_one_over_its_weight(gradients: np.ndarray) -> None:
    gramian = double(gradients @ gradients.T)
    assume(min_norm_square(gramian) > 1e-6)
    weights = nash_weights(gramian)
    assert (weights > 0).all()
    torch.testing.assert_close(weights * (gramian @ weights), torch.ones(4).double())
    assert float(weights @ gramian @ weights) == pytest.approx(4.0)


@pytest.mark.parametrize("nearness", [1e-1, 1e-2, 1e-3, 1e-4])
def test_next_to_a_stationary_point_the_equations_still_hold(nearness: float) -> None:
    gradients = torch.randn(6, 9, generator=torch.Generator().manual_seed(0)).double()
    gradients -= gradients.mean(dim=0)
    gradients[:, 0] += nearness
    gramian = gradients @ gradients.T
    weights = nash_weights(gramian)
    torch.testing.assert_close(
        weights * (gramian @ weights), torch.ones(6).double(), rtol=1e-6, atol=0
    )


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_a_longer_gradient_gets_a_smaller_weight_by_the_same_factor(scale: float) -> None:
    gradients = double(VALUES["nash"][4]["J"])
    expected = solve(gradients)
    expected[1] /= scale
    gradients[1] *= scale
    torch.testing.assert_close(solve(gradients), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "gradients",
    [
        [[1.0, 0.0], [-2.0, 0.0]],
        [[1.0, 0.0], [0.0, 0.0]],
        [[1.0, 0.0], [-1.0, 1.0], [-1.0, -1.0]],
        [[1.0, 1e-8], [-1.0, 1e-8]],
    ],
)
def test_where_no_direction_helps_every_task_all_weights_are_zero(gradients: Any) -> None:
    assert solve(gradients).tolist() == [0.0] * len(gradients)


def test_equal_gradients_share_what_one_would_get() -> None:
    assert solve([[2.0, 0.0]] * 3).tolist() == pytest.approx([3**-0.5 / 2] * 3)


def test_what_is_not_a_gramian_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        nash_weights(double([[torch.nan, 1.0], [1.0, 1.0]]))
    with pytest.raises(ValueError, match="finite"):
        nash_weights(double([[0.0, torch.inf], [torch.inf, 1.0]]))


def test_the_direction_is_as_long_as_its_limit_or_shorter() -> None:
    gradients = double(VALUES["nash"][4]["J"])
    gramian = gradients @ gradients.T
    seen = SeenGradients(gramian, torch.ones(3).double(), torch.arange(3))
    for limit, length in ((0.5, 0.5), (1.0, 1.0), (9.0, 3**0.5)):
        weights = Nash(NashConfig(max_length=limit), ("a", "b", "c")).weigh(seen)
        assert float(weights @ gramian @ weights) == pytest.approx(length**2)
