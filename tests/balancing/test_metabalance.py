"""MetaBalance against known values, tensor by tensor."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing.gradient_balancer import SeenGradients
from paretorank.balancing.metabalance import MetaBalance, MetaBalanceConfig
from paretorank.foundation.errors import ConfigError

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())
GRADIENTS = torch.tensor(VALUES["magnitudes"]["J"], dtype=torch.float64)
KNOWN = VALUES["magnitudes"]["metabalance"]
NAMES = ("a", "b", "c")


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def seen(*tensors: Tensor, tasks: tuple[int, ...] = (0, 1, 2)) -> SeenGradients:
    by_tensor = torch.stack([each @ each.T for each in tensors])
    losses = torch.ones(len(tasks)).double()
    return SeenGradients(by_tensor.sum(dim=0), losses, torch.tensor(tasks), by_tensor)


def test_the_adjusted_gradients_and_moving_means_are_known() -> None:
    balancer = MetaBalance(MetaBalanceConfig(), NAMES)
    balancer.means = double([KNOWN["ema_old"]])
    (weights,) = balancer.weigh(seen(GRADIENTS))
    adjusted = weights[:, None] * GRADIENTS
    torch.testing.assert_close(adjusted, double(KNOWN["adjusted"]), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(balancer.means[0], double(KNOWN["ema_new"]), rtol=1e-6, atol=0)


def test_each_tensor_has_weights_of_its_own() -> None:
    balancer = MetaBalance(MetaBalanceConfig(relax=1.0, target="b"), NAMES)
    weights = balancer.weigh(seen(double([[1.0], [2.0], [4.0]]), double([[8.0], [2.0], [1.0]])))
    assert weights.tolist() == [[2.0, 1.0, 0.5], [0.25, 1.0, 2.0]]


def test_a_task_that_does_not_reach_a_tensor_is_left_alone() -> None:
    weights = MetaBalance(MetaBalanceConfig(), NAMES).weigh(seen(double([[1.0], [0.0], [1.0]])))
    assert weights.tolist() == [[1.0, 1.0, 1.0]]


def test_a_gradient_that_sums_to_zero_is_not_taken_for_absent() -> None:
    gradients = double([[2.0, 2.0], [1.0, -1.0], [1.0, 1.0]])
    weights = MetaBalance(MetaBalanceConfig(relax=1.0), NAMES).weigh(seen(gradients))
    assert weights[0].tolist() == pytest.approx([1.0, 2.0, 2.0])


def test_an_absent_task_keeps_its_means() -> None:
    balancer = MetaBalance(MetaBalanceConfig(), NAMES)
    balancer.weigh(seen(double([[1.0], [2.0], [4.0]])))
    balancer.weigh(seen(double([[3.0], [8.0]]), tasks=(0, 2)))
    assert balancer.means.tolist() == [pytest.approx([1.2, 2.0, 4.4])]


def test_means_survive_saving_and_loading() -> None:
    balancer = MetaBalance(MetaBalanceConfig(), NAMES)
    balancer(seen(GRADIENTS, 2 * GRADIENTS))
    restored = MetaBalance(MetaBalanceConfig(), NAMES)
    restored.load_state_dict(balancer.state_dict())
    assert torch.equal(restored(seen(GRADIENTS, GRADIENTS)), balancer(seen(GRADIENTS, GRADIENTS)))


def test_without_tensors_or_with_an_unknown_target_it_cannot_work() -> None:
    only = SeenGradients(torch.eye(3).double(), torch.ones(3).double(), torch.arange(3))
    with pytest.raises(ValueError, match="each tensor"):
        MetaBalance(MetaBalanceConfig(), NAMES).weigh(only)
    with pytest.raises(ConfigError, match=r"balancer\.target.*'d'"):
        MetaBalance(MetaBalanceConfig(target="d"), NAMES)
