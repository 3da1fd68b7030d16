"""MGDA with its four normalizations."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from paretorank.balancing.gradient_balancer import SeenGradients
from paretorank.balancing.mgda import MGDA, MGDAConfig
from paretorank.foundation.errors import TrainingError

VALUES = json.loads((Path(__file__).parents[1] / "values" / "gradients.json").read_text())[
    "mgda_ub"
]
NORMALIZATIONS = ("none", "l2", "loss", "loss+")


def double(values: Any) -> Tensor:
    return torch.as_tensor(values, dtype=torch.float64)


def weigh(gradients: Any, losses: Any, normalize: str = "none") -> Tensor:
    rows = double(gradients)
    balancer = MGDA(MGDAConfig.model_validate({"normalize": normalize}), ("a", "b"))
    return balancer.weigh(SeenGradients(rows @ rows.T, double(losses), torch.arange(len(rows))))


def test_weights_at_the_representation_and_at_the_encoder_are_known() -> None:
    at_representation = weigh(VALUES["grad_z_flat"], VALUES["losses"])
    torch.testing.assert_close(at_representation, double(VALUES["weights_ub"]))
    at_encoder = weigh(VALUES["grad_W_flat"], VALUES["losses"])
    torch.testing.assert_close(at_encoder, double(VALUES["weights_exact"]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_the_known_weights_are_those_of_the_normalized_gradients(normalize: str) -> None:
    gradients, losses = double(VALUES["grad_W_flat"]), double(VALUES["losses"])
    lengths = gradients.norm(dim=1)
    sizes = {"none": 1.0, "l2": lengths, "loss": losses, "loss+": losses * lengths}
    expected = double(VALUES["weights_by_gradient_normalisation"][normalize]) / sizes[normalize]
    found = weigh(gradients, losses, normalize)
    torch.testing.assert_close(found, expected / expected.sum(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_no_loss_rises_along_the_direction(normalize: str) -> None:
    gradients = double([[1.0, 0.1, 0.0], [-30.0, 2.0, 1.0]])
    direction = weigh(gradients, [0.1, 7.0], normalize) @ gradients
    assert (gradients @ direction >= -1e-9).all()


@pytest.mark.parametrize("normalize", NORMALIZATIONS)
def test_a_zero_gradient_gets_all_the_weight(normalize: str) -> None:
    assert weigh([[0.0, 0.0], [1.0, 1.0]], [0.5, 2.0], normalize).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("normalize", ["loss", "loss+"])
def test_normalizing_by_a_loss_that_is_not_above_zero_stops_the_training(normalize: str) -> None:
    with pytest.raises(TrainingError, match="above 0"):
        weigh([[1.0], [1.0]], [0.0, 1.0], normalize)
