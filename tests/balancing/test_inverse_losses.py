"""UW-O and UW-SO: weights from inverse losses, taken as constants."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing import (
    GeometricMeanConfig,
    LossBalancer,
    Uncertainty,
    UWOConfig,
    UWSOConfig,
)
from paretorank.foundation.errors import TrainingError

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "balancing.json").read_text()
)
NAMES = ("a", "b", "c")
NAN = math.nan
Config = UWOConfig | UWSOConfig | GeometricMeanConfig


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def build(config: Config) -> LossBalancer:
    return config.build(
        task_names=NAMES, balance_factors=torch.ones(3), generator=torch.Generator()
    ).double()


def total_and_weights(balancer: LossBalancer, *values: float) -> tuple[float, list[float]]:
    losses = double(*values).requires_grad_()
    total = balancer(losses)
    total.backward()
    assert losses.grad is not None
    return float(total.detach()), losses.grad.tolist()


def test_inverse_weights_have_the_pinned_values() -> None:
    _, weights = total_and_weights(build(UWOConfig()), *VALUES["losses"])
    assert weights == pytest.approx(VALUES["uw_o"]["normalised_weights"], abs=1e-10)


def test_without_the_sum_every_weight_is_the_inverse_loss() -> None:
    total, weights = total_and_weights(build(UWOConfig(sums_to_one=False)), *VALUES["losses"])
    assert weights == pytest.approx([1 / loss for loss in VALUES["losses"]])
    assert total == pytest.approx(3.0)  # every task adds 1: no measure of success


def test_inverse_weights_are_twice_those_of_settled_uncertainty() -> None:
    _, weights = total_and_weights(build(UWOConfig(sums_to_one=False)), *VALUES["losses"])
    settled = Uncertainty(NAMES, double(*VALUES["kendall_mixed"]["c"])).double()
    _, half = total_and_weights(settled, *VALUES["losses"])
    assert weights == pytest.approx([2 * weight for weight in half])


def test_inverse_weights_point_where_the_geometric_mean_points() -> None:
    _, ours = total_and_weights(build(UWOConfig()), *VALUES["losses"])
    _, theirs = total_and_weights(build(GeometricMeanConfig()), *VALUES["losses"])
    assert ours == pytest.approx([weight / sum(theirs) for weight in theirs])


@pytest.mark.parametrize("key", ["T=1.0", "T=5.0", "T=20.0", "T=100.0"])
def test_soft_weights_of_losses_as_they_are_have_the_pinned_values(key: str) -> None:
    pinned = VALUES["uw_so"]["cases"][key]
    config = UWSOConfig(temperature=float(key[2:]), starts_at_one=False)
    total, weights = total_and_weights(build(config), *VALUES["losses"])
    assert total == pytest.approx(pinned["total"], abs=1e-10)
    assert weights == pytest.approx(pinned["grad_wrt_losses"], abs=1e-10)


def test_the_softmax_is_taken_once_and_not_of_weights_that_sum_to_one_already() -> None:
    _, weights = total_and_weights(
        build(UWSOConfig(temperature=5.0, starts_at_one=False)), *VALUES["losses"]
    )
    twice = double(*weights).softmax(dim=0)
    assert max(weights) > 0.95
    assert float(twice.max()) < 0.6  # what a second softmax would leave of the priority


def test_at_the_start_all_tasks_have_equal_shares_whatever_their_unit() -> None:
    _, weights = total_and_weights(build(UWSOConfig()), *VALUES["losses"])
    shares = [w * loss for w, loss in zip(weights, VALUES["losses"], strict=True)]
    assert shares == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_a_task_whose_loss_fell_to_half_counts_more_than_one_that_stands_still() -> None:
    balancer = build(UWSOConfig(first_steps=1))
    total_and_weights(balancer, 2.0, 10.0, NAN)
    total, weights = total_and_weights(balancer, 1.0, 10.0, NAN)
    odds = math.e / (1 + math.e)  # softmax of the inverses 2 and 1
    assert weights == pytest.approx([odds / 2, (1 - odds) / 10, 0.0])
    assert total == pytest.approx(odds * 0.5 + (1 - odds))


def test_the_first_losses_are_a_mean_over_the_first_steps_of_each_task() -> None:
    balancer = build(UWSOConfig(first_steps=2))
    for losses in ((1.0, 4.0, NAN), (3.0, NAN, 5.0), (9.0, 6.0, NAN), (9.0, 9.0, NAN)):
        balancer(double(*losses))
    assert balancer.get_buffer("first.total").tolist() == [4.0, 10.0, 5.0]
    assert balancer.get_buffer("first.count").tolist() == [2.0, 2.0, 1.0]


def test_losses_as_they_are_leave_no_state() -> None:
    balancer = build(UWSOConfig(starts_at_one=False))
    balancer(double(1.0, 2.0, 3.0))
    assert balancer.get_buffer("first.count").tolist() == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("config", [UWOConfig(), UWSOConfig()], ids=repr)
def test_an_inverse_of_zero_or_of_a_negative_loss_is_refused(config: Config) -> None:
    for loss in (0.0, -0.5):
        with pytest.raises(TrainingError, match="above 0"):
            build(config)(double(1.0, loss, NAN))
