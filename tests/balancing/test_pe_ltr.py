"""PE-LTR as a balancer: bounds by name, and of the present tasks."""

import pytest
import torch

from paretorank.balancing.bounded_min_norm import bounded_min_norm_weights
from paretorank.balancing.gradient_balancer import SeenGradients
from paretorank.balancing.pe_ltr import PELTR, PELTRConfig
from paretorank.foundation.errors import ConfigError

NAMES = ("a", "b", "c")
GRAMIAN = torch.tensor([[4.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
SEEN = SeenGradients(GRAMIAN, torch.ones(2).double(), torch.tensor([0, 2]))


def test_every_present_task_keeps_its_own_bound() -> None:
    balancer = PELTR(PELTRConfig(bounds={"a": 0.6, "b": 0.3}), NAMES)
    assert balancer.weigh(SEEN).tolist() == pytest.approx([0.6, 0.4])


@pytest.mark.parametrize("solver", ["exact", "two_step"])
def test_the_solver_is_the_one_that_was_asked_for(solver: str) -> None:
    gradients = torch.randn(3, 4, generator=torch.Generator().manual_seed(3)).double()
    seen = SeenGradients(gradients @ gradients.T, torch.ones(3).double(), torch.arange(3))
    config = PELTRConfig.model_validate({"bounds": {"b": 0.1}, "solver": solver})
    expected = bounded_min_norm_weights(
        seen.gramian, torch.tensor([0.0, 0.1, 0.0]).double(), solver=config.solver
    )
    torch.testing.assert_close(PELTR(config, NAMES).weigh(seen), expected, rtol=1e-6, atol=1e-8)


def test_bounds_that_sum_to_one_in_decimals_are_kept() -> None:
    balancer = PELTR(PELTRConfig(bounds={"a": 0.1, "b": 0.2, "c": 0.7}), NAMES)
    seen = SeenGradients(torch.eye(3).double(), torch.ones(3).double(), torch.arange(3))
    assert balancer.weigh(seen).tolist() == pytest.approx([0.1, 0.2, 0.7], abs=1e-12)


def test_impossible_bounds_are_refused_before_training() -> None:
    with pytest.raises(ConfigError, match=r"balancer\.bounds.*at most 1, got a = 0\.6, b = 0\.5"):
        PELTR(PELTRConfig(bounds={"a": 0.6, "b": 0.5}), NAMES)
    with pytest.raises(ConfigError, match=r"balancer\.bounds.*'bb'"):
        PELTR(PELTRConfig(bounds={"bb": 0.5}), NAMES)
