"""The whole network: what comes out, from what, and on what it depends."""

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from paretorank.architectures import (
    ArchitectureConfig,
    AttentionMMoEConfig,
    MMoEConfig,
    OMoEConfig,
    PEPNetConfig,
    SharedBottomConfig,
    STEMConfig,
)
from paretorank.blocks import whole_rows
from paretorank.data.batch import Batch
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, TableSpec
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.progress import Progress
from paretorank.model import (
    ModelConfig,
    MultiTaskRanker,
    build_model,
    score_batches,
    start_at_base_rates,
)
from paretorank.tasks import BinaryTask, RankingConfig, RegressionTask, TaskConfig

TASKS: dict[str, TaskConfig] = {
    "click": BinaryTask(label="c"),
    "rating": RegressionTask(label="r"),
    "like": BinaryTask(label="l"),
}
LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=6, dim=None), TableSpec(name="item", n_codes=7, dim=2)),
    categorical=(
        CategoricalColumn(feature="user", table="user"),
        CategoricalColumn(feature="item", table="item"),
    ),
    ragged=(),
    numeric=(NumericColumn(name="x"),),
    labels=(),
)
ARCHITECTURES: tuple[ArchitectureConfig, ...] = (
    SharedBottomConfig(hidden_dims=(8,)),
    OMoEConfig(n_experts=2, expert_dims=(8,)),
    MMoEConfig(n_experts=2, expert_dims=(8,)),
    AttentionMMoEConfig(n_experts=2, expert_dims=(8,)),
    STEMConfig(n_experts=2, expert_dims=(8,)),
    PEPNetConfig(prior=("user", "x"), domain=("item",), hidden_dims=(8,)),
)


def build(
    *,
    seed: int = 1,
    architecture: ArchitectureConfig = ARCHITECTURES[2],
    wide: bool = True,
    tower_dims: tuple[int, ...] = (8,),
    tasks: Sequence[str] = tuple(TASKS),
) -> MultiTaskRanker:
    config = ModelConfig(
        architecture=architecture, embedding_dim=4, tower_dims=tower_dims, wide=wide
    )
    return build_model(config, LAYOUT, {name: TASKS[name] for name in tasks}, seed=seed)


def rows(n: int, *, n_tasks: int = len(TASKS)) -> Batch:
    generator = torch.Generator().manual_seed(n)
    return Batch(
        codes=torch.randint(6, (n, 2), generator=generator, dtype=torch.int32),
        numeric=torch.randn(n, 1, generator=generator),
        ragged=(),
        labels=torch.randint(2, (n, n_tasks), generator=generator).float(),
        observed=torch.ones(n, n_tasks, dtype=torch.bool),
        weight=torch.ones(n),
        request=torch.arange(n),
        row=torch.arange(n),
    )


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda config: config.kind)
@pytest.mark.parametrize("n_rows", [1, 5])
def test_there_is_one_logit_per_row_and_task(architecture: ArchitectureConfig, n_rows: int) -> None:
    model = build(architecture=architecture)
    batch = rows(n_rows)
    assert model(batch).shape == (n_rows, 3)
    assert model.scores(batch).shape == (n_rows, 3)
    model.task_losses(batch).sum().backward()


@pytest.mark.parametrize("kind", ["fm", "dcn_v2", "gated"])
def test_the_inputs_may_interact_before_they_are_shared(kind: str) -> None:
    config = ModelConfig.model_validate(
        {"interaction": {"kind": kind}, "architecture": ARCHITECTURES[2], "embedding_dim": 2}
    )
    model, batch = build_model(config, LAYOUT, TASKS, seed=1), rows(5)
    assert model.interaction is not None
    x = model.interaction(whole_rows(model.bank(batch)))
    hidden = model.towers(model.architecture(x))
    torch.testing.assert_close(model(batch), model.output(hidden))
    model.task_losses(batch).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_a_single_task_and_a_single_row_keep_both_axes() -> None:
    model = build(tasks=("click",))
    assert model(rows(1, n_tasks=1)).shape == (1, 1)


def test_scores_of_binary_tasks_are_probabilities_and_of_regressions_the_numbers() -> None:
    model, batch = build(), rows(5)
    logits, scores = model(batch), model.scores(batch)
    torch.testing.assert_close(scores[:, 0], logits[:, 0].sigmoid())
    torch.testing.assert_close(scores[:, 1], logits[:, 1])
    assert not scores.requires_grad


