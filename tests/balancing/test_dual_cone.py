"""The projection onto directions that hurt no task, beside TorchJD's."""

from typing import Any

import pytest
import torch
from torchjd.linalg import QuadprogProjector

from paretorank.balancing.dual_cone import ExactProjector
from tests.balancing.gradients import CASES, assert_close, double, draw


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_projections_of_single_gradients_have_their_pinned_weights(case: dict[str, Any]) -> None:
    jacobian = double(case["jacobian"])
    gramian = jacobian @ jacobian.T
    found = ExactProjector()(torch.eye(len(gramian), dtype=torch.float64), gramian)
    assert_close(found @ jacobian, double(case["upgrad"]["rows"]) @ jacobian)


@pytest.mark.parametrize("n_tasks", [1, 2, 3, 6])
def test_projections_are_those_of_torchjd_without_its_regularization(n_tasks: int) -> None:
    for seed in range(10):
        jacobian = draw(n_tasks, seed=seed, n_elements=8)
        gramian = jacobian @ jacobian.T
        wanted = torch.eye(n_tasks, dtype=torch.float64)
        exact = QuadprogProjector(norm_eps=0.0, reg_eps=1e-14)(wanted, gramian)
        assert_close(ExactProjector()(wanted, gramian), exact, 1e-7)


def test_what_hurts_nobody_is_not_changed() -> None:
    gramian = double([[1.0, 0.5], [0.5, 2.0]])
    assert torch.equal(ExactProjector()(double([0.3, 0.7]), gramian), double([0.3, 0.7]))


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_short_and_long_and_dependent_gradients_are_not_hurt(scale: float) -> None:
    jacobian = draw(5, n_elements=3)
    jacobian[0] *= scale
    jacobian[4] = -jacobian[3]
    gramian = jacobian @ jacobian.T
    found = ExactProjector()(torch.full((5,), 0.2, dtype=torch.float64), gramian)
    direction = found @ jacobian
    lengths = jacobian.norm(dim=1) * max(1.0, float(direction.norm()))
    assert float((jacobian @ direction / lengths).min()) >= -1e-9
