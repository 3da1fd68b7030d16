"""The shortest mix of gradients with a least share per task, as PE-LTR asks for."""

import json
from pathlib import Path
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis.extra.numpy import arrays
from torch import Tensor

from paretorank.balancing.bounded_min_norm import Solver, bounded_min_norm_weights
from paretorank.balancing.min_norm import min_norm_weights
from paretorank.foundation.errors import ConfigError

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())
SOLVERS: tuple[Solver, ...] = ("exact", "two_step")


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def solve(gradients: Any, bounds: Any, solver: Solver = "exact") -> Tensor:
    rows = double(gradients)
    return bounded_min_norm_weights(rows @ rows.mT, double(bounds), solver=solver)


@pytest.mark.parametrize("case", VALUES["pe_ltr"], ids=lambda case: case["name"])
def test_the_weights_of_both_solvers_are_known(case: dict[str, Any]) -> None:
    gradients = double(case["J"])
    exact = solve(gradients, case["c"])
    torch.testing.assert_close(exact, double(case["exact_qp_w"]), rtol=1e-6, atol=1e-9)
    assert float((exact @ gradients).square().sum()) == pytest.approx(case["exact_obj"], rel=1e-6)
    two_step = solve(gradients, case["c"], "two_step")
    torch.testing.assert_close(two_step, double(case["two_step_w"]), rtol=1e-6, atol=1e-9)


def test_the_exact_solver_is_five_times_better_on_a_known_case() -> None:
    (case,) = [c for c in VALUES["pe_ltr"] if c["name"] == "K3_two_step_suboptimal"]
    gradients = double(case["J"])
    squares = {s: (solve(gradients, case["c"], s) @ gradients).square().sum() for s in SOLVERS}
    assert squares["two_step"] > 5 * squares["exact"]


@given(
    arrays(np.float64, (3, 4), elements=st.floats(-5, 5).map(lambda x: round(x, 2))),
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=3, max_size=3),
)
def test_both_keep_the_bounds_and_exact_is_never_longer(
    gradients: np.ndarray, bounds: list[float]
) -> None:
    rows, squares = double(gradients), {}
    for solver in SOLVERS:
        weights = solve(rows, bounds, solver)
        assert (weights >= double(bounds) - 1e-12).all()
        assert weights.sum() == pytest.approx(1.0, abs=1e-9)
        squares[solver] = float((weights @ rows).square().sum())
    assert squares["exact"] <= squares["two_step"] + 1e-9 * (1 + float(rows.square().sum()))


@given(
    arrays(np.float64, (2, 3), elements=st.floats(-5, 5).map(lambda x: round(x, 2))),
    st.lists(st.sampled_from([0.0, 0.1, 0.2, 0.3]), min_size=2, max_size=2),
)
def test_both_find_equally_short_mixes_of_two_tasks(
    gradients: np.ndarray, bounds: list[float]
) -> None:
    rows = double(gradients)
    squares = [float((solve(rows, bounds, s) @ rows).square().sum()) for s in SOLVERS]
    assert squares[0] == pytest.approx(squares[1], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_bounds_that_sum_to_one_are_the_weights(solver: Solver) -> None:
    bounds = [0.1, 0.2, 0.7]
    assert solve(np.eye(3), bounds, solver).tolist() == pytest.approx(bounds, abs=1e-15)


def test_without_bounds_the_exact_solver_is_min_norm() -> None:
    gradients = torch.randn(4, 6, generator=torch.Generator().manual_seed(0)).double()
    expected = min_norm_weights(gradients @ gradients.T)
    torch.testing.assert_close(solve(gradients, [0.0] * 4), expected)


@pytest.mark.parametrize("solver", SOLVERS)
def test_equal_and_zero_gradients_and_one_task_are_no_problem(solver: Solver) -> None:
    same = solve([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0]], [0.0, 0.0, 0.4], solver)
    assert same[0] == pytest.approx(float(same[1]))
    assert same.sum() == pytest.approx(1.0)
    assert solve(np.zeros((2, 3)), [0.0, 0.0], solver).tolist() == pytest.approx([0.5, 0.5])
    zero = solve([[0.0, 0.0], [1.0, 0.0]], [0.0, 0.25], solver)
    assert zero.tolist() == pytest.approx([0.75, 0.25])
    assert solve([[3.0]], [0.2], solver).tolist() == pytest.approx([1.0])


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_scale_common_to_all_gradients_changes_nothing(solver: Solver, scale: float) -> None:
    case = VALUES["pe_ltr"][-1]
    expected = solve(case["J"], case["c"], solver)
    scaled = solve(scale * double(case["J"]), case["c"], solver)
    torch.testing.assert_close(scaled, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_gramian_of_a_batch_is_solved_on_its_own(solver: Solver) -> None:
    gradients = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(0)).double()
    bounds = [0.1, 0.2, 0.0, 0.05]
    weights = solve(gradients, bounds, solver)
    assert weights.shape == (2, 3, 4)
    torch.testing.assert_close(weights[1, 2], solve(gradients[1, 2], bounds, solver))


@pytest.mark.parametrize("run", VALUES["pe_ltr_front"], ids=lambda run: str(run["c"]))
def test_descent_ends_where_the_bounds_allow_on_the_front_of_two_bowls(run: dict[str, Any]) -> None:
    """Losses |p|^2 / 2 and |p - (1, 0)|^2 / 2: the front is the line from (0, 0) to (1, 0)."""
    point, minima = double(run["theta0"]), double([[0.0, 0.0], [1.0, 0.0]])
    for _ in range(250):  # each step leaves 0.9 of the distance
        gradients = point - minima
        point = point - run["lr"] * solve(gradients, run["c"]) @ gradients
    torch.testing.assert_close(point, double(run["theta_final"]), rtol=1e-6, atol=1e-8)
    low, high = run["allowed_s_interval"]
    assert low - 1e-6 <= point[0] <= high + 1e-6


@pytest.mark.parametrize("bounds", [[0.6, 0.5], [-0.1, 0.5]])
def test_impossible_bounds_are_refused(bounds: list[float]) -> None:
    with pytest.raises(ConfigError, match=r"balancer\.bounds.*at most 1, got"):
        solve(np.eye(2), bounds)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("bounds", [[0.1, 0.2], [0.5, 0.5]])
def test_a_gramian_that_is_not_finite_is_refused(solver: Solver, bounds: list[float]) -> None:
    with pytest.raises(ValueError, match="finite"):
        solve([[1.0, float("nan")], [1.0, 0.0]], bounds, solver)
