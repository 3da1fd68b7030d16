"""TorchJD's weightings with a memory: pinned values, TorchJD itself, absent tasks."""

from typing import Any

import pytest
import torch
from torchjd import aggregation
from torchjd.aggregation import Weighting

from paretorank.balancing import (
    GradVacConfig,
    MoDoConfig,
    NashMTLConicConfig,
    PCDConfig,
    SDMGradConfig,
)
from paretorank.balancing.gradient_balancer import GradientSection
from paretorank.foundation.errors import ConfigError
from tests.balancing.gradients import CASES, assert_close, build, double, draw, seen


def ranks(order: list[int], task: int, n_tasks: int) -> torch.Tensor:
    others = [other for other in range(n_tasks) if other != task]
    return torch.tensor([others.index(other) for other in order])


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_grad_vac_has_its_pinned_sums_and_targets(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned, first = case["grad_vac"], double(case["jacobian"])
    visits = [ranks(order, i, len(first)) for i, order in enumerate(pinned["visit_orders"])]
    orders = iter(visits * 2)
    monkeypatch.setattr(torch, "randperm", lambda *_: next(orders))
    balancer = build(GradVacConfig(beta=pinned["beta"]), len(first))
    assert_close(balancer.weigh(seen(first)) @ first, pinned["first"])
    assert_close(balancer.targets, pinned["targets"])
    second = double(pinned["second_jacobian"])
    assert_close(balancer.weigh(seen(second)) @ second, pinned["second"])
    assert_close(balancer.targets, pinned["second_targets"])


@pytest.mark.parametrize(
    ("config", "weighting"),
    [
        (PCDConfig(epsilon=1e-8, beta=0.9), aggregation.PCDWeighting(beta=0.9)),
        (PCDConfig(tau=0.5, epsilon=0.0), aggregation.PCDWeighting(tau=0.5, eps=0.0)),
        (SDMGradConfig(), aggregation.SDMGradWeighting()),
        (MoDoConfig(gamma=0.01), aggregation.MoDoWeighting(gamma=0.01)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_weights_are_those_of_torchjd_over_steps(
    config: GradientSection, weighting: Weighting
) -> None:
    balancer = build(config, 4)
    for step in range(6):
        jacobian = draw(4, seed=step, n_elements=5)
        assert_close(balancer.weigh(seen(jacobian)), weighting(jacobian @ jacobian.T), 1e-6)


@pytest.mark.filterwarnings("ignore:You are solving a parameterized problem")
def test_conic_nash_is_that_of_torchjd_and_near_its_pinned_solution() -> None:
    for case in CASES[:4]:
        jacobian = double(case["jacobian"])
        balancer = build(NashMTLConicConfig(max_norm=0.0), len(jacobian))
        weights = balancer.weigh(seen(jacobian))
        assert int(balancer.n_failures) == 0
        assert_close(weights, case["nash"], 1e-3)
        theirs = aggregation.NashMTL(len(jacobian), max_norm=0.0)(jacobian)
        assert_close(weights @ jacobian, theirs, 1e-3)


def test_conic_nash_limits_the_length_of_the_direction() -> None:
    jacobian = double(CASES[0]["jacobian"])
    direction = build(NashMTLConicConfig(max_norm=0.25), 2).weigh(seen(jacobian)) @ jacobian
    assert float(direction.norm()) == pytest.approx(0.25)


def test_an_absent_task_keeps_its_targets_of_grad_vac() -> None:
    balancer = build(GradVacConfig(), 3)
    balancer.weigh(seen(draw(3)))
    before = balancer.targets.clone()
    balancer.weigh(seen(draw(2, seed=1), tasks=[0, 2]))
    kept = torch.ones(3, 3, dtype=torch.bool)
    kept[[0, 2], [2, 0]] = False
    assert torch.equal(balancer.targets[kept], before[kept])
    assert not torch.equal(balancer.targets[0, 2], before[0, 2])


def test_targets_of_grad_vac_stay_below_parallel() -> None:
    balancer = build(GradVacConfig(beta=1.0), 2)
    balancer.weigh(seen(draw(1)[[0, 0]]))
    assert float(balancer.targets.max()) == pytest.approx(0.99)
    assert float(balancer.weigh(seen(draw(2))).abs().max()) < 100


@pytest.mark.parametrize("config", [SDMGradConfig(), MoDoConfig()])
def test_an_absent_task_keeps_its_share(config: GradientSection) -> None:
    balancer = build(config, 3)
    balancer.weigh(seen(draw(3, n_elements=3)))
    before = balancer.mixture.clone()
    weights = balancer.weigh(seen(draw(2, seed=1, n_elements=3), tasks=[0, 2]))
    assert float(weights.sum()) == pytest.approx(1.0)
    assert balancer.mixture[1] == before[1]
    assert balancer.mixture[0] != before[0]


def test_sdmgrad_is_pulled_to_its_preference() -> None:
    weights = [build(SDMGradConfig(pull=100.0, preference={"a": 3.0}), 2).weigh(seen(draw(2)))]
    assert_close(weights[0], [0.75, 0.25], 2e-2)


def test_an_absent_task_of_pcd_keeps_its_average_and_a_new_one_starts_with_its_own() -> None:
    config = PCDConfig(beta=0.5, epsilon=0.0)
    balancer = build(config, 3)
    jacobian = torch.diag(double([1.0, 2.0, 3.0]))
    balancer.weigh(seen(jacobian[:2], tasks=[0, 1]))
    assert_close(balancer.mean_squares[:2], [1.0, 4.0])
    assert balancer.mean_squares[2].isnan()
    balancer.weigh(seen(jacobian[[0, 2]], tasks=[0, 2]))
    assert_close(balancer.mean_squares, [1.0, 4.0, 9.0])


def test_pcd_follows_its_primary_task() -> None:
    jacobian = draw(3)
    balancer = build(PCDConfig(primary="c", tau=0.0), 3)
    direction = balancer.weigh(seen(jacobian)) @ jacobian
    swapped = build(PCDConfig(tau=0.0), 3).weigh(seen(jacobian[[2, 0, 1]])) @ jacobian[[2, 0, 1]]
    assert_close(direction, swapped, 1e-9)
    assert float(direction.norm()) == pytest.approx(float(jacobian[2].norm()))


def test_the_next_task_is_followed_where_the_primary_one_is_absent() -> None:
    jacobian = draw(2)
    balancer = build(PCDConfig(primary="c", tau=0.0), 3)
    direction = balancer.weigh(seen(jacobian, tasks=[0, 1])) @ jacobian
    assert float(direction.norm()) == pytest.approx(float(jacobian[0].norm()))


def test_a_primary_task_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`balancer\.primary` must name tasks, got 'x'"):
        build(PCDConfig(primary="x"), 3)
