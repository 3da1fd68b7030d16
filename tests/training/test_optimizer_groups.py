"""Which parameter is stepped how."""

import pytest
import torch
from torch import Tensor, nn

from paretorank.architectures import (
    AttentionMMoEConfig,
    CrossStitch,
    CrossStitchConfig,
    MMoEConfig,
    SharedBottomConfig,
)
from paretorank.balancing import Equal, Uncertainty
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, TableSpec
from paretorank.model import ModelConfig, MultiTaskRanker, build_model
from paretorank.tasks import BinaryTask, DurationTask
from paretorank.training import TrainingConfig
from paretorank.training.dense_adam import DenseAdam
from paretorank.training.optimizers import Optimizers, build_optimizers
from paretorank.training.row_optimizers import RowAdagrad, RowAdam

LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=6, dim=3),),
    categorical=(CategoricalColumn(feature="user", table="user"),),
    ragged=(),
    numeric=(NumericColumn(name="x"),),
    labels=(),
)
ARCHITECTURES = (
    SharedBottomConfig(hidden_dims=(8, 4)),
    MMoEConfig(n_experts=2, expert_dims=(8, 4)),
    AttentionMMoEConfig(n_experts=2, expert_dims=(8, 4), scoring="additive"),
    CrossStitchConfig(hidden_dims=(8, 4), rate_factor=20.0),
)


def build(architecture: object = ARCHITECTURES[1]) -> MultiTaskRanker:
    config = ModelConfig.model_validate({"architecture": architecture, "tower_dims": (4,)})
    tasks = {"click": BinaryTask(label="c"), "watch": DurationTask(label="w")}
    return build_model(config, LAYOUT, tasks, seed=1)


def optimizers(config: TrainingConfig, model: MultiTaskRanker | None = None) -> Optimizers:
    balancer = Uncertainty(("click", "watch"), torch.ones(2))
    return build_optimizers(config, model or build(), balancer)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda config: config.kind)
def test_every_parameter_is_in_exactly_one_group(architecture: object) -> None:
    model, balancer = build(architecture), Uncertainty(("click", "watch"), torch.ones(2))
    built = build_optimizers(TrainingConfig(), model, balancer)
    stepped = [
        id(p)
        for optimizer in built.by_name.values()
        for group in optimizer.param_groups
        for p in group["params"]
    ]
    assert len(stepped) == len(set(stepped))
    assert set(stepped) == {id(p) for p in (*model.parameters(), *balancer.parameters())}


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda config: config.kind)
def test_weight_decay_shrinks_matrices_and_nothing_else(architecture: object) -> None:
    model = build(architecture)
    built = optimizers(TrainingConfig(weight_decay=0.1), model)
    names = {id(p): name for name, p in model.named_parameters()}
    decayed = {
        names[id(p)]
        for optimizer in built.by_name.values()
        for group in optimizer.param_groups
        if group.get("weight_decay", 0.0) > 0
        for p in group["params"]
    }
    assert decayed
    assert not [name for name in decayed if "bias" in name or "table" in name]
    assert not [name for name in decayed if "log_sigma" in name]
    weights = {n for n in names.values() if "weight" in n and "table" not in n}
    assert weights <= decayed


def test_tables_get_their_own_row_wise_optimizers_and_rates() -> None:
    config = TrainingConfig(
        learning_rate=0.1,
        embedding_learning_rate=0.2,
        wide_learning_rate=0.3,
        balancer_learning_rate=0.4,
        embedding_optimizer="adagrad",
    )
    built = optimizers(config)
    kinds = {name: type(optimizer) for name, optimizer in built.by_name.items()}
    assert kinds == {
        "dense": DenseAdam,
        "tables": RowAdagrad,
        "wide": RowAdagrad,
        "balancer": DenseAdam,
    }
    rates = {name: optimizer.param_groups[0]["lr"] for name, optimizer in built.by_name.items()}
    assert rates == {"dense": 0.1, "tables": 0.2, "wide": 0.3, "balancer": 0.4}
    assert isinstance(optimizers(TrainingConfig()).by_name["tables"], RowAdam)


def test_the_schedule_scales_every_rate_but_the_balancers() -> None:
    built = optimizers(TrainingConfig(learning_rate=0.1, balancer_learning_rate=0.4))
    built.set_rate(0.5)
    built.set_rate(0.25)  # of the full rate, not of the last one
    assert {group["lr"] for group in built.by_name["dense"].param_groups} == {0.025}
    assert built.by_name["balancer"].param_groups[0]["lr"] == 0.4


def test_coefficients_between_tasks_step_at_a_rate_of_their_own_and_never_decay() -> None:
    model = build(ARCHITECTURES[3])
    built = optimizers(TrainingConfig(learning_rate=0.01, weight_decay=0.1), model)
    assert isinstance(model.architecture, CrossStitch)
    stitches = {id(p) for p in model.architecture.stitches}
    (group,) = [g for g in built.by_name["dense"].param_groups if g["lr"] > 0.01]
    assert {id(p) for p in group["params"]} == stitches
    assert (group["lr"], group["weight_decay"]) == (pytest.approx(0.2), 0.0)
    built.set_rate(0.5)
    assert group["lr"] == pytest.approx(0.1)
    # The first step of Adam is the learning rate, whatever the gradient.
    before = [p.detach().clone() for p in model.architecture.stitches]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    built.by_name["dense"].step()
    for old, new in zip(before, model.architecture.stitches, strict=True):
        torch.testing.assert_close(old - new, torch.full_like(old, 0.1))


def test_a_balancer_without_parameters_has_no_optimizer() -> None:
    built = build_optimizers(TrainingConfig(), build(), Equal(("click", "watch")))
    assert "balancer" not in built.by_name


def first_dense(built: Optimizers) -> nn.Parameter:
    return built.clipped[0]


@pytest.mark.parametrize(("clip_norm", "expected"), [(1.0, 1.0), (100.0, 7.0), (0.0, 7.0)])
def test_a_dense_gradient_that_is_too_long_is_shortened(clip_norm: float, expected: float) -> None:
    built = optimizers(TrainingConfig())
    for parameter in built.clipped:
        parameter.grad = torch.zeros_like(parameter)
    longest = first_dense(built)
    assert longest.grad is not None
    longest.grad.view(-1)[0] = 7.0
    built.step(clip_norm)
    norm = torch.stack([norm_of(p) for p in built.clipped]).norm()
    assert float(norm) == pytest.approx(expected, rel=1e-4)


def norm_of(parameter: nn.Parameter) -> Tensor:
    assert parameter.grad is not None
    return parameter.grad.norm()


def test_clipping_leaves_tables_and_balancer_alone() -> None:
    model = build()
    built = optimizers(TrainingConfig(), model)
    clipped = {id(p) for p in built.clipped}
    assert not clipped & {id(p) for p in (*model.embedding_parameters(), *model.wide_parameters())}


def test_all_moments_come_back_from_flat_tensors() -> None:
    model, balancer = build(), Uncertainty(("click", "watch"), torch.ones(2))
    built = build_optimizers(TrainingConfig(), model, balancer)
    for parameter in (*model.parameters(), *balancer.parameters()):
        parameter.grad = torch.ones_like(parameter)
    for table in (*model.embedding_parameters(), *model.wide_parameters()):
        table.grad = torch.ones_like(table).to_sparse(1)
    built.step(1.0)
    state = built.state()
    assert all(isinstance(value, Tensor) for value in state.values())
    other = build_optimizers(
        TrainingConfig(), build(), Uncertainty(("click", "watch"), torch.ones(2))
    )
    other.load_state(state)
    again = other.state()
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], state[name]) for name in state)
