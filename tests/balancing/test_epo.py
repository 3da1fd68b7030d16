"""EPO's linear program, and where descent along its weights ends."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.balancing.epo import EPO, EPOConfig, epo_weights, imbalance, program
from paretorank.balancing.gradient_balancer import SeenGradients
from paretorank.foundation.errors import TrainingError

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


@pytest.fixture(params=VALUES["epo"], ids=lambda case: case["move"])
def case(request: pytest.FixtureRequest) -> dict[str, Any]:
    case: dict[str, Any] = request.param
    return case


def test_the_divergence_and_the_adjustments_are_known(case: dict[str, Any]) -> None:
    found = imbalance(double(case["losses"]), double(case["preference_r"]))
    assert found.divergence == pytest.approx(case["non_uniformity_mu"], abs=1e-9)
    assert found.adjustments == pytest.approx(np.array(case["adjustments_a"]), abs=1e-9)


def test_the_divergence_is_that_of_the_shares_and_not_of_their_softmax() -> None:
    found = imbalance(double([3.0, 1.0]), double([0.6, 0.4]))
    assert found.divergence == pytest.approx(0.219007867502, abs=1e-9)
    assert found.divergence != pytest.approx(0.74293526548, abs=0.1)  # shares taken for logits


def test_the_value_of_the_linear_program_is_known(case: dict[str, Any]) -> None:
    losses, preference = double(case["losses"]), double(case["preference_r"])
    gramian = double(case["C"])
    weights = epo_weights(gramian, losses, preference)
    gain, least = program(gramian.numpy(), imbalance(losses, preference))
    assert float(gain @ weights.numpy()) == pytest.approx(case["lp_value"], abs=1e-9)
    assert (gramian.numpy() @ weights.numpy() >= least - 1e-9).all()
    assert weights.sum() == pytest.approx(1.0)
    assert weights.amin() >= 0


@pytest.mark.parametrize("share", [0.02, 0.3, 0.99])
@pytest.mark.parametrize("n_dims", [1, 5])
def test_descent_ends_on_the_front_where_the_preference_says(share: float, n_dims: int) -> None:
    preference = double([share, 1 - share])
    minima = torch.zeros(2, n_dims, dtype=torch.float64)
    minima[1, 0] = 1.0
    point = torch.full((n_dims,), 0.8, dtype=torch.float64)
    point[0] = 0.5
    for step in range(150):
        rate = 0.1 if step < 75 else 0.005
        gradients = point - minima
        losses = 0.5 * gradients.square().sum(dim=1)
        weights = epo_weights(gradients @ gradients.T, losses, preference)
        point = point - rate * weights @ gradients
    losses = 0.5 * (point - minima).square().sum(dim=1)
    wanted = 1 / preference
    cosine = float(losses @ wanted / losses.norm() / wanted.norm())
    assert math.degrees(math.acos(min(cosine, 1.0))) < 2
    assert float(losses.sqrt().sum()) == pytest.approx(0.5**0.5, rel=1e-3)  # on the front


@pytest.mark.parametrize("n_dims", [1, 2, 6])
def test_whatever_the_gradients_no_loss_that_is_worst_rises(n_dims: int) -> None:
    generator = torch.Generator().manual_seed(n_dims)
    for _ in range(20):
        gradients = torch.randn(4, n_dims, generator=generator, dtype=torch.float64)
        gradients *= 10 ** (4 * torch.rand(4, 1, generator=generator).double() - 2)
        losses, preference = torch.rand(2, 4, generator=generator, dtype=torch.float64) + 0.01
        weights = epo_weights(gradients @ gradients.T, losses, preference)
        slopes = gradients @ (weights @ gradients) / gradients.norm(dim=1)
        worst = int((losses * preference).argmax())
        assert slopes[worst] >= -1e-5 * gradients.norm(dim=1).amax()


@pytest.mark.parametrize("escapes", [True, False])
def test_a_search_that_starts_behind_an_optimum_does_not_end_there(escapes: bool) -> None:
    preference = double([0.5, 0.5])
    minima = double([[0.0, 0.0], [1.0, 0.0]])
    point = double([-0.5, 0.2])
    for _ in range(400):
        gradients = point - minima
        losses = 0.5 * gradients.square().sum(dim=1)
        gramian = gradients @ gradients.T
        point = point - 0.05 * epo_weights(gramian, losses, preference, escapes=escapes) @ gradients
    expected = double([0.5, 0.0]) if escapes else minima[0]  # the paper's rule stands still
    assert torch.allclose(point, expected, atol=0.02)


def test_zero_gradients_and_one_task_are_no_problem() -> None:
    one = double([1.0])
    assert epo_weights(double([[4.0]]), one, one).tolist() == [1.0]
    weights = epo_weights(torch.zeros(2, 2).double(), double([1.0, 2.0]), double([0.5, 0.5]))
    assert weights.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(("losses", "preference"), [([0.0, 1.0], [1, 1]), ([1.0, 1.0], [0, 1])])
def test_losses_and_preferences_must_be_above_zero(losses: Any, preference: Any) -> None:
    with pytest.raises(ValueError, match="above 0"):
        epo_weights(torch.eye(2), double(losses), double(preference))


def test_a_gramian_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="finite"):
        epo_weights(double([[torch.nan]]), double([1.0]), double([1.0]))


def test_the_balancer_reads_the_preference_of_the_present_tasks() -> None:
    balancer = EPO(EPOConfig(preference={"b": 3.0}), ("a", "b", "c"))
    gramian = double([[1.25, 0.2], [0.2, 1.04]])
    seen = SeenGradients(gramian, double([3.0, 1.0]), torch.tensor([0, 1]))
    expected = epo_weights(gramian, seen.losses, double([0.25, 0.75]))
    assert torch.equal(balancer.weigh(seen), expected)


def test_losses_that_are_not_above_zero_stop_the_training() -> None:
    seen = SeenGradients(torch.eye(2).double(), double([1.0, -0.5]), torch.tensor([0, 1]))
    with pytest.raises(TrainingError, match="above 0"):
        EPO(EPOConfig(), ("a", "b")).weigh(seen)
