"""The entrance of a model: codes, ragged codes and numbers to one row of inputs."""

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.data.batch import Batch, RaggedBatch
from paretorank.data.layout import (
    CategoricalColumn,
    Layout,
    NumericColumn,
    RaggedColumn,
    TableSpec,
)
from paretorank.embedding import FeatureBank

USERS, ITEMS, TAGS = 5, 4, 3


def layout(*, pooling: str = "mean") -> Layout:
    return Layout(
        tables=(
            TableSpec(name="user", n_codes=USERS, dim=2),
            TableSpec(name="item", n_codes=ITEMS, dim=None),
            TableSpec(name="tag", n_codes=TAGS, dim=2),
        ),
        categorical=(
            CategoricalColumn(feature="user", table="user"),
            CategoricalColumn(feature="item", table="item"),
            CategoricalColumn(feature="tag", table="tag"),
            CategoricalColumn(feature="last_item", table="item"),
        ),
        ragged=(
            RaggedColumn(feature="history", table="item", pooling=pooling),
            RaggedColumn(feature="interests", table="tag", pooling="sum"),
        ),
        numeric=(NumericColumn(name="age"), NumericColumn(name="price", n_bins=2)),
        labels=(),
    )


def build(*, pooling: str = "mean", seed: int = 0) -> FeatureBank:
    return FeatureBank(
        layout(pooling=pooling),
        default_dim=3,
        generator=torch.Generator().manual_seed(seed),
        init_std=1.0,
    )


def some_batch(codes: Tensor, numeric: Tensor, *ragged: RaggedBatch) -> Batch:
    n_rows = len(codes)
    return Batch(
        codes=codes,
        numeric=numeric,
        ragged=ragged,
        labels=torch.zeros(n_rows, 0),
        observed=torch.zeros(n_rows, 0, dtype=torch.bool),
        weight=torch.ones(n_rows),
        request=torch.arange(n_rows),
        row=torch.arange(n_rows),
    )


def batch() -> Batch:
    return some_batch(
        torch.tensor([[4, 1, 0, 1], [0, 3, 2, 0]], dtype=torch.int32),
        torch.tensor([[0.5, 1.25], [-1.0, 0.0]]),
        RaggedBatch(torch.tensor([1, 3, 3], dtype=torch.int32), torch.tensor([0, 3, 3])),
        RaggedBatch(torch.tensor([2], dtype=torch.int32), torch.tensor([0, 0, 1])),
    )


def tables_of(bank: FeatureBank) -> dict[str, np.ndarray]:
    """Return the three tables; those of one width lie below each other in one matrix."""
    weights = {name: w.detach().numpy() for name, w in bank.embedding_parameters().items()}
    return {"user": weights["2"][:USERS], "tag": weights["2"][USERS:], "item": weights["3"]}


def test_a_row_is_put_together_as_by_hand() -> None:
    bank, tables = build(), tables_of(build())
    user, item, tag = tables["user"], tables["item"], tables["tag"]
    first = [
        *user[4],
        *tag[0],  # columns of one width stand together, in the order of the log
        *item[1],
        *item[1],  # the same table for another column
        *((item[1] + 2 * item[3]) / 3),
        *np.zeros(2),  # no interests
        0.5,
        *(1.0, 0.25),
    ]
    second = [*user[0], *tag[2], *item[3], *item[0], *np.zeros(3), *tag[2], -1.0, 0.0, 0.0]
    np.testing.assert_allclose(bank(batch()).detach().numpy(), [first, second], rtol=1e-6)


def test_out_dim_is_the_width_of_the_output() -> None:
    bank = build()
    assert bank(batch()).shape == (2, bank.out_dim)
    assert bank.out_dim == 2 + 3 + 2 + 3 + 3 + 2 + 1 + 2


@pytest.mark.parametrize("pooling", ["mean", "sum", "max"])
def test_histories_are_pooled_as_the_layout_says(pooling: str) -> None:
    bank = build(pooling=pooling)
    item = tables_of(bank)["item"]
    seen = item[[1, 3, 3]]
    expected = {"mean": seen.mean(0), "sum": seen.sum(0), "max": seen.max(0)}[pooling]
    x = bank(batch()).detach().numpy()
    np.testing.assert_allclose(x[0, 10:13], expected, rtol=1e-6)
    assert (x[1, 10:13] == 0).all()


def test_the_gradient_is_sparse_and_reaches_only_rows_that_were_looked_up() -> None:
    bank = build()
    bank(batch()).sum().backward()
    touched = {"2": {4, 0, USERS + 0, USERS + 2}, "3": {1, 3, 0}}
    for name, weight in bank.embedding_parameters().items():
        assert weight.grad is not None
        assert weight.grad.is_sparse
        gradient = weight.grad.coalesce()
        assert set(gradient.indices()[0].tolist()) == touched[name]
    item = bank.embedding_parameters()["3"].grad
    assert item is not None
    # item 1: twice as a column, once of three in the history
    torch.testing.assert_close(item.to_dense()[1], torch.full((3,), 2 + 1 / 3))


def test_the_tables_depend_on_the_generator_only() -> None:
    torch.manual_seed(1)
    one = build(seed=5).embedding_parameters()
    torch.manual_seed(2)
    two, other = build(seed=5).embedding_parameters(), build(seed=6).embedding_parameters()
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not any(torch.equal(one[name], other[name]) for name in one)


def test_numbers_alone_are_enough() -> None:
    numbers_only = Layout(
        tables=(), categorical=(), ragged=(), numeric=(NumericColumn(name="x"),), labels=()
    )
    bank = FeatureBank(numbers_only, default_dim=3, generator=torch.Generator())
    x = bank(some_batch(torch.zeros(2, 0, dtype=torch.int32), torch.tensor([[1.0], [2.0]])))
    assert x.tolist() == [[1.0], [2.0]]
    assert not bank.embedding_parameters()


def test_codes_alone_are_enough() -> None:
    codes_only = Layout(
        tables=(TableSpec(name="user", n_codes=3, dim=2),),
        categorical=(CategoricalColumn(feature="user", table="user"),),
        ragged=(),
        numeric=(),
        labels=(),
    )
    bank = FeatureBank(codes_only, default_dim=3, generator=torch.Generator().manual_seed(0))
    x = bank(some_batch(torch.tensor([[2]], dtype=torch.int32), torch.zeros(1, 0)))
    assert torch.equal(x, bank.embedding_parameters()["2"][2:].detach())
