"""Micro-batches: a step over parts of a batch is the step over the whole."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from paretorank.architectures import (
    ArchitectureConfig,
    AttentionMMoEConfig,
    CrossStitchConfig,
    HoMEConfig,
    MMoEConfig,
    SharedBottomConfig,
)
from paretorank.architectures.gates_config import GatesConfig
from paretorank.balancing import (
    Balancer,
    EqualConfig,
    FAMOConfig,
    GradNormConfig,
    MGDAConfig,
    PAPERecConfig,
    PCGradConfig,
    UncertaintyConfig,
    UPGradConfig,
)
from paretorank.balancing.base import BalancerSection
from paretorank.balancing.gradient_balancer import Place
from paretorank.data.batch import Batch
from paretorank.foundation.errors import ConfigError, TrainingError
from paretorank.relations import AITMConfig, ESCM2Config, ESMMConfig, RelationConfig
from paretorank.training.diagnosis import diagnose
from paretorank.training.passes import MicroBatches, passes_of, refuse_micro_batches
from paretorank.training.step import StepResult, backward_step
from tests.training.test_task_gradients import TASKS, build, rows

NAMES = tuple(TASKS)
MMOE = MMoEConfig(n_experts=2, expert_dims=(8, 6))
PLACES: list[Place] = ["representation", "last_layer", "parameters"]


def balancer_of(config: BalancerSection) -> Balancer:
    balancer = config.build(
        task_names=NAMES, balance_factors=torch.ones(3), generator=torch.Generator().manual_seed(1)
    )
    return balancer.double()  # type: ignore[return-value]


def step(
    config: BalancerSection,
    architecture: ArchitectureConfig = MMOE,
    *,
    size: int | None,
    batch: Batch | None = None,
    relations: RelationConfig | None = None,
) -> tuple[StepResult, dict[str, Tensor]]:
    network, balancer = build(architecture, relations).train(), balancer_of(config)
    ones = torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    batch = batch or rows()
    result = backward_step(
        network, balancer, ones, batch, place="here", micro_batch_size=size, seed=3
    )
    named = [*network.named_parameters(), *balancer.named_parameters(prefix="balancer")]
    grads = {name: p.grad.to_dense() for name, p in named if p.grad is not None}
    return result, grads


def assert_like_whole(
    config: BalancerSection,
    architecture: ArchitectureConfig = MMOE,
    *,
    size: int,
    batch: Batch | None = None,
    relations: RelationConfig | None = None,
) -> None:
    found, grads = step(config, architecture, size=size, batch=batch, relations=relations)
    whole, expected = step(config, architecture, size=None, batch=batch, relations=relations)
    assert torch.allclose(found.losses, whole.losses, rtol=1e-12, equal_nan=True)
    assert torch.allclose(found.weights, whole.weights, rtol=1e-7, equal_nan=True)
    assert grads.keys() == expected.keys()
    for name, grad in expected.items():
        assert torch.allclose(grads[name], grad, rtol=1e-7, atol=1e-12), name


@pytest.mark.parametrize("size", [1, 7, 19])
@pytest.mark.parametrize("config", [EqualConfig(), UncertaintyConfig(), UPGradConfig()])
def test_parts_of_any_size_give_the_step_of_the_whole(config: BalancerSection, size: int) -> None:
    assert_like_whole(config, size=size)


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("kind", [MGDAConfig, UPGradConfig, PCGradConfig])
def test_balancers_see_the_gradients_of_the_whole(
    kind: type[MGDAConfig | UPGradConfig | PCGradConfig], at: Place
) -> None:
    assert_like_whole(kind(at=at), size=6)


def test_gradnorm_learns_as_from_the_whole() -> None:
    assert_like_whole(GradNormConfig(), size=6)


@pytest.mark.parametrize(
    "architecture",
    [
        SharedBottomConfig(hidden_dims=(8,)),
        CrossStitchConfig(hidden_dims=(8,)),
        AttentionMMoEConfig(n_experts=2, expert_dims=(8,)),
    ],
)
def test_directions_reach_the_representations_of_their_rows(
    architecture: ArchitectureConfig,
) -> None:
    assert_like_whole(PCGradConfig(), architecture, size=6)


def test_a_task_may_be_absent_from_parts() -> None:
    batch = rows()
    batch.observed[:12, 1] = False
    assert_like_whole(UPGradConfig(), size=6, batch=batch)
    assert_like_whole(UncertaintyConfig(), size=6, batch=batch)


@pytest.mark.parametrize("config", [EqualConfig(), UPGradConfig(), PCGradConfig()])
def test_a_task_may_be_absent_from_all(config: BalancerSection) -> None:
    batch = rows()
    batch.observed[:, 1] = False
    assert_like_whole(config, size=6, batch=batch)
    found, _ = step(config, size=6, batch=batch)
    assert found.losses.isnan().tolist() == [False, True, False]


def test_rows_without_weight_count_for_nothing() -> None:
    batch = rows()
    batch.weight[:10] = 0.0
    assert_like_whole(UPGradConfig(), size=5, batch=batch)


def test_penalties_of_gates_count_by_their_rows() -> None:
    def grads(size: int | None) -> dict[str, Tensor]:
        gates = GatesConfig(entropy=0.5)
        architecture = MMoEConfig(n_experts=2, expert_dims=(8,), gates=gates)
        return step(EqualConfig(), architecture, size=size)[1]

    whole = grads(None)
    for name, grad in grads(10).items():
        assert torch.allclose(grad, whole[name], rtol=1e-9, atol=1e-12), name


@pytest.mark.parametrize(
    "relations", [AITMConfig(), ESMMConfig(), ESCM2Config(), ESCM2Config(estimator="dr")]
)
@pytest.mark.parametrize("config", [EqualConfig(), UPGradConfig(at="parameters")])
def test_what_relations_add_counts_by_its_own_rows(
    relations: RelationConfig, config: BalancerSection
) -> None:
    assert_like_whole(config, size=7, relations=relations)


def test_dropout_draws_the_same_in_all_runs_over_the_rows() -> None:
    network = build(MMoEConfig(n_experts=2, expert_dims=(8,), dropout_rate=0.5)).train()
    passes = MicroBatches(network, rows(), n_rows=6, seed=1, with_cut=False)
    runs = [torch.cat([given.result.outputs for given in passes]) for _ in range(2)]
    assert torch.equal(*runs)
    assert torch.equal(runs[0].detach(), passes.outputs)
    others = MicroBatches(network, rows(), n_rows=6, seed=2, with_cut=False)
    assert not torch.equal(others.outputs, passes.outputs)


def test_running_statistics_move_once_for_each_row() -> None:
    network = build(HoMEConfig()).train()
    passes = MicroBatches(network, rows(), n_rows=10, seed=1, with_cut=False)
    states = [[buffer.clone() for buffer in network.buffers()]]
    for _ in range(2):
        passes.descend(torch.ones(3, dtype=torch.float64))
        states.append([buffer.clone() for buffer in network.buffers()])
    before, once, twice = states
    assert not all(torch.equal(*pair) for pair in zip(before, once, strict=True))
    assert all(torch.equal(*pair) for pair in zip(once, twice, strict=True))


def test_a_look_at_gradients_is_that_of_the_whole() -> None:
    found = diagnose(build(MMOE).train(), rows(), micro_batch_size=6, seed=1)
    whole = diagnose(build(MMOE).train(), rows())
    assert torch.allclose(found.representation, whole.representation, rtol=1e-9)
    assert torch.allclose(found.by_tensor, whole.by_tensor, rtol=1e-9)


def test_a_loss_that_is_not_finite_is_found_in_its_part() -> None:
    batch = rows()
    batch.labels[13, 1], batch.observed[13, 1] = torch.nan, True
    with pytest.raises(TrainingError, match=r"rating \(nan\).*rows of the log: 13\."):
        step(EqualConfig(), size=5, batch=batch)


def test_small_batches_are_taken_whole() -> None:
    found = passes_of(build(MMOE), rows(), micro_batch_size=20, seed=1, with_cut=False)
    assert not isinstance(found, MicroBatches)


def test_balancers_that_weigh_rows_refuse_to_see_parts() -> None:
    with pytest.raises(ConfigError, match=r"training\.micro_batch_size. = 8 cuts batches"):
        refuse_micro_batches(8, balancer_of(PAPERecConfig()))
    refuse_micro_batches(None, balancer_of(PAPERecConfig()))
    refuse_micro_batches(8, balancer_of(FAMOConfig()))


def test_preferences_stay_with_their_rows() -> None:
    preference = torch.arange(60.0).view(20, 3)
    parts = replace(rows(), preference=preference).split(8)
    found = [part.preference for part in parts if part.preference is not None]
    assert [len(part) for part in parts] == [8, 8, 4]
    assert torch.equal(torch.cat(found), preference)
