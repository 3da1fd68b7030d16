"""TorchJD's weightings without memory: pinned values, TorchJD itself, absent tasks, preferences."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torchjd import aggregation
from torchjd.aggregation import Aggregator

from paretorank.balancing import (
    AlignedMTLConfig,
    CAGradConfig,
    DualProjConfig,
    FairGradConfig,
    IMTLGConfig,
    KrumConfig,
    MGDAFrankWolfeConfig,
    PCGradConfig,
    UPGradConfig,
)
from paretorank.balancing.gradient_balancer import GradientSection
from paretorank.foundation.errors import ConfigError
from tests.balancing.gradients import (
    CASES,
    assert_close,
    build,
    double,
    draw,
    seen,
    weights_of,
)

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


@each_case
def test_upgrad_has_its_pinned_weights_and_helps_every_task(case: dict[str, Any]) -> None:
    jacobian = double(case["jacobian"])
    weights = weights_of(UPGradConfig(), jacobian)
    assert_close(weights @ jacobian, case["upgrad"]["direction"])
    assert float((jacobian @ (weights @ jacobian)).min()) >= -1e-9


@each_case
def test_dual_proj_helps_every_task_and_is_near_its_regularized_value(
    case: dict[str, Any],
) -> None:
    jacobian = double(case["jacobian"])
    direction = weights_of(DualProjConfig(), jacobian) @ jacobian
    assert float((jacobian @ direction).min()) >= -1e-9
    assert_close(direction, case["dual_proj_regularized"], 2e-3)


@each_case
@pytest.mark.parametrize("c", ["0.0", "0.2", "0.4", "0.5", "0.9"])
def test_cagrad_has_its_pinned_direction(case: dict[str, Any], c: str) -> None:
    jacobian = double(case["jacobian"])
    weights = weights_of(CAGradConfig(c=float(c)), jacobian)
    assert_close(weights @ jacobian, case["cagrad"][c], 1e-6)


@each_case
def test_aligned_mtl_and_imtl_g_have_their_pinned_weights(case: dict[str, Any]) -> None:
    jacobian = double(case["jacobian"])
    assert_close(weights_of(AlignedMTLConfig(), jacobian), case["aligned_mtl"])
    assert_close(weights_of(IMTLGConfig(), jacobian), case["imtl_g"]["weights"])


@each_case
def test_fair_grad_with_alpha_1_is_the_nash_bargain(case: dict[str, Any]) -> None:
    jacobian = double(case["jacobian"])
    weights = weights_of(FairGradConfig(alpha=1.0), jacobian)
    assert_close(weights, case["nash"], 1e-5)
    assert float((jacobian @ (weights @ jacobian)).min()) > 0


@each_case
def test_frank_wolfe_is_near_the_shortest_combination(case: dict[str, Any]) -> None:
    jacobian = double(case["jacobian"])
    config = MGDAFrankWolfeConfig(epsilon=1e-9, max_iterations=20000)
    direction = weights_of(config, jacobian) @ jacobian
    assert_close(direction, case["mgda"], 2e-3)


@each_case
def test_pcgrad_has_its_pinned_sum(case: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    jacobian = double(case["jacobian"])
    orders = iter(
        [torch.tensor([*each, i]) for i, each in enumerate(case["pcgrad"]["visit_orders"])]
    )
    monkeypatch.setattr(torch, "randperm", lambda *_: next(orders))
    assert_close(weights_of(PCGradConfig(), jacobian) @ jacobian, case["pcgrad"]["sum"])


@pytest.mark.parametrize(
    ("config", "aggregator", "tolerance"),
    [
        (AlignedMTLConfig(), aggregation.AlignedMTL(), 1e-9),
        (AlignedMTLConfig(scale_mode="rmse"), aggregation.AlignedMTL(scale_mode="rmse"), 1e-9),
        (AlignedMTLConfig(scale_mode="median"), aggregation.AlignedMTL(scale_mode="median"), 1e-9),
        # Its conic solver stops where the problem's value is right to 1e-8, directions to 1e-4.
        (CAGradConfig(c=0.3), aggregation.CAGrad(c=0.3), 2e-4),
        (DualProjConfig(), aggregation.DualProj(), 2e-3),
        (FairGradConfig(alpha=2.0), aggregation.FairGrad(alpha=2.0), 1e-5),
        (FairGradConfig(alpha=0.0), aggregation.FairGrad(alpha=0.0), 1e-9),
        (IMTLGConfig(), aggregation.IMTLG(), 1e-9),
        (KrumConfig(n_byzantine=1, n_selected=2), aggregation.Krum(1, 2), 1e-12),
        (MGDAFrankWolfeConfig(), aggregation.MGDA(), 1e-9),
        (UPGradConfig(), aggregation.UPGrad(), 2e-3),
    ],
    ids=lambda value: type(value).__name__,
)
def test_directions_are_those_of_torchjd(
    config: GradientSection, aggregator: Aggregator, tolerance: float
) -> None:
    for seed in range(5):
        jacobian = draw(4, seed=seed)
        found = weights_of(config, jacobian) @ jacobian
        assert_close(found, aggregator(jacobian), tolerance)


def test_pcgrad_is_that_of_torchjd_whatever_the_order_of_two() -> None:
    for seed in range(5):
        jacobian = draw(2, seed=seed, n_elements=3)
        expected: Tensor = aggregation.PCGrad()(jacobian)
        assert_close(weights_of(PCGradConfig(), jacobian) @ jacobian, expected, 1e-9)


def test_pcgrad_repeats_its_orders_and_leaves_the_global_generator_alone() -> None:
    jacobian = draw(5, n_elements=2)
    torch.manual_seed(1)
    untouched = torch.rand(3)
    torch.manual_seed(1)
    first, second = build(PCGradConfig(), 5), build(PCGradConfig(), 5)
    found = [first.weigh(seen(jacobian)) for _ in range(6)]
    assert torch.equal(torch.rand(3), untouched)
    assert all(torch.equal(second.weigh(seen(jacobian)), each) for each in found)
    assert any(not torch.equal(found[0], each) for each in found)


@pytest.mark.parametrize(
    "config",
    [AlignedMTLConfig, DualProjConfig, UPGradConfig],
)
def test_preferences_are_shared_among_present_tasks(config: Any) -> None:
    balancer = build(config(preference={"a": 3.0, "b": 100.0}), 3)
    jacobian = torch.eye(2, 6, dtype=torch.float64)
    assert_close(balancer.weigh(seen(jacobian, tasks=[0, 2])), [0.75, 0.25], 1e-6)


def test_a_preference_for_what_is_no_task_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"`balancer\.preference` must name tasks, got 'z'"):
        build(UPGradConfig(preference={"z": 1.0}), 3)


@pytest.mark.parametrize("config", [KrumConfig(n_byzantine=1), KrumConfig(n_selected=4)])
def test_krum_needs_a_majority(config: KrumConfig) -> None:
    with pytest.raises(ConfigError, match="there are 3"):
        build(config, 3)


def test_krum_trusts_what_is_left_when_tasks_are_absent() -> None:
    balancer = build(KrumConfig(n_byzantine=2), 5)
    jacobian = draw(5)
    jacobian[4] = jacobian[3] + 0.01
    assert balancer.weigh(seen(jacobian[2:], tasks=[2, 3, 4])).max() == 1
    assert_close(balancer.weigh(seen(jacobian[:2], tasks=[0, 1])), [0.5, 0.5])
