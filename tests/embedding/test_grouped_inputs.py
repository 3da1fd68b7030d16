"""Batches that keep what requests have in common once: the same numbers, and less work."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.architectures import MMoEConfig, PEPNetConfig, STEMConfig
from paretorank.blocks import GroupedRows, whole_rows
from paretorank.data.batch import Batch, RaggedBatch, make_batch
from paretorank.data.encoded import EncodedRows, Ragged
from paretorank.data.layout import (
    CategoricalColumn,
    Layout,
    NumericColumn,
    RaggedColumn,
    TableSpec,
)
from paretorank.data.sharing import SharedColumns
from paretorank.embedding import FeatureBank, Wide
from paretorank.embedding.history_transformer import HistoryTransformer
from paretorank.embedding.target_attention import TargetAttention
from paretorank.model import ModelConfig, MultiTaskRanker, build_model
from paretorank.tasks import BinaryTask

N_ROWS = 24
LAYOUT = Layout(
    tables=(
        TableSpec(name="item", n_codes=9, dim=4),
        TableSpec(name="user", n_codes=6, dim=4),
        TableSpec(name="tab", n_codes=3, dim=2),
    ),
    categorical=(
        CategoricalColumn(feature="item", table="item"),
        CategoricalColumn(feature="tab", table="tab"),
        CategoricalColumn(feature="user", table="user"),
    ),
    ragged=(
        RaggedColumn(feature="seen", table="item", pooling="mean"),
        RaggedColumn(
            feature="liked", table="item", pooling="target_attention", target="item", max_length=4
        ),
        RaggedColumn(feature="read", table="item", pooling="transformer", max_length=4),
        RaggedColumn(feature="tags", table="tab", pooling="sum"),
    ),
    numeric=(
        NumericColumn(name="price"),
        NumericColumn(name="age", n_bins=3, has_missing=True),
    ),
    labels=(),
)
SHARED = SharedColumns((1, 2), (1,), (0, 1, 2))
TASKS = {name: BinaryTask(label=name) for name in ("a", "b")}
GROUPINGS = {
    "user and moment": SHARED,
    "codes alone": SharedColumns((2,), (), ()),
    "everything": SharedColumns((0, 1, 2), (0, 1), (0, 1, 2, 3)),
}
each_grouping = pytest.mark.parametrize("shared", GROUPINGS.values(), ids=GROUPINGS)


def some_rows() -> EncodedRows:
    """Return rows of five requests, of which one row each differs from its request."""
    rng = np.random.default_rng(0)
    request = rng.integers(0, 5, N_ROWS)
    moment = np.where(np.arange(N_ROWS) == 7, 2, request % 2)
    age = np.where(request == 3, np.nan, request / 2).astype(np.float32)
    own = rng.integers(0, 9, N_ROWS)
    lengths = (request * 2) % 5  # one request without a history
    offsets = np.cumsum([0, *lengths])
    values = np.concatenate([(np.arange(n) + r) % 9 for r, n in zip(request, lengths, strict=True)])
    history = Ragged(values.astype(np.int32), offsets)
    tags = Ragged((own % 3).astype(np.int32), np.arange(N_ROWS + 1))
    return EncodedRows(
        np.stack([own, moment, request], axis=1).astype(np.int32),
        np.stack([rng.normal(size=N_ROWS), age], axis=1).astype(np.float32),
        (history, history, history, tags),
        rng.integers(0, 2, (N_ROWS, 2)).astype(np.float32),
        np.ones(N_ROWS, np.float32),
        request,
        request,
        np.arange(N_ROWS),
    )


def batches(shared: SharedColumns) -> tuple[Batch, Batch]:
    """Return a batch with shared columns put aside, and the plain one; numbers in float64."""
    grouped = make_batch(some_rows(), shared)
    assert grouped.shared is not None
    grouped = replace(grouped, numeric=grouped.numeric.double())
    return grouped, replace(grouped, shared=None)


def bank(*, n_own: int = 0, prior: tuple[str, ...] = ()) -> FeatureBank:
    generator = torch.Generator().manual_seed(0)
    return FeatureBank(
        LAYOUT, default_dim=4, generator=generator, init_std=1.0, n_own=n_own, prior=prior
    ).double()


def gradients(module: torch.nn.Module, out: Tensor) -> dict[str, Tensor]:
    """Return the gradient of every parameter for a loss that weighs all outputs differently."""
    module.zero_grad(set_to_none=True)
    weight = torch.linspace(-1, 1, out.numel(), dtype=out.dtype).view_as(out)
    (out * weight).sum().backward()
    grads = {name: p.grad for name, p in module.named_parameters()}
    return {n: g.to_dense() if g.is_sparse else g for n, g in grads.items() if g is not None}


def assert_same(one: dict[str, Tensor], two: dict[str, Tensor]) -> None:
    assert one.keys() == two.keys()
    for name, value in one.items():
        torch.testing.assert_close(value, two[name])


@each_grouping
def test_the_inputs_and_the_gradients_of_the_tables_are_the_same(shared: SharedColumns) -> None:
    grouped, plain = batches(shared)
    entrance = bank()
    x = entrance(grouped)
    assert isinstance(x, GroupedRows)
    assert grouped.shared is not None
    assert len(x.shared) == len(grouped.shared.first)
    torch.testing.assert_close(x.whole(), whole_rows(entrance(plain)))
    assert_same(
        gradients(entrance, whole_rows(entrance(grouped))), gradients(entrance, entrance(plain))
    )


@each_grouping
def test_inputs_from_own_tables_and_priors_are_the_same(shared: SharedColumns) -> None:
    grouped, plain = batches(shared)
    entrance = bank(n_own=2, prior=("user", "price", "read"))
    (x, extras), (rows, others) = entrance.inputs(grouped), entrance.inputs(plain)
    torch.testing.assert_close(whole_rows(x), whole_rows(rows))
    assert extras.by_task is not None
    assert extras.prior is not None
    torch.testing.assert_close(extras.by_task, others.by_task)
    torch.testing.assert_close(extras.prior, others.prior)


@each_grouping
def test_the_wide_part_and_its_gradients_are_the_same(shared: SharedColumns) -> None:
    grouped, plain = batches(shared)
    wide = Wide(LAYOUT, n_tasks=2).double()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in wide.parameters():
            parameter.normal_(generator=generator)
    torch.testing.assert_close(wide(grouped), wide(plain))
    assert_same(gradients(wide, wide(grouped)), gradients(wide, wide(plain)))


@pytest.mark.parametrize(
    "architecture",
    [
        MMoEConfig(n_experts=2, expert_dims=(8,)),
        STEMConfig(expert_dims=(8,)),
        PEPNetConfig(prior=("user",), hidden_dims=(8,)),
    ],
    ids=lambda config: config.kind,
)
def test_a_whole_model_scores_and_learns_alike(
    architecture: MMoEConfig | STEMConfig | PEPNetConfig,
) -> None:
    config = ModelConfig(architecture=architecture, embedding_init_std=1.0)
    model: MultiTaskRanker = build_model(config, LAYOUT, TASKS, seed=1).double()
    grouped, plain = batches(SHARED)
    torch.testing.assert_close(model(grouped), model(plain))
    assert_same(gradients(model, model(grouped)), gradients(model, model(plain)))


def test_a_history_is_read_once_per_group_and_compared_once_per_row() -> None:
    entrance, (grouped, _) = bank(), batches(SHARED)
    lists: dict[type, int] = {}
    for network in entrance.sequences.learned.values():
        network.register_forward_hook(
            lambda module, _inputs, out: lists.update({type(module): len(out)})
        )
    entrance(grouped)
    assert grouped.shared is not None
    assert lists == {HistoryTransformer: len(grouped.shared.first), TargetAttention: N_ROWS}


def test_a_learned_pooling_reads_what_stands_in_the_shared_table() -> None:
    entrance, (_, plain) = bank(), batches(SHARED)
    item = entrance.embedding_parameters()["4"][:9]
    lists = plain.ragged[1]
    x = whole_rows(entrance(plain))
    attention = entrance.sequences.learned["1"]
    vectors = item[lists.values.long()]
    expected = attention(item[plain.codes[:, 0].long()], vectors, lists.offsets)
    # two columns of width 4, one of width 2, then the first list
    torch.testing.assert_close(x[:, 14:18], expected)
    read = entrance.sequences.learned["2"](vectors, lists.offsets)
    torch.testing.assert_close(x[:, 18:22], read)


def test_a_padded_place_is_no_row_of_a_table() -> None:
    entrance, (_, plain) = bank(), batches(SHARED)
    few = RaggedBatch(torch.tensor([4], dtype=torch.int32), torch.tensor([0] * N_ROWS + [1]))
    batch = replace(
        plain, codes=torch.full_like(plain.codes, 2), ragged=(few, few, few, plain.ragged[3])
    )
    whole_rows(entrance(batch)).sum().backward()
    grad = entrance.embedding_parameters()["4"].grad
    assert grad is not None
    assert grad.coalesce().indices()[0].tolist() == [2, 4, 9 + 2]  # two items and a user
