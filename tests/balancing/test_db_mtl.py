"""DB-MTL's gradient part and its logarithms."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing.db_mtl import DBMTL, as_long_as_longest
from paretorank.balancing.gradient_balancer import SeenGradients
from paretorank.foundation.errors import TrainingError

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())
NAMES = ("a", "b", "c")


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def weigh(gradients: Tensor, losses: Any) -> Tensor:
    return DBMTL(NAMES).weigh(
        SeenGradients(gradients @ gradients.T, double(losses), torch.arange(3))
    )


def test_the_sum_of_equally_long_gradients_is_known() -> None:
    gradients = double(VALUES["magnitudes"]["J"])
    total = as_long_as_longest(gradients.norm(dim=1)) @ gradients
    expected = double(VALUES["magnitudes"]["db_mtl_gradient_part"]["total"])
    torch.testing.assert_close(total, expected, rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(3 * weigh(gradients, [1.0, 1.0, 1.0]) @ gradients, total)


def test_the_unit_of_a_loss_does_not_matter() -> None:
    gradients, losses = double(VALUES["magnitudes"]["J"]), double([0.5, 2.0, 1.0])
    units = double([1.0, 1000.0, 1.0])
    plain = weigh(gradients, losses) @ gradients
    scaled = gradients * units[:, None]
    torch.testing.assert_close(weigh(scaled, losses * units) @ scaled, plain)


def test_a_zero_gradient_is_no_problem() -> None:
    gradients = double([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    assert weigh(gradients, [1.0, 1.0, 1.0]).tolist() == pytest.approx([1 / 3, 1 / 3, 5 / 3])


def test_a_gradient_that_sums_to_zero_is_not_a_zero_gradient() -> None:
    lengths = double([[1.0, -1.0], [2.0, 2.0]]).norm(dim=1)
    assert as_long_as_longest(lengths).tolist() == pytest.approx([2.0, 1.0])


def test_losses_that_are_not_above_zero_stop_the_training() -> None:
    with pytest.raises(TrainingError, match="above 0"):
        weigh(torch.eye(3).double(), [1.0, 0.0, 1.0])
