"""Aggregators of TorchJD that mix coordinates: pinned values, TorchJD itself, absent tasks."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torchjd import aggregation

from paretorank.balancing import ConFIGConfig, GradDropConfig, TrimmedMeanConfig
from paretorank.balancing.gradient_balancer import GradientSection
from paretorank.foundation.errors import ConfigError
from tests.balancing.gradients import CASES, assert_close, build, double, draw


def tasks(jacobian: Tensor) -> Tensor:
    return torch.arange(len(jacobian))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_grad_drop_has_its_pinned_sum(
    case: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    jacobian, pinned = double(case["jacobian"]), case["grad_drop"]
    monkeypatch.setattr(torch, "rand", lambda *_, **__: double(pinned["uniform"]))
    found = build(GradDropConfig(), len(jacobian))(jacobian, tasks(jacobian))
    assert_close(found, pinned["sum"])


def test_grad_drop_repeats_its_draws_and_leaves_the_global_generator_alone() -> None:
    jacobian = draw(3)
    torch.manual_seed(4)
    untouched = torch.rand(2)
    torch.manual_seed(4)
    first, second = build(GradDropConfig(), 3), build(GradDropConfig(), 3, seed=8)
    directions = [first(jacobian, tasks(jacobian)) for _ in range(3)]
    assert torch.equal(torch.rand(2), untouched)
    assert not torch.equal(directions[0], directions[1])
    second.load_state_dict({name: value.clone() for name, value in first.state_dict().items()})
    fourth = [balancer(jacobian, tasks(jacobian)) for balancer in (first, second)]
    assert torch.equal(*fourth)


def test_what_leaks_goes_with_its_task() -> None:
    balancer = build(GradDropConfig(leak={"b": 1.0, "c": 1.0}), 3)
    jacobian = double([[1.0, -1.0], [-1.0, 1.0]])
    assert_close(balancer(jacobian, torch.tensor([1, 2])), [0.0, 0.0])


def test_trimmed_means_are_those_of_torchjd_and_trim_less_where_tasks_are_absent() -> None:
    balancer = build(TrimmedMeanConfig(trim_number=2), 5)
    jacobian = draw(5)
    assert_close(balancer(jacobian, tasks(jacobian)), aggregation.TrimmedMean(2)(jacobian), 1e-12)
    three = balancer(jacobian[:3], torch.tensor([0, 1, 4]))
    assert_close(three, jacobian[:3].median(dim=0).values, 1e-12)
    assert_close(balancer(jacobian[:2], torch.tensor([0, 1])), jacobian[:2].mean(dim=0), 1e-12)


def test_trimming_away_every_task_is_refused() -> None:
    with pytest.raises(ConfigError, match="needs 5 tasks or more, there are 3"):
        build(TrimmedMeanConfig(trim_number=2), 3)


def test_the_cosines_of_config_are_those_that_are_wished() -> None:
    jacobian = draw(3)
    direction = build(ConFIGConfig(preference={"a": 3.0}), 3)(jacobian, tasks(jacobian))
    cosines = jacobian @ direction / jacobian.norm(dim=1) / direction.norm()
    assert_close(cosines / cosines[1], [3.0, 1.0, 1.0])


@pytest.mark.parametrize("config", [ConFIGConfig(), GradDropConfig(), TrimmedMeanConfig()])
@pytest.mark.parametrize("scale", [0.0, 1e-6, 1e6])
def test_extreme_gradients_leave_directions_finite(config: GradientSection, scale: float) -> None:
    balancer = build(config, 3)
    jacobian = draw(3)
    jacobian[0] *= scale
    jacobian[2] = jacobian[1]
    assert balancer(jacobian, tasks(jacobian)).isfinite().all()
    assert balancer(jacobian * 0, tasks(jacobian)).eq(0).all()
    assert balancer(jacobian[:1], torch.tensor([1])).isfinite().all()
