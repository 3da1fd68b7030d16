"""How every ragged column becomes one vector per row."""

import subprocess
import sys

import pytest
import torch

from paretorank.data.layout import CategoricalColumn, Layout, RaggedColumn, TableSpec
from paretorank.embedding.sequences import SequencePools

DIM = 2
VECTORS = torch.tensor([[1.0, -1.0], [3.0, 5.0], [2.0, 2.0]])
OFFSETS = torch.tensor([0, 2, 2, 3])

# Shape checks are off in a fresh process: they do not survive export.
EXPORT = """
import torch
from torch.export import Dim, export
from paretorank.embedding.history_transformer import HistoryTransformer
from paretorank.embedding.target_attention import TargetAttention

generator = torch.Generator().manual_seed(0)
rows, ids = Dim("rows", min=2), Dim("ids", min=2)

def draw(n):
    return torch.randn(n, 4, generator=generator)

attention = TargetAttention(4, 6, normalize=True, generator=generator)
example = (draw(3), draw(7), torch.tensor([0, 4, 4, 7]))
shapes = ({0: rows}, {0: ids}, {0: rows + 1})
exported = export(attention, example, dynamic_shapes=shapes).module()
other = (draw(5), draw(11), torch.tensor([0, 8, 8, 8, 9, 11]))
torch.testing.assert_close(exported(*other), attention(*other))

transformer = HistoryTransformer(4, 6, generator=generator)
shapes = ({0: ids}, {0: Dim("starts", min=3)})
exported = export(transformer, example[1:], dynamic_shapes=shapes).module()
torch.testing.assert_close(exported(*other[1:]), transformer(*other[1:]))
"""


def pools(*columns: RaggedColumn) -> SequencePools:
    layout = Layout(
        tables=(TableSpec(name="item", n_codes=5, dim=DIM),),
        categorical=(
            CategoricalColumn(feature="item", table="item"),
            CategoricalColumn(feature="last", table="item"),
        ),
        ragged=columns,
        numeric=(),
        labels=(),
    )
    return SequencePools(layout, [DIM] * len(columns), generator=torch.Generator().manual_seed(0))


def test_plain_poolings_learn_nothing() -> None:
    kinds = ("sum", "mean", "max")
    plain = pools(*(RaggedColumn(feature=k, table="item", pooling=k) for k in kinds))
    pooled = [plain(at, VECTORS, OFFSETS)[0].tolist() for at in range(3)]
    assert pooled == [[4.0, 4.0], [2.0, 2.0], [3.0, 5.0]]
    assert not list(plain.parameters())


def test_each_learned_pooling_has_a_network_of_its_own() -> None:
    column = RaggedColumn(feature="a", table="item", pooling="transformer", max_length=3)
    both = pools(column, column)
    one, two = (both(at, VECTORS, OFFSETS) for at in range(2))
    assert one.shape == (3, DIM)
    assert not torch.allclose(one, two)


def test_a_list_is_compared_with_the_column_that_it_names() -> None:
    seen = RaggedColumn(
        feature="seen", table="item", pooling="target_attention", target="last", max_length=3
    )
    plain = RaggedColumn(feature="tags", table="item", pooling="sum")
    assert pools(plain, seen).targets == {1: 1}


@pytest.mark.parametrize("pooling", ["target_attention", "transformer"])
def test_a_learned_pooling_has_to_know_the_longest_list(pooling: str) -> None:
    column = RaggedColumn(feature="seen", table="item", pooling=pooling, target="item")
    with pytest.raises(ValueError, match="'seen' must say how long"):
        pools(column)


@pytest.mark.slow
def test_learned_poolings_can_be_exported_for_any_number_of_rows_and_ids() -> None:
    done = subprocess.run(
        [sys.executable, "-c", EXPORT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
