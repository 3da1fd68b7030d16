"""Limits on losses: where descent ends, and what the multipliers do on the way."""

import pytest
import torch
from torch import Tensor

from paretorank.balancing.constrained import Constrained, ConstrainedConfig
from paretorank.foundation.errors import ConfigError

NAMES = ("click", "like", "dwell")
MINIMA = torch.tensor([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0]], dtype=torch.float64)


def bowls(point: Tensor) -> Tensor:
    return 0.5 * (point - MINIMA).square().sum(dim=1)


def descend(balancer: Constrained, *, noise: float = 0.0, steps: int = 500) -> Tensor:
    point = torch.zeros(2, dtype=torch.float64, requires_grad=True)
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        losses = bowls(point) * (1 + noise * torch.randn(3, generator=generator).double())
        (gradient,) = torch.autograd.grad(balancer(losses), point)
        point = (point.detach() - 0.1 * gradient).requires_grad_()
    return point.detach()


def limited(names: tuple[str, ...] = NAMES, **settings: object) -> Constrained:
    config = ConstrainedConfig.model_validate({"learning_rate": 0.1, "window_steps": 2, **settings})
    return Constrained(config, names).double()


def test_descent_ends_at_the_optimum_under_a_limit_that_binds() -> None:
    """Click and dwell want (0, 1/2); like <= 0.5 means within 1 of (2, 0)."""
    balancer = limited(at_most={"like": 0.5})
    point = descend(balancer)
    free_optimum, center = torch.tensor([0.0, 0.5]).double(), MINIMA[1]
    outwards = (free_optimum - center) / (free_optimum - center).norm()
    torch.testing.assert_close(point, center + outwards, rtol=0.01, atol=0.005)
    multiplier = 2 * (17**0.5 / 2 - 1)  # 2 |p - free optimum| = multiplier |p - center|
    assert float(balancer.multipliers[1]) == pytest.approx(multiplier, rel=0.01)


def test_two_limits_and_weights_are_kept_at_once() -> None:
    """Within 1.5 of (2, 0) and within 0.6 of (0, 1): where click is least, both bind."""
    balancer = limited(at_most={"like": 1.125, "dwell": 0.405}, weights={"click": 2.0})
    losses = bowls(descend(balancer, steps=800))
    assert losses[1:].tolist() == pytest.approx([1.125, 0.405], rel=0.01)
    assert (balancer.multipliers[1:] > 0).all()


def test_a_limit_that_does_not_bind_costs_nothing() -> None:
    balancer = limited(at_most={"like": 4.0})
    torch.testing.assert_close(
        descend(balancer), torch.tensor([0.0, 0.5]).double(), atol=1e-6, rtol=0
    )
    assert balancer.multipliers.tolist() == [0.0, 0.0, 0.0]


def test_noise_moves_the_end_by_little() -> None:
    losses = bowls(descend(limited(at_most={"like": 0.5}), noise=0.1))
    assert float(losses[1]) == pytest.approx(0.5, rel=0.1)


def test_a_limit_that_cannot_be_met_takes_the_largest_multiplier_and_no_more() -> None:
    balancer = limited(at_most={"like": -1.0}, max_multiplier=3.0)
    point = descend(balancer)
    assert balancer.weights().tolist() == [1.0, 3.0, 1.0]
    torch.testing.assert_close(point, torch.tensor([6.0, 1.0]).double() / 5, atol=1e-6, rtol=0)


def test_one_step_by_hand() -> None:
    """The loss is 1.5 times its limit, so it is violated by a half."""
    balancer = limited(at_most={"like": 0.4}, damping=2.0, learning_rate=0.1)
    assert balancer.weights().tolist() == [1.0, 1.0, 1.0]
    balancer(torch.tensor([1.0, 0.6, 1.0]).double())
    assert balancer.multipliers.tolist() == pytest.approx([0.0, 1.05, 0.0])
    assert balancer.weights().tolist() == pytest.approx([1.0, 2.05, 1.0])


def test_means_follow_the_losses_of_a_window() -> None:
    balancer = limited(at_most={"like": 0.4}, window_steps=4)
    for loss in (0.8, 0.4):
        balancer(torch.tensor([1.0, loss, 1.0]).double())
    assert float(balancer.means[1]) == pytest.approx(0.7)


def test_an_absent_task_leaves_no_trace() -> None:
    balancer = limited(at_most={"like": 0.4})
    balancer(torch.tensor([1.0, 0.6, 1.0]).double())
    before = {name: value.clone() for name, value in balancer.state_dict().items()}
    balancer(torch.tensor([1.0, torch.nan, 1.0]).double())
    for name, value in balancer.state_dict().items():
        assert value[1] == before[name][1], name


def test_a_limit_for_every_task_or_for_none_that_exists_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"balancer\.at_most.*without a limit"):
        limited(("a", "b"), at_most={"a": 0.1, "b": 0.2})
    with pytest.raises(ConfigError, match=r"balancer\.at_most.*'likes'"):
        limited(at_most={"likes": 0.1})
    with pytest.raises(ConfigError, match=r"balancer\.weights.*'like', which has a limit"):
        limited(at_most={"like": 0.1}, weights={"like": 2.0})
