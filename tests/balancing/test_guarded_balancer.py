"""Extreme gradients, and solvers that fail: weights stay finite, state stays what it was."""

from typing import Any, get_args

import pytest
import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.balancing import (
    BalancerConfig,
    CRMOGMConfig,
    FairGradConfig,
    GradVacConfig,
    GuardedBalancer,
    IMTLGConfig,
    ScaledGramian,
    UPGradConfig,
)
from paretorank.balancing.gradient_balancer import GradientSection, PeriodicSection
from tests.balancing.gradients import assert_close, build, draw, seen, weights_of

WEIGHING = [
    member
    for member in get_args(get_args(BalancerConfig)[0])
    if issubclass(member, PeriodicSection) and isinstance(build(member(), 3), GuardedBalancer)
]
EXTREMES = {
    "no gradient at all": lambda j: j * 0,
    "one without gradient": lambda j: j * torch.tensor([[0.0], [1.0], [1.0]]),
    "twice the same": lambda j: j[[0, 1, 0]],
    "opposite": lambda j: torch.stack([j[0], j[1], -j[0]]),
    "all the same": lambda j: j[[0, 0, 0]],
    "long": lambda j: j * 1e6,
    "short": lambda j: j * 1e-6,
    "of all lengths": lambda j: j * torch.tensor([[1e-6], [1.0], [1e6]]),
    "twice the same in float32": lambda j: j[[0, 1, 0]].float(),
}


@pytest.mark.parametrize("member", WEIGHING, ids=lambda m: m.__name__)
@pytest.mark.parametrize("extreme", EXTREMES)
def test_weights_are_finite_whatever_the_gradients(member: Any, extreme: str) -> None:
    balancer = build(member(), 3)
    gradients = EXTREMES[extreme](draw(3))
    shown = seen(gradients)
    for _ in range(2):
        weights = balancer.weigh(shown)
        assert weights.isfinite().all()
        assert weights.shape == (3,)


@pytest.mark.parametrize("member", WEIGHING, ids=lambda m: m.__name__)
def test_one_task_alone_is_descended(member: Any) -> None:
    balancer = build(member(), 3)
    assert float(balancer.weigh(seen(draw(1), tasks=[2]))) > 0
    assert int(balancer.n_failures) == 0


@pytest.mark.parametrize("member", WEIGHING, ids=lambda m: m.__name__)
def test_a_resumed_run_goes_on_as_if_it_had_not_stopped(member: Any) -> None:
    first = build(member(), 3)
    for step in range(3):
        first(seen(draw(3, seed=step, n_elements=4)))
    second = build(member(), 3, seed=9)
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    jacobian = draw(3, seed=7, n_elements=4)
    assert torch.equal(second(seen(jacobian)), first(seen(jacobian)))


def test_float32_noise_between_equal_gradients_has_no_say() -> None:
    gradients = draw(3)[[0, 1, 0]].float()
    weights = weights_of(IMTLGConfig(), gradients)
    exact = weights_of(IMTLGConfig(), gradients.double())
    assert_close(weights.double(), exact, 1e-4)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
@pytest.mark.parametrize("config", [UPGradConfig(), GradVacConfig(), IMTLGConfig()])
def test_weights_do_not_depend_on_the_unit_of_gradients(
    config: GradientSection, scale: float
) -> None:
    assert_close(weights_of(config, draw(3) * scale), weights_of(config, draw(3)), 1e-6)


@pytest.mark.parametrize("alpha", [0.5, 1.0, 3.0])
def test_weights_of_fair_grad_solve_their_equation_at_any_scale(alpha: float) -> None:
    for scale in (1e-3, 1.0, 1e3):
        jacobian = draw(3) * scale
        weights = weights_of(FairGradConfig(alpha=alpha), jacobian)
        products = jacobian @ (weights @ jacobian)
        assert_close(products * weights ** (1 / alpha), torch.ones_like(weights), 1e-4)


class Broken(GuardedBalancer):
    """Spoils its state, and then fails in one of several ways."""

    result: Tensor | Exception = torch.tensor([])

    @override
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        self.seed += 1
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


@pytest.mark.parametrize(
    "result",
    [
        ValueError("no solution"),
        torch.linalg.LinAlgError("singular"),
        torch.tensor([torch.nan, 1.0]).double(),
        torch.tensor([1e9, 1.0]).double(),
    ],
    ids=["error", "singular", "nan", "huge"],
)
def test_a_failure_is_counted_and_gives_equal_weights(result: Tensor | Exception) -> None:
    balancer = Broken(("a", "b"))
    balancer.result = result
    assert balancer.weigh(seen(draw(2))).tolist() == [0.5, 0.5]
    assert int(balancer.n_failures) == 1
    assert int(balancer.seed) == 0


def test_an_error_that_no_solver_raises_is_not_hidden() -> None:
    balancer = Broken(("a", "b"))
    balancer.result = AttributeError("renamed")
    with pytest.raises(AttributeError, match="renamed"):
        balancer.weigh(seen(draw(2)))


def test_averaged_weights_pass_through_the_same_guard() -> None:
    balancer = build(CRMOGMConfig(of=IMTLGConfig()), 2)
    gradients = torch.stack([draw(1)[0], -draw(1)[0]])
    assert balancer.weigh(seen(gradients)).tolist() == [0.5, 0.5]
    assert int(balancer.inner.n_failures) == 1


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (GradVacConfig(every_steps=2), 1.0),
        (CRMOGMConfig(every_steps=2, of=GradVacConfig()), 1.0),
        (UPGradConfig(every_steps=2), 1 / 3),
    ],
    ids=["adds up", "averages what adds up", "a mean"],
)
def test_a_task_that_missed_all_looks_has_the_weight_of_a_task_without_conflict(
    config: Any, expected: float
) -> None:
    balancer = build(config, 3)
    gradients = torch.eye(3).double()[:2]
    found = balancer(seen(gradients, tasks=[0, 1]))
    kept = balancer.kept_weights(torch.ones(3, dtype=torch.bool))
    assert_close(kept[:2], found[:2])
    assert float(kept[2]) == pytest.approx(expected)
