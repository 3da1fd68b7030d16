"""Every relation with every architecture and every balancer, on one small batch."""

from dataclasses import replace
from typing import Any, get_args

import pytest
import torch
from pydantic import BaseModel, TypeAdapter

from paretorank.architectures import ArchitectureConfig
from paretorank.balancing import Balancer, BalancerConfig, RowBalancer
from paretorank.data.batch import Batch
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, TableSpec
from paretorank.model import ModelConfig, MultiTaskRanker, build_model, start_at_base_rates
from paretorank.relations import RelationConfig
from paretorank.tasks import BinaryTask, DurationTask, TaskConfig
from paretorank.training.step import StepResult, backward_step

# buy comes after like and play, both after click; watch is no binary task; share stands alone.
TASKS: dict[str, TaskConfig] = {
    "buy": BinaryTask(label="b", parent=("like", "play"), observed_when="like"),
    "click": BinaryTask(label="c"),
    "like": BinaryTask(label="l", parent="click", observed_when="click"),
    "play": BinaryTask(label="p", parent="click"),
    "watch": DurationTask(label="w", parent="click", observed_when="click"),
    "share": BinaryTask(label="s"),
}
NAMES = tuple(TASKS)
BUY, CLICK, LIKE, PLAY, WATCH, SHARE = range(6)
LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=6, dim=3),),
    categorical=(CategoricalColumn(feature="user", table="user"),),
    ragged=(),
    numeric=(NumericColumn(name="x"),),
    labels=(),
)
N_ROWS = 64


def members(union: Any) -> list[Any]:
    return list(get_args(get_args(union)[0]))


NEEDED: dict[str, dict[str, Any]] = {"pepnet": {"prior": ("user",)}}


def built_from_kind(union: Any, member: type[BaseModel]) -> Any:
    adapter: TypeAdapter[Any] = TypeAdapter(union)
    kind = member.model_fields["kind"].default
    return adapter.validate_python({"kind": kind} | NEEDED.get(kind, {}))


def relations() -> list[Any]:
    found = [built_from_kind(RelationConfig, member) for member in members(RelationConfig)]
    escm2 = next(config for config in found if config.kind == "escm2")
    return [*found, escm2.model_copy(update={"estimator": "dr", "self_normalise": True})]


each_relation = pytest.mark.parametrize(
    "relation", relations(), ids=lambda config: f"{config.kind}-{getattr(config, 'estimator', '')}"
)


def kind_of(member: type[BaseModel]) -> str:
    return str(member.model_fields["kind"].default)


def build(relation: Any, architecture: Any = None) -> MultiTaskRanker:
    small = {} if architecture is None else {"architecture": architecture}
    config = ModelConfig(relations=relation, tower_dims=(16,), **small)
    return build_model(config, LAYOUT, TASKS, seed=1).double()


def rows(*, absent: int | None = None) -> Batch:
    generator = torch.Generator().manual_seed(5)
    chance = torch.rand(N_ROWS, 6, generator=generator)
    click = chance[:, CLICK] < 0.6
    like, play = click & (chance[:, LIKE] < 0.6), click & (chance[:, PLAY] < 0.6)
    buy = like & play & (chance[:, BUY] < 0.5)
    watch = 10 * chance[:, WATCH]
    happened = [buy, click, like, play, watch, chance[:, SHARE] < 0.3]
    labels = torch.stack([column.double() for column in happened], dim=1)
    observed = torch.rand(N_ROWS, 6, generator=generator) < 0.9
    observed[:, [LIKE, WATCH]] &= click.unsqueeze(1)
    observed[:, BUY] &= like
    if absent is not None:
        observed[:, absent] = False
    return Batch(
        codes=torch.randint(6, (N_ROWS, 1), generator=generator, dtype=torch.int32),
        numeric=torch.randn(N_ROWS, 1, generator=generator).double(),
        ragged=(),
        labels=torch.where(observed, labels, 0.0),
        observed=observed,
        weight=torch.rand(N_ROWS, generator=generator).double() + 0.5,
        request=torch.arange(N_ROWS),
        row=torch.arange(N_ROWS),
    )


def balancer(member: Any = None) -> Balancer:
    config = built_from_kind(BalancerConfig, member or members(BalancerConfig)[0])
    built: Balancer = config.build(
        task_names=NAMES,
        balance_factors=torch.ones(6),
        generator=torch.Generator().manual_seed(0),
    )
    return built


def step(model: MultiTaskRanker, batch: Batch, balancing: Balancer) -> StepResult:
    ones = torch.ones(6, dtype=batch.weight.dtype)
    return backward_step(model, balancing, ones, batch, place="a test")


