"""Steps with bfloat16: near those of float32, wherever gradients are taken."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from paretorank.architectures import (
    AdaTTConfig,
    ArchitectureConfig,
    DSelectKConfig,
    HoMEConfig,
    MMoEConfig,
    PLEConfig,
)
from paretorank.balancing import EqualConfig, PCGradConfig, UPGradConfig
from paretorank.balancing.base import BalancerSection
from paretorank.data.batch import Batch
from paretorank.relations import AITMConfig, DBMTLConfig, ESMMConfig, RelationConfig
from paretorank.training.step import backward_step
from tests.training.test_task_gradients import TASKS, build, rows

MMOE = MMoEConfig(n_experts=2, expert_dims=(16, 16))
SMALL_ERROR = 0.01  # of the length of all gradients; bfloat16 has 8 bits
TIED = 0.03  # passes of single tasks go through the towers of others
NORMALISED = 0.2  # dividing by the deviation of a few rows makes errors larger


def single() -> Batch:
    batch = rows()
    floats = {name: getattr(batch, name).float() for name in ("numeric", "labels", "weight")}
    return replace(batch, **floats)


def grads(
    config: BalancerSection,
    architecture: ArchitectureConfig,
    dtype: torch.dtype,
    relations: RelationConfig | None = None,
) -> Tensor:
    network = build(architecture, relations).float().train()
    network.training_precision = dtype
    balancer = config.build(
        task_names=tuple(TASKS), balance_factors=torch.ones(3), generator=torch.Generator()
    )
    result = backward_step(network, balancer, torch.ones(3), single(), place="here")
    assert result.losses.dtype == result.weights.dtype == torch.float32
    found = [p.grad.to_dense() for p in network.parameters() if p.grad is not None]
    assert {grad.dtype for grad in found} == {torch.float32}
    return torch.cat([grad.flatten() for grad in found])


@pytest.mark.parametrize("architecture", [MMOE, PLEConfig(expert_dims=(16,)), HoMEConfig()])
@pytest.mark.parametrize(
    "config",
    [
        EqualConfig(),
        UPGradConfig(),
        UPGradConfig(at="parameters"),
        PCGradConfig(),
        PCGradConfig(at="last_layer"),
    ],
)
def test_gradients_are_near_those_of_float32(
    config: BalancerSection, architecture: ArchitectureConfig
) -> None:
    if isinstance(architecture, HoMEConfig) and getattr(config, "at", "") == "last_layer":
        architecture = MMOE
    low = grads(config, architecture, torch.bfloat16)
    full = grads(config, architecture, torch.float32)
    assert not torch.equal(low, full)
    largest = NORMALISED if isinstance(architecture, HoMEConfig) else SMALL_ERROR
    assert float((low - full).norm() / full.norm()) < largest


@pytest.mark.parametrize("relations", [AITMConfig(), ESMMConfig(), DBMTLConfig()])
@pytest.mark.parametrize(
    "architecture", [DSelectKConfig(n_experts=2, expert_dims=(16,)), AdaTTConfig(expert_dims=(16,))]
)
def test_towers_may_be_tied_together(
    architecture: ArchitectureConfig, relations: RelationConfig
) -> None:
    low = grads(UPGradConfig(), architecture, torch.bfloat16, relations)
    full = grads(UPGradConfig(), architecture, torch.float32, relations)
    assert float((low - full).norm() / full.norm()) < TIED


def test_scores_do_not_depend_on_the_precision_of_training() -> None:
    network = build(MMOE).float().eval()
    before = network(single())
    network.training_precision = torch.bfloat16
    assert torch.equal(network(single()), before)
