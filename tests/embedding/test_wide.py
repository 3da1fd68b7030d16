"""The linear model per task beside the network."""

import numpy as np
import torch

from paretorank.data.batch import Batch, RaggedBatch
from paretorank.data.layout import (
    CategoricalColumn,
    Layout,
    NumericColumn,
    RaggedColumn,
    TableSpec,
)
from paretorank.embedding import Wide

N_TASKS = 3
LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=4, dim=2), TableSpec(name="item", n_codes=5, dim=7)),
    categorical=(
        CategoricalColumn(feature="user", table="user"),
        CategoricalColumn(feature="item", table="item"),
    ),
    ragged=(RaggedColumn(feature="history", table="item", pooling="max"),),
    numeric=(NumericColumn(name="x"), NumericColumn(name="price", n_bins=2)),
    labels=(),
)
BATCH = Batch(
    codes=torch.tensor([[3, 1], [0, 4]], dtype=torch.int32),
    numeric=torch.tensor([[2.0, 1.5], [-1.0, 0.0]]),
    ragged=(RaggedBatch(torch.tensor([0, 2], dtype=torch.int32), torch.tensor([0, 2, 2])),),
    labels=torch.zeros(2, N_TASKS),
    observed=torch.ones(2, N_TASKS, dtype=torch.bool),
    weight=torch.ones(2),
    request=torch.arange(2),
    row=torch.arange(2),
)


def build() -> Wide:
    return Wide(LAYOUT, n_tasks=N_TASKS)


def test_it_starts_at_zero() -> None:
    assert torch.equal(build()(BATCH), torch.zeros(2, N_TASKS))


def test_it_adds_one_weight_per_task_for_every_code_and_number() -> None:
    wide, rng = build(), np.random.default_rng(0)
    table, weight = rng.normal(size=(4 + 5, N_TASKS)), rng.normal(size=(3, N_TASKS))
    with torch.no_grad():
        wide.table.weight.copy_(torch.from_numpy(table))
        wide.weight.copy_(torch.from_numpy(weight))
    user, item = table[:4], table[4:]
    first = user[3] + item[1] + (item[0] + item[2]) / 2 + np.array([2.0, 1.0, 0.5]) @ weight
    second = user[0] + item[4] + np.array([-1.0, 0.0, 0.0]) @ weight
    np.testing.assert_allclose(wide(BATCH).detach().numpy(), [first, second], rtol=1e-5)


def test_the_gradient_of_one_task_reaches_its_own_weights_only() -> None:
    wide = build()
    wide(BATCH)[:, 1].sum().backward()
    table, weight = wide.table.weight.grad, wide.weight.grad
    assert table is not None
    assert weight is not None
    assert table.is_sparse
    assert (table.to_dense()[:, [0, 2]] == 0).all()
    assert (weight[:, [0, 2]] == 0).all()
    assert (table.to_dense()[[3, 5, 0, 8], 1] == 1).all()


def test_numbers_alone_are_enough() -> None:
    numbers = Layout(
        tables=(), categorical=(), ragged=(), numeric=(NumericColumn(name="x"),), labels=()
    )
    wide = Wide(numbers, n_tasks=2)
    rows = Batch(
        codes=torch.zeros(2, 0, dtype=torch.int32),
        numeric=torch.tensor([[1.0], [3.0]]),
        ragged=(),
        labels=torch.zeros(2, 2),
        observed=torch.ones(2, 2, dtype=torch.bool),
        weight=torch.ones(2),
        request=torch.arange(2),
        row=torch.arange(2),
    )
    with torch.no_grad():
        wide.weight.copy_(torch.tensor([[2.0, -1.0]]))
    assert wide(rows).tolist() == [[2.0, -1.0], [6.0, -3.0]]
    wide(rows).sum().backward()
