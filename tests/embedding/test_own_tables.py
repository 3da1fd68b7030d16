"""Tables of each task's own beside the shared ones."""

import pytest
import torch
from torch import Tensor

from paretorank.architectures import STEMConfig
from paretorank.blocks import whole_rows
from paretorank.data.batch import Batch, RaggedBatch
from paretorank.data.layout import (
    CategoricalColumn,
    Layout,
    NumericColumn,
    RaggedColumn,
    TableSpec,
)
from paretorank.embedding import FeatureBank
from paretorank.model import ModelConfig, MultiTaskRanker, build_model
from paretorank.tasks import BinaryTask, TaskConfig
from paretorank.training.row_optimizers import RowAdam

USERS, ITEMS, DIM = 5, 4, 3
TASKS: dict[str, TaskConfig] = {name: BinaryTask(label=name) for name in ("a", "b")}
LAYOUT = Layout(
    tables=(
        TableSpec(name="user", n_codes=USERS, dim=2),
        TableSpec(name="item", n_codes=ITEMS, dim=DIM),
    ),
    categorical=(
        CategoricalColumn(feature="user", table="user"),
        CategoricalColumn(feature="item", table="item"),
    ),
    ragged=(
        RaggedColumn(feature="seen", table="item", pooling="mean"),
        RaggedColumn(
            feature="liked", table="item", pooling="target_attention", target="item", max_length=3
        ),
        RaggedColumn(feature="read", table="item", pooling="transformer", max_length=3),
    ),
    numeric=(NumericColumn(name="x"),),
    labels=(),
)


def bank(*, n_own: int, init_std: float = 1.0) -> FeatureBank:
    return FeatureBank(
        LAYOUT,
        default_dim=4,
        generator=torch.Generator().manual_seed(0),
        init_std=init_std,
        n_own=n_own,
    )


def batch() -> Batch:
    lists = RaggedBatch(torch.tensor([1, 3, 2], dtype=torch.int32), torch.tensor([0, 2, 2, 3]))
    return Batch(
        codes=torch.tensor([[4, 1], [0, 3], [2, 0]], dtype=torch.int32),
        numeric=torch.tensor([[0.5], [-1.0], [2.0]]),
        ragged=(lists, lists, lists),
        labels=torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]),
        observed=torch.ones(3, 2, dtype=torch.bool),
        weight=torch.ones(3),
        request=torch.arange(3),
        row=torch.arange(3),
    )


def ranker(*, stop_gradient: bool = True) -> MultiTaskRanker:
    architecture = STEMConfig(expert_dims=(8,), stop_gradient=stop_gradient)
    config = ModelConfig(
        architecture=architecture, embedding_init_std=0.5, tower_dims=(4,), wide=False
    )
    return build_model(config, LAYOUT, TASKS, seed=1)


def gradients_of_the_first_task(model: MultiTaskRanker) -> list[Tensor]:
    """Return the gradients of the tables, cut into their three parts: shared, of a, of b."""
    model.task_losses(batch())[0].backward()
    grads = [weight.grad for weight in model.embedding_parameters()]
    assert all(grad is not None and grad.is_sparse for grad in grads)
    wide = [grad.to_dense() for grad in grads if grad is not None]
    return [torch.cat([g.chunk(3, dim=1)[part].flatten() for g in wide]) for part in range(3)]


def test_each_part_of_a_row_of_a_table_is_one_input_of_the_row() -> None:
    looked_up = bank(n_own=2)
    x, extras = looked_up.inputs(batch())
    assert extras.by_task is not None
    assert extras.by_task.shape == (2, 3, looked_up.out_dim)
    for part, rows in enumerate((whole_rows(x), *extras.by_task)):
        user = looked_up.embedding_parameters()["2"][:, part * 2 : (part + 1) * 2]
        item = looked_up.embedding_parameters()["3"][:, part * DIM : (part + 1) * DIM]
        expected = torch.cat([user[4], item[1], (item[1] + item[3]) / 2])
        torch.testing.assert_close(rows[0, : 2 + 2 * DIM], expected)
        assert rows[:, -1].tolist() == [0.5, -1.0, 2.0]


def test_one_part_is_the_bank_without_own_tables() -> None:
    x, extras = bank(n_own=0).inputs(batch())
    assert extras.by_task is None
    assert torch.equal(whole_rows(x), whole_rows(bank(n_own=0)(batch())))


def test_parts_are_drawn_one_after_another_with_the_asked_spread() -> None:
    one = bank(n_own=0).embedding_parameters()["2"]
    three = bank(n_own=2).embedding_parameters()["2"]
    assert three.shape == (USERS, 3 * 2)
    shared, first, second = three.chunk(3, dim=1)
    assert shared.shape == one.shape
    assert not torch.equal(shared, first)
    assert not torch.equal(first, second)
    large = Layout(
        tables=(TableSpec(name="user", n_codes=20_000, dim=2),),
        categorical=(CategoricalColumn(feature="user", table="user"),),
        ragged=(),
        numeric=(),
        labels=(),
    )
    generator = torch.Generator().manual_seed(0)
    drawn = FeatureBank(large, default_dim=2, generator=generator, init_std=0.1, n_own=1)
    spread = drawn.embedding_parameters()["2"].detach().std(dim=0)
    torch.testing.assert_close(spread, torch.full((4,), 0.1), rtol=0.03, atol=0.0)


def test_a_loss_reaches_the_shared_tables_and_those_of_its_own_task_alone() -> None:
    shared, own, other = gradients_of_the_first_task(ranker())
    assert (shared != 0).any()
    assert (own != 0).any()
    assert (other == 0).all()


def test_without_the_stop_gradient_scores_stay_and_the_other_tables_learn() -> None:
    one, two = ranker(), ranker(stop_gradient=False)
    assert torch.equal(one(batch()), two(batch()))
    assert (gradients_of_the_first_task(two)[2] != 0).any()


def test_a_row_optimizer_moves_the_rows_that_were_looked_up_and_no_others() -> None:
    model = ranker()
    before = [weight.detach().clone() for weight in model.embedding_parameters()]
    model.task_losses(batch()).sum().backward()
    RowAdam(model.embedding_parameters(), lr=0.1).step()
    user, item = (
        (new != old).all(dim=1).tolist()
        for new, old in zip(model.embedding_parameters(), before, strict=True)
    )
    assert user == [True, False, True, False, True]
    assert item == [True, True, True, True]


@pytest.mark.parametrize("n_own", [1, 3])
def test_the_width_of_the_input_does_not_depend_on_own_tables(n_own: int) -> None:
    assert bank(n_own=n_own).out_dim == bank(n_own=0).out_dim
