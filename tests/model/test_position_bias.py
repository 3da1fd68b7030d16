"""The position adds to logits in training, and to nothing else."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from paretorank.data.batch import Batch, SharedPart
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, TableSpec
from paretorank.data.sharing import SharedColumns
from paretorank.foundation.errors import ConfigError
from paretorank.model import ModelConfig, MultiTaskRanker, PositionBias, build_model
from paretorank.tasks import BinaryTask, RegressionTask, TaskConfig

TASKS: dict[str, TaskConfig] = {"click": BinaryTask(label="c"), "rating": RegressionTask(label="r")}
LAYOUT = Layout(
    tables=(
        TableSpec(name="user", n_codes=6, dim=None),
        TableSpec(name="place", n_codes=5, dim=2),
        TableSpec(name="item", n_codes=7, dim=None),
    ),
    categorical=(
        CategoricalColumn(feature="user", table="user"),
        CategoricalColumn(feature="place", table="place"),
        CategoricalColumn(feature="item", table="item"),
    ),
    ragged=(),
    numeric=(
        NumericColumn(name="x"),
        NumericColumn(name="depth", n_bins=3),
        NumericColumn(name="y"),
    ),
    labels=(),
)
N_ROWS = 12
PLACE, DEPTH = 1, 1


def rows() -> Batch:
    generator = torch.Generator().manual_seed(0)
    return Batch(
        codes=torch.randint(5, (N_ROWS, 3), generator=generator, dtype=torch.int32),
        numeric=3 * torch.rand(N_ROWS, 3, generator=generator),
        ragged=(),
        labels=torch.randint(2, (N_ROWS, 2), generator=generator).float(),
        observed=torch.ones(N_ROWS, 2, dtype=torch.bool),
        weight=torch.rand(N_ROWS, generator=generator) + 0.5,
        request=torch.arange(N_ROWS),
        row=torch.arange(N_ROWS),
    )


def build(position: str | None) -> MultiTaskRanker:
    config = ModelConfig(embedding_dim=4, tower_dims=(8,), position=position)
    return build_model(config, LAYOUT, TASKS, seed=1)


def bias(model: MultiTaskRanker) -> PositionBias:
    assert model.position is not None
    return model.position


def moved(batch: Batch, position: str) -> Batch:
    """Return the same rows, shown elsewhere."""
    if position == "place":
        codes = batch.codes.clone()
        codes[:, PLACE] = (codes[:, PLACE] + 1) % 5
        return replace(batch, codes=codes)
    numeric = batch.numeric.clone()
    numeric[:, DEPTH] = 3 - numeric[:, DEPTH]
    return replace(batch, numeric=numeric)


def taught(position: str) -> MultiTaskRanker:
    model = build(position)
    with torch.no_grad():
        weight = bias(model).weight
        weight.copy_(torch.randn(weight.shape, generator=torch.Generator().manual_seed(1)))
    return model


each_position = pytest.mark.parametrize("position", ["place", "depth"])


@each_position
def test_scores_do_not_know_the_position_and_losses_do(position: str) -> None:
    model, batch = taught(position), rows()
    elsewhere = moved(batch, position)
    assert torch.equal(model.scores(batch), model.scores(elsewhere))
    assert torch.equal(model(batch), model(elsewhere))
    assert (model.task_losses(batch) != model.task_losses(elsewhere)).all()


@each_position
def test_nothing_is_added_at_the_start_and_all_of_it_can_learn(position: str) -> None:
    model = build(position)
    result = model.training_losses(rows())
    assert torch.equal(result.outputs, model(rows()))
    result.losses.sum().backward()
    grad = bias(model).weight.grad
    assert grad is not None
    assert (grad != 0).any(dim=0).all()


def test_a_place_adds_its_own_number_less_the_average() -> None:
    model, batch = taught("place"), rows()
    added = model.training_losses(batch).outputs - model(batch)
    own = bias(model).weight[batch.codes[:, PLACE].long()]
    mean = (own * batch.weight.unsqueeze(1)).sum(dim=0) / batch.weight.sum()
    torch.testing.assert_close(added, own - mean, rtol=1e-4, atol=1e-5)


def test_a_number_adds_its_inputs_times_a_weight() -> None:
    model, batch = taught("depth"), rows()
    unfolded = (batch.numeric[:, DEPTH : DEPTH + 1] - torch.arange(3.0)).clamp(0, 1)
    own = unfolded @ bias(model).weight
    mean = (own * batch.weight.unsqueeze(1)).sum(dim=0) / batch.weight.sum()
    torch.testing.assert_close(bias(model)(batch), own - mean)


def test_rows_without_weight_add_nothing_and_break_nothing() -> None:
    batch = replace(rows(), weight=torch.zeros(N_ROWS))
    assert bias(taught("place"))(batch).isfinite().all()


@each_position
def test_the_rest_of_the_model_has_no_input_and_no_table_for_it(position: str) -> None:
    model, without = build(position), build(None)
    assert model.bank.out_dim == without.bank.out_dim - (2 if position == "place" else 3)
    tables = [table.name for table in model.bank.layout.tables]
    assert ("place" in tables) == (position != "place")


def test_a_table_that_another_feature_shares_stays() -> None:
    shared = CategoricalColumn(feature="last_place", table="place")
    layout = LAYOUT.model_copy(update={"categorical": (*LAYOUT.categorical, shared)})
    left = PositionBias(layout, "place", n_tasks=2).layout
    assert [column.feature for column in left.categorical] == ["user", "item", "last_place"]
    assert left.tables == LAYOUT.tables


def with_shared(batch: Batch) -> Batch:
    """Put aside columns as if each pair of rows had come from one request."""
    columns = SharedColumns(categorical=(0, PLACE), numeric=(DEPTH, 2), ragged=())
    first = torch.arange(0, N_ROWS, 2)

    def alike(values: Tensor, at: tuple[int, ...]) -> Tensor:
        copy = values.clone()
        copy[1::2, list(at)] = copy[::2, list(at)]
        return copy

    part = SharedPart(
        columns, first, (), torch.arange(N_ROWS) // 2, torch.arange(N_ROWS), first.clone()
    )
    return replace(
        batch,
        codes=alike(batch.codes, columns.categorical),
        numeric=alike(batch.numeric, columns.numeric),
        shared=part,
    )


@each_position
def test_columns_that_requests_share_are_renumbered(position: str) -> None:
    model, batch = taught(position), with_shared(rows())
    plain = replace(batch, shared=None)
    torch.testing.assert_close(model.scores(batch), model.scores(plain))
    torch.testing.assert_close(model.task_losses(batch), model.task_losses(plain))
    hidden = bias(model).hide(batch).shared
    assert hidden is not None
    expected = ((0,), (1, 2)) if position == "place" else ((0, 1), (1,))
    assert (hidden.columns.categorical, hidden.columns.numeric) == expected


def test_an_unknown_position_is_refused_with_the_closest_feature() -> None:
    with pytest.raises(ConfigError, match=r"model\.position.*'plase'") as caught:
        build("plase")
    assert caught.value.hint == "Did you mean 'place'?"
