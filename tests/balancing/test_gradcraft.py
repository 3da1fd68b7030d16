"""GradCraft against known values, and what it promises."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing.gradcraft import GradCraft, GradCraftConfig, craft
from paretorank.balancing.gradient_balancer import SeenGradients

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())
GRADIENTS = torch.tensor(VALUES["magnitudes"]["J"], dtype=torch.float64)
KNOWN = VALUES["magnitudes"]["gradcraft"]
NAMES = ("a", "b", "c")


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def seen(gradients: Tensor, tasks: tuple[int, ...] = (0, 1, 2)) -> SeenGradients:
    losses = torch.ones(len(tasks)).double()
    return SeenGradients(gradients @ gradients.T, losses, torch.tensor(tasks))


def test_the_crafted_gradients_and_their_mean_are_known() -> None:
    scaled = double(KNOWN["scaled"])
    crafted = craft(scaled @ scaled.T, agreement=0.01) @ scaled
    torch.testing.assert_close(crafted, double(KNOWN["crafted"]), rtol=1e-6, atol=1e-9)
    mean = GradCraft(GradCraftConfig(), NAMES).weigh(seen(GRADIENTS)) @ GRADIENTS
    torch.testing.assert_close(mean, double(KNOWN["mean"]), rtol=1e-6, atol=1e-9)


def test_a_crafted_gradient_agrees_a_little_with_all_it_was_in_conflict_with() -> None:
    gradients = torch.randn(5, 8, generator=torch.Generator().manual_seed(0)).double()
    gramian = gradients @ gradients.T
    moved = craft(gramian, agreement=0.02) @ gramian
    cosines = moved / gradients.norm(dim=1) / gradients.norm(dim=1)[:, None]
    assert cosines[gramian < 0].tolist() == pytest.approx([0.02] * int((gramian < 0).sum()))


def test_gradients_in_agreement_are_averaged() -> None:
    weights = GradCraft(GradCraftConfig(relax=0.0), NAMES).weigh(seen(torch.eye(3).double()))
    assert weights.tolist() == pytest.approx([1 / 3] * 3)


@pytest.mark.parametrize(
    "gradients", [[[1.0], [-1.0], [-1.0]], [[0.0], [1.0], [-2.0]], [[0.0], [0.0], [0.0]]]
)
def test_opposite_equal_and_zero_gradients_are_no_problem(gradients: Any) -> None:
    assert GradCraft(GradCraftConfig(), NAMES).weigh(seen(double(gradients))).isfinite().all()


def test_an_absent_task_keeps_its_mean() -> None:
    balancer = GradCraft(GradCraftConfig(), NAMES)
    balancer.weigh(seen(double([[1.0], [2.0], [4.0]])))
    balancer.weigh(seen(double([[3.0], [8.0]]), tasks=(0, 2)))
    assert balancer.means.tolist() == pytest.approx([1.2, 2.0, 4.4])
