"""CAGrad's weights: by hand, and against every other direction of the ball."""

import pytest
import torch

from paretorank.balancing.cagrad import cagrad_weights
from tests.balancing.gradients import draw


def test_two_gradients_at_right_angles_share_what_is_added() -> None:
    weights = cagrad_weights(torch.eye(2), 0.4)
    torch.testing.assert_close(weights, torch.tensor([0.7, 0.7], dtype=torch.float64))


def test_without_a_ball_the_mean_is_descended() -> None:
    weights = cagrad_weights(torch.diag(torch.tensor([1.0, 4.0])), 0.0)
    torch.testing.assert_close(weights, torch.tensor([0.5, 0.5], dtype=torch.float64))


def test_a_ball_around_standing_still_leaves_nothing_to_descend() -> None:
    opposite = torch.tensor([[3.0], [-1.0]])  # their mean is 1, so 0 is within a radius of 1.5
    assert not cagrad_weights(opposite @ opposite.T, 1.5).any()
    assert cagrad_weights(opposite @ opposite.T, 0.5).all()


@pytest.mark.parametrize("n_tasks", [2, 3, 5])
@pytest.mark.parametrize("c", [0.2, 0.5, 0.9])
def test_no_direction_of_the_ball_helps_the_worst_task_more(n_tasks: int, c: float) -> None:
    jacobian = draw(n_tasks, n_elements=6)
    mean = jacobian.mean(dim=0)
    direction = cagrad_weights(jacobian @ jacobian.T, c) @ jacobian
    radius = float(c * mean.norm())
    assert float((direction - mean).norm()) == pytest.approx(radius, rel=1e-9)
    best = float((jacobian @ direction).min())
    generator = torch.Generator().manual_seed(1)
    for size in (1.0, 1e-1, 1e-2, 1e-3):
        steps = torch.randn(2000, 6, generator=generator, dtype=torch.float64) * size * radius
        moved = direction - mean + steps
        others = mean + moved * (radius / moved.norm(dim=1, keepdim=True)).clamp(max=1.0)
        assert float((others @ jacobian.T).min(dim=1).values.max()) <= best + 1e-9