def gradients(model: MultiTaskRanker) -> dict[str, torch.Tensor]:
    return {
        name: torch.zeros_like(p) if p.grad is None else p.grad.to_dense()
        for name, p in model.named_parameters()
    }


@each_relation
@pytest.mark.parametrize("member", members(ArchitectureConfig), ids=kind_of)
def test_every_parameter_learns_in_every_architecture(relation: Any, member: Any) -> None:
    model = build(relation, built_from_kind(ArchitectureConfig, member))
    result = step(model, rows(), balancer())
    assert result.losses.isfinite().all()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []
    assert all(grad.isfinite().all() for grad in gradients(model).values())
    scores = model.scores(rows())
    assert scores.isfinite().all()
    assert ((scores[:, :WATCH] >= 0) & (scores[:, :WATCH] <= 1)).all()


@each_relation
@pytest.mark.parametrize("member", members(BalancerConfig), ids=kind_of)
def test_every_balancer_can_weigh_the_losses(relation: Any, member: Any) -> None:
    model, batch = build(relation).float(), rows()
    single = replace(
        batch,
        numeric=batch.numeric.float(),
        labels=batch.labels.float(),
        weight=batch.weight.float(),
    )
    chosen = balancer(member)
    if isinstance(chosen, RowBalancer):
        chosen.begin(model.in_dim)
    result = step(model, single, chosen)
    assert result.losses.isfinite().all()
    assert result.weights.isfinite().all()
    assert all(grad.isfinite().all() for grad in gradients(model).values())


@each_relation
@pytest.mark.parametrize("absent", [CLICK, LIKE, BUY, SHARE])
def test_a_task_without_labels_makes_nothing_infinite_and_others_keep_their_loss(
    relation: Any, absent: int
) -> None:
    model = build(relation)
    whole = model.task_losses(rows())
    result = step(model, rows(absent=absent), balancer())
    assert all(grad.isfinite().all() for grad in gradients(model).values())
    missing = result.losses.isnan()
    assert not missing.all()
    assert missing[absent] or relation.kind in {"esmm", "escm2"}  # known from those above
    untouched = [task for task in (WATCH, SHARE) if task != absent]
    torch.testing.assert_close(result.losses[untouched], whole[untouched].detach())


@each_relation
def test_a_batch_without_any_label_leaves_the_model_alone(relation: Any) -> None:
    model = build(relation)
    batch = replace(rows(), observed=torch.zeros(N_ROWS, 6, dtype=torch.bool))
    result = step(model, batch, balancer())
    assert result.losses.isnan().all()
    assert not any(grad.any() for grad in gradients(model).values())


@each_relation
def test_the_order_of_the_rows_does_not_matter(relation: Any) -> None:
    batch = rows()
    order = torch.randperm(N_ROWS, generator=torch.Generator().manual_seed(2))
    mixed = replace(
        batch,
        codes=batch.codes[order],
        numeric=batch.numeric[order],
        labels=batch.labels[order],
        observed=batch.observed[order],
        weight=batch.weight[order],
        row=batch.row[order],
    )
    found = []
    for each in (batch, mixed):
        model = build(relation)
        result = step(model, each, balancer())
        found.append((result.losses, gradients(model), model.scores(each)))
    (losses, grads, scores), (mixed_losses, mixed_grads, mixed_scores) = found
    torch.testing.assert_close(mixed_losses, losses)
    torch.testing.assert_close(mixed_grads, grads)
    torch.testing.assert_close(mixed_scores, scores[order])


@each_relation
def test_what_is_not_observed_has_no_influence(relation: Any) -> None:
    batch = rows()
    wild = torch.where(batch.observed, batch.labels, torch.nan)
    plain = build(relation).training_losses(batch)
    found = build(relation).training_losses(replace(batch, labels=wild))
    torch.testing.assert_close(found.losses, plain.losses)
    torch.testing.assert_close(found.auxiliary, plain.auxiliary)


@each_relation
def test_training_can_begin_at_base_rates(relation: Any) -> None:
    batch = rows()
    model = build(relation).float()
    start_at_base_rates(model, torch.where(batch.observed, batch.labels, torch.nan).float())
    assert model.output.logit_bias.isfinite().all()


def test_the_weighted_loss_of_escm2_never_reaches_the_towers_of_the_parents() -> None:
    for config in relations():
        if config.kind != "escm2":
            continue
        only = config.model_copy(update={"lambda_global": 0.0})
        model = build(only)
        result = model.training_losses(rows())
        total = result.losses[BUY]
        if result.auxiliary is not None:
            assert config.estimator == "dr"
        total.backward()
        for parameter in (*model.towers.parameters(), model.output.logit_weight):
            assert parameter.grad is not None
            assert parameter.grad[[CLICK, LIKE, PLAY]].abs().max() == 0
            assert parameter.grad[BUY].any()