def test_a_row_is_scored_alike_whatever_stands_beside_it() -> None:
    model, batch = build(), rows(5)
    one = Batch(
        batch.codes[2:3],
        batch.numeric[2:3],
        (),
        batch.labels[2:3],
        batch.observed[2:3],
        batch.weight[2:3],
        batch.request[2:3],
        batch.row[2:3],
    )
    torch.testing.assert_close(model.scores(one), model.scores(batch)[2:3])


def test_the_weights_depend_on_the_seed_and_not_on_the_global_generator() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = build(seed=3).state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    assert same(one, build(seed=3).state_dict())
    assert not same(one, build(seed=4).state_dict())


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda config: config.kind)
def test_every_parameter_gets_a_gradient(architecture: ArchitectureConfig) -> None:
    model = build(architecture=architecture)
    model.task_losses(rows(20)).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_tables_are_told_apart_from_dense_parameters() -> None:
    model = build()
    assert [tuple(p.shape) for p in model.embedding_parameters()] == [(7, 2), (6, 4)]
    assert [tuple(p.shape) for p in model.wide_parameters()] == [(13, 3)]
    assert build(wide=False).wide_parameters() == []


def test_the_wide_part_starts_without_a_say() -> None:
    batch = rows(5)
    assert torch.equal(build(wide=True)(batch), build(wide=False)(batch))


def test_linear_heads_are_allowed() -> None:
    assert build(tower_dims=())(rows(4)).shape == (4, 3)


def test_tasks_start_at_the_best_constant_prediction() -> None:
    model = build()
    labels = torch.tensor([[1.0, 4.0, math.nan], [0.0, 6.0, math.nan], [0.0, math.nan, math.nan]])
    start_at_base_rates(model, labels)
    expected = [math.log((1 / 3) / (2 / 3)), 5.0, 0.0]
    assert model.output.logit_bias.tolist() == pytest.approx(expected, rel=1e-5)


def test_a_model_without_features_is_refused() -> None:
    nothing = Layout(tables=(), categorical=(), ragged=(), numeric=(), labels=())
    with pytest.raises(ConfigError, match="no feature") as error:
        build_model(ModelConfig(), nothing, TASKS, seed=1)
    assert "[features]" in error.value.hint


@pytest.mark.parametrize("training", [True, False])
def test_many_rows_are_scored_in_order_and_the_mode_is_kept(training: bool) -> None:
    model, batches, seen = build().train(training), [rows(3), rows(2)], list[Progress]()
    scores = score_batches(model, batches, total=5, listener=seen.append)
    expected = torch.cat([model.scores(batch) for batch in batches])
    assert scores.tolist() == expected.tolist()
    assert model.training is training
    assert [(event.done, event.total) for event in seen] == [(3, 5), (5, 5)]


def test_no_batch_gives_an_empty_table_of_scores() -> None:
    assert score_batches(build(), []).shape == (0, 3)


def test_ranking_losses_compare_the_rows_of_a_request_that_weigh_something() -> None:
    tasks = {"click": BinaryTask(label="c", ranking=RankingConfig(kind="pairwise", weight=1.0))}
    model = build_model(ModelConfig(architecture=ARCHITECTURES[0]), LAYOUT, tasks, seed=1)
    batch = rows(4, n_tasks=1)
    labels = torch.tensor([[1.0], [0.0], [0.0], [1.0]])

    def loss(request: list[int], weight: list[float]) -> Tensor:
        changed = replace(
            batch, labels=labels, request=torch.tensor(request), weight=torch.tensor(weight)
        )
        return model.task_losses(changed)[0].detach()

    apart, everywhere = loss([0, 1, 2, 3], [1.0] * 4), [1.0] * 4
    assert loss([0, 0, 1, 1], everywhere) > apart
    logit = model(batch).detach()[:, 0]
    pairs = torch.nn.functional.softplus(torch.stack([logit[1] - logit[0], logit[2] - logit[3]]))
    torch.testing.assert_close(loss([0, 0, 1, 1], everywhere), apart + pairs.mean())
    weightless = [1.0, 0.0, 1.0, 1.0]
    expected = loss([0, 1, 2, 3], weightless) + 2 * pairs[1] / 3
    torch.testing.assert_close(loss([0, 0, 1, 1], weightless), expected)
