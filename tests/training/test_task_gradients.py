"""Gradients of single tasks: where they are taken, and that they are those of autograd."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from paretorank.architectures import (
    AdaTTConfig,
    ArchitectureConfig,
    AttentionMMoEConfig,
    CGCConfig,
    CrossStitchConfig,
    DSelectKConfig,
    HoMEConfig,
    MMoEConfig,
    OMoEConfig,
    PLEConfig,
    SharedBottomConfig,
)
from paretorank.data.batch import Batch
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, TableSpec
from paretorank.model import ModelConfig, MultiTaskRanker, build_model
from paretorank.model.cut import Cut
from paretorank.model.ranker import TrainingLosses
from paretorank.relations import AITMConfig, RelationConfig, UnrelatedConfig
from paretorank.tasks import BinaryTask, RegressionTask, TaskConfig
from paretorank.training.task_gradients import (
    MixedGradients,
    WrittenGradients,
    at_parameters,
    at_representation,
)

TASKS: dict[str, TaskConfig] = {
    "click": BinaryTask(label="c"),
    "rating": RegressionTask(label="r"),
    "like": BinaryTask(label="l", parent="click"),
}
LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=6, dim=3),),
    categorical=(CategoricalColumn(feature="user", table="user"),),
    ragged=(),
    numeric=(NumericColumn(name="x"),),
    labels=(),
)
N_ROWS = 20
MIXING: list[ArchitectureConfig] = [
    SharedBottomConfig(hidden_dims=(8,)),
    OMoEConfig(n_experts=2, expert_dims=(8,)),
    MMoEConfig(n_experts=2, expert_dims=(8, 6)),
    DSelectKConfig(n_experts=2, expert_dims=(8,)),
    CGCConfig(expert_dims=(8,)),
    PLEConfig(expert_dims=(8,)),
    AdaTTConfig(expert_dims=(8,)),
]
OTHERS: list[ArchitectureConfig] = [
    CrossStitchConfig(hidden_dims=(8,)),
    HoMEConfig(),
    AttentionMMoEConfig(n_experts=2, expert_dims=(8,), n_heads=2),
]
ATTENTION = AttentionMMoEConfig(n_experts=2, expert_dims=(8,))
"""Its mixing weights are made of what they mix."""


def build(
    architecture: ArchitectureConfig, relations: RelationConfig | None = None
) -> MultiTaskRanker:
    config = ModelConfig(
        architecture=architecture,
        tower_dims=(4,),
        relations=relations or UnrelatedConfig(),
    )
    return build_model(config, LAYOUT, TASKS, seed=1).double()


def rows() -> Batch:
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(2, (N_ROWS, 3), generator=generator).double()
    return Batch(
        codes=torch.randint(6, (N_ROWS, 1), generator=generator, dtype=torch.int32),
        numeric=torch.randn(N_ROWS, 1, generator=generator).double(),
        ragged=(),
        labels=labels,
        observed=torch.rand(N_ROWS, 3, generator=generator) < 0.8,
        weight=torch.rand(N_ROWS, generator=generator).double() + 0.5,
        request=torch.arange(N_ROWS),
        row=torch.arange(N_ROWS),
    )


def run(model: MultiTaskRanker) -> tuple[TrainingLosses, Cut]:
    result = model.training_losses(rows(), with_cut=True)
    assert result.cut is not None
    return result, result.cut


def one_by_one(losses: Tensor, tensor: Tensor) -> Tensor:
    return torch.stack(
        [torch.autograd.grad(loss, tensor, retain_graph=True)[0].flatten() for loss in losses]
    )


ALL = torch.arange(3)
NAME: Callable[[ArchitectureConfig], str] = lambda config: config.kind  # noqa: E731


@pytest.mark.parametrize("architecture", MIXING, ids=NAME)
def test_one_pass_through_towers_gives_all_gradients_at_the_experts(
    architecture: ArchitectureConfig,
) -> None:
    result, cut = run(build(architecture))
    assert cut.experts is not None
    found = at_representation(result.losses, ALL, cut)
    assert isinstance(found, MixedGradients)
    jacobian = one_by_one(result.losses, cut.experts)
    assert torch.allclose(found.gramian(), jacobian @ jacobian.T, rtol=1e-9)
    assert torch.allclose(found.jacobian(), jacobian, rtol=1e-9)


@pytest.mark.parametrize("architecture", MIXING, ids=NAME)
def test_rows_of_the_gramian_sum_to_it(architecture: ArchitectureConfig) -> None:
    result, cut = run(build(architecture))
    found = at_representation(result.losses, ALL, cut)
    assert torch.allclose(found.row_gramians().sum(dim=0), found.gramian(), rtol=1e-9)


@pytest.mark.parametrize("architecture", [*MIXING, *OTHERS], ids=NAME)
def test_what_an_architecture_represents_is_what_it_returns(
    architecture: ArchitectureConfig,
) -> None:
    model = build(architecture)
    x = torch.randn(5, model.bank.out_dim, dtype=torch.float64)
    represented = model.architecture.represent(x)
    assert torch.equal(represented.h, model.architecture(x))
    if represented.experts is not None:
        assert represented.mixing is not None
        mixed = represented.mixing @ represented.experts
        assert torch.allclose(mixed, represented.h, rtol=1e-12)


@pytest.mark.parametrize("architecture", OTHERS, ids=NAME)
def test_without_a_named_cut_gradients_are_taken_at_the_input(
    architecture: ArchitectureConfig,
) -> None:
    result, cut = run(build(architecture))
    assert cut.experts is None
    jacobian = one_by_one(result.losses, cut.x)
    found = at_representation(result.losses, ALL, cut)
    assert torch.allclose(found.gramian(), jacobian @ jacobian.T, rtol=1e-9)


def test_related_towers_are_passed_task_by_task() -> None:
    result, cut = run(build(MIXING[2], AITMConfig()))
    assert cut.experts is not None
    found = at_representation(result.losses, ALL, cut)
    assert isinstance(found, WrittenGradients)
    jacobian = one_by_one(result.losses, cut.experts)
    assert torch.allclose(found.gramian(), jacobian @ jacobian.T, rtol=1e-9)


@pytest.mark.parametrize("relations", [UnrelatedConfig(), AITMConfig()], ids=["none", "aitm"])
@pytest.mark.parametrize("architecture", [*MIXING, *OTHERS, ATTENTION], ids=NAME)
def test_gradients_at_parameters_are_those_of_autograd(
    architecture: ArchitectureConfig, relations: RelationConfig
) -> None:
    model = build(architecture, relations)
    result, cut = run(model)
    parameters = model.shared_parameters()
    found = at_parameters(result.losses, ALL, cut, parameters)
    expected = [
        torch.autograd.grad(
            loss, parameters, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        for loss in result.losses
    ]
    for at, tensor in enumerate(found.by_tensor):
        assert torch.allclose(tensor, torch.stack([each[at] for each in expected]), atol=1e-14)
    jacobian = found.jacobian()
    assert torch.allclose(found.gramian(), jacobian @ jacobian.T, rtol=1e-9)


TWO_LAYERS: list[ArchitectureConfig] = [
    MMoEConfig(n_experts=2, expert_dims=(8, 6)),
    DSelectKConfig(n_experts=2, expert_dims=(8, 6)),
    AttentionMMoEConfig(n_experts=2, expert_dims=(8, 6)),
]


@pytest.mark.parametrize("relations", [UnrelatedConfig(), AITMConfig()], ids=["none", "aitm"])
@pytest.mark.parametrize("architecture", TWO_LAYERS, ids=NAME)
def test_the_pass_to_tables_is_the_same_when_it_is_foretold(
    architecture: ArchitectureConfig, relations: RelationConfig
) -> None:
    model = build(architecture, relations)
    result, cut = run(model)
    others = [*model.embedding_parameters(), *model.towers.parameters()]
    weights = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)
    total = result.losses @ weights
    expected = torch.autograd.grad(total, others, retain_graph=True)
    found = at_parameters(result.losses, ALL, cut, model.shared_parameters())
    assert found.rows is not None
    found.rows.foretell(weights)
    for one, other in zip(torch.autograd.grad(total, others), expected, strict=True):
        assert torch.allclose(one.to_dense(), other.to_dense(), rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("architecture", [*MIXING[4:], *OTHERS], ids=NAME)
def test_nothing_is_foretold_where_tasks_own_layers_of_the_experts(
    architecture: ArchitectureConfig,
) -> None:
    model = build(architecture)
    result, cut = run(model)
    assert at_parameters(result.losses, ALL, cut, model.shared_parameters()).rows is None


def test_one_layer_is_passed_without_a_look_at_the_rows_below_it() -> None:
    model = build(MIXING[2])
    result, cut = run(model)
    last = model.architecture.last_shared_layer()
    assert at_parameters(result.losses, ALL, cut, last).rows is None


def test_absent_tasks_have_no_row() -> None:
    result, cut = run(build(MIXING[2]))
    tasks = torch.tensor([0, 2])
    whole = at_representation(result.losses, ALL, cut).gramian()
    found = at_representation(result.losses, tasks, cut)
    assert torch.allclose(found.gramian(), whole[tasks][:, tasks], rtol=1e-12)


def test_embedding_tables_are_not_among_the_shared_parameters() -> None:
    model = build(MIXING[2])
    tables = {id(table) for table in model.embedding_parameters()}
    assert tables
    assert not tables & {id(parameter) for parameter in model.shared_parameters()}
