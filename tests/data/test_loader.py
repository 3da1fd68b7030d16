"""Batches: every row once, in an order that seed and epoch decide alone."""

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from paretorank.data.batch import Batch, make_batch
from paretorank.data.encoded import EncodedRows, Ragged
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, RaggedColumn, TableSpec
from paretorank.data.loader import Loader, LoaderConfig
from paretorank.data.shard_format import FORMAT_VERSION, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.data.shard_writer import ShardWriter
from paretorank.data.sharing import SharedColumns
from paretorank.schema import LabelSpec

N_ROWS = 503
LAYOUT = Layout(
    tables=(TableSpec(name="a", n_codes=N_ROWS, dim=None),),
    categorical=(CategoricalColumn(feature="a", table="a"),),
    ragged=(RaggedColumn(feature="s", table="a", pooling="mean"),),
    numeric=(NumericColumn(name="n"),),
    labels=(
        LabelSpec(name="click", column="c", kind="binary"),
        LabelSpec(name="like", column="l", kind="binary"),
    ),
)


def _rows(n_rows: int = N_ROWS) -> EncodedRows:
    row = np.arange(n_rows)
    lengths = row % 4
    return EncodedRows(
        row[:, None].astype(np.int32),
        np.where(row % 5 == 0, np.nan, row)[:, None].astype(np.float32),
        (Ragged(np.repeat(row, lengths).astype(np.int32), np.cumsum([0, *lengths])),),
        np.stack([row % 2, np.where(row % 3, np.nan, 1)], axis=1).astype(np.float32),
        (row / 7).astype(np.float32),
        row * 10,
        row // 3,
        row,
    )


def _write(folder: Path, n_rows: int, shard_rows: int) -> ShardSet:
    writer = ShardWriter(folder, "train", shard_rows)
    rows = _rows(n_rows)
    for at in range(0, n_rows, 61):
        writer.append(rows.slice(at, min(at + 61, n_rows)))
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        made_from="",
        layout=LAYOUT,
        shards=tuple(writer.finish()),
        labels=(),
    )
    manifest.write(folder)
    return ShardSet(folder, Manifest.read(folder), "train")


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> ShardSet:
    return _write(tmp_path_factory.mktemp("shards"), N_ROWS, 100)


def _loader(shards: ShardSet, batch: int = 32, block: int = 17, window: int = 3) -> Loader:
    config = LoaderConfig(block_rows=block, window_blocks=window)
    return Loader(shards, batch_size=batch, config=config)


def _order(batches: Iterator[Batch]) -> list[list[int]]:
    return [batch.row.tolist() for batch in batches]


def _flat(parts: list[list[int]]) -> list[int]:
    return [row for part in parts for row in part]


@pytest.mark.parametrize("batch", [1, 32, 100, N_ROWS, 10_000])
@pytest.mark.parametrize(
    ("block", "window"), [(1, 1), (17, 3), (100, 2), (N_ROWS, 1), (N_ROWS + 1, 5), (16_384, 16)]
)
def test_every_row_comes_exactly_once_in_full_batches(
    shards: ShardSet, batch: int, block: int, window: int
) -> None:
    loader = _loader(shards, batch, block, window)
    parts = _order(loader.shuffled(seed=0, epoch=0))
    assert sorted(_flat(parts)) == list(range(N_ROWS))
    assert len(parts) == loader.n_steps == -(-N_ROWS // batch)
    assert all(len(part) == batch for part in parts[:-1])
    assert len(parts[-1]) == (N_ROWS % batch or batch)


def test_seed_and_epoch_decide_the_order(shards: ShardSet) -> None:
    loader = _loader(shards)
    orders = [
        _order(loader.shuffled(seed=seed, epoch=epoch))
        for seed, epoch in ((0, 0), (0, 0), (0, 1), (1, 0))
    ]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    assert orders[0] != orders[3]
    assert orders[2] != orders[3]


def test_a_single_block_is_mixed_anew_in_every_epoch(shards: ShardSet) -> None:
    loader = _loader(shards, block=N_ROWS, window=1)
    orders = [_flat(_order(loader.shuffled(seed=0, epoch=epoch))) for epoch in range(3)]
    assert orders[0] != orders[1] != orders[2] != orders[0]


def test_the_batch_size_does_not_change_the_order(shards: ShardSet) -> None:
    one, two = (_order(_loader(shards, batch).shuffled(seed=0, epoch=3)) for batch in (7, 50))
    assert _flat(one) == _flat(two)


def test_the_size_of_shards_does_not_change_the_order(shards: ShardSet, tmp_path: Path) -> None:
    other = _write(tmp_path, N_ROWS, 37)
    one, two = (_order(_loader(part).shuffled(seed=0, epoch=0)) for part in (shards, other))
    assert one == two


@pytest.mark.parametrize("step", range(17))
def test_resuming_at_a_step_gives_exactly_the_rest(shards: ShardSet, step: int) -> None:
    loader = _loader(shards)
    whole = _order(loader.shuffled(seed=5, epoch=2))
    assert len(whole) == 16
    assert _order(loader.shuffled(seed=5, epoch=2, first_step=step)) == whole[step:]


def test_in_order_is_the_order_of_the_log(shards: ShardSet) -> None:
    parts = _order(_loader(shards).in_order())
    assert _flat(parts) == list(range(N_ROWS))
    assert [len(part) for part in parts] == [32] * 15 + [23]


def test_rows_are_mixed_within_and_across_blocks(tmp_path: Path) -> None:
    shards = _write(tmp_path, 4000, 1000)
    order = np.array(_flat(_order(_loader(shards, 100, 50, 16).shuffled(seed=0, epoch=0))))
    assert abs(float(np.corrcoef(order, np.arange(4000))[0, 1])) < 0.3
    first = order[:100] // 50  # blocks of the rows of the first batch
    assert len(set(first.tolist())) == 16
    neighbours = np.abs(np.diff(order)) == 1
    assert neighbours.mean() < 0.02


def test_every_batch_draws_from_as_many_blocks_as_chance_would(tmp_path: Path) -> None:
    n_blocks, block, window, batch = 80, 50, 16, 100
    shards = _write(tmp_path, n_blocks * block, 1000)
    parts = _order(_loader(shards, batch, block, window).shuffled(seed=0, epoch=0))
    found = [len({row // block for row in part}) for part in parts]
    by_chance = window * (1 - (1 - 1 / window) ** batch)  # of 100 draws from 16 blocks: 15.97
    assert np.mean(found) == pytest.approx(by_chance, abs=0.2)
    assert min(found) >= window - 2


def test_all_that_belongs_to_a_row_stays_together(shards: ShardSet) -> None:
    for batch in _loader(shards).shuffled(seed=0, epoch=0):
        row = batch.row
        assert torch.equal(batch.codes[:, 0].long(), row)
        assert torch.equal(batch.numeric[:, 0].isnan(), row % 5 == 0)
        assert torch.equal(batch.labels[:, 0], (row % 2).float())
        assert torch.equal(batch.observed[:, 1], row % 3 == 0)
        assert torch.allclose(batch.weight, row / 7)
        ragged = batch.ragged[0]
        assert torch.equal(ragged.offsets.diff(), row % 4)
        assert torch.equal(ragged.values.long(), row.repeat_interleave(row % 4))


def test_labels_that_are_not_observed_read_zero() -> None:
    batch = make_batch(_rows(4))
    assert batch.labels.tolist() == [[0, 1], [1, 0], [0, 0], [1, 1]]
    assert batch.observed.tolist() == [[True, True], [True, False], [True, False], [True, True]]
    assert len(batch) == 4


def test_a_batch_moves_as_a_whole() -> None:
    moved = make_batch(_rows(4)).to("meta")
    parts = [moved.codes, moved.numeric, moved.labels, moved.observed, moved.weight, moved.row]
    parts += [moved.ragged[0].values, moved.ragged[0].offsets]
    assert {part.device.type for part in parts} == {"meta"}


def test_changing_a_batch_does_not_change_the_data_set(shards: ShardSet) -> None:
    loader = _loader(shards, batch=N_ROWS)
    for batch in loader.in_order():
        batch.codes.zero_()
        batch.labels.zero_()
        batch.weight.zero_()
    shards.verify()
    assert next(loader.in_order()).codes[:, 0].tolist() == list(range(N_ROWS))


def test_no_rows_give_no_batches(tmp_path: Path) -> None:
    loader = _loader(_write(tmp_path, 0, 10))
    assert loader.n_steps == 0
    assert _order(loader.in_order()) == []
    assert _order(loader.shuffled(seed=0, epoch=0)) == []


def _by_request(shards: ShardSet, batch: int = 32, block: int = 48, window: int = 3) -> Loader:
    config = LoaderConfig(block_rows=block, window_blocks=window, shuffle="requests")
    return Loader(shards, batch_size=batch, config=config)


@pytest.mark.parametrize("batch", [1, 32, 100, N_ROWS, 10_000])
@pytest.mark.parametrize(("block", "window"), [(1, 1), (17, 3), (N_ROWS, 1), (16_384, 16)])
def test_by_request_every_row_comes_exactly_once_too(
    shards: ShardSet, batch: int, block: int, window: int
) -> None:
    loader = _by_request(shards, batch, block, window)
    parts = _order(loader.shuffled(seed=0, epoch=0))
    assert sorted(_flat(parts)) == list(range(N_ROWS))
    assert len(parts) == loader.n_steps
    assert all(len(part) == batch for part in parts[:-1])


@pytest.mark.parametrize("batch", [7, 32])
def test_by_request_the_rows_of_a_request_stay_together_in_their_order(
    shards: ShardSet, batch: int
) -> None:
    # Blocks of 48 rows hold whole requests of three.
    order = _flat(_order(_by_request(shards, batch).shuffled(seed=0, epoch=0)))
    requests = [row // 3 for row in order]
    begins = [at for at, request in enumerate(requests) if at == 0 or request != requests[at - 1]]
    assert len(begins) == len(set(requests))
    inside = [(a, b) for a, b in itertools.pairwise(order) if a // 3 == b // 3]
    assert all(b == a + 1 for a, b in inside)


def test_by_request_the_requests_are_mixed_anew_in_every_epoch(shards: ShardSet) -> None:
    loader = _by_request(shards, block=N_ROWS)
    orders = [_flat(_order(loader.shuffled(seed=s, epoch=e))) for s, e in ((0, 0), (0, 1), (1, 0))]
    assert orders[0] != orders[1]
    assert orders[0] != orders[2]
    assert orders[0] == _flat(_order(loader.shuffled(seed=0, epoch=0)))
    assert abs(float(np.corrcoef(orders[0], np.arange(N_ROWS))[0, 1])) < 0.3


@pytest.mark.parametrize("step", range(17))
def test_by_request_resuming_at_a_step_gives_exactly_the_rest(shards: ShardSet, step: int) -> None:
    loader = _by_request(shards)
    whole = _order(loader.shuffled(seed=5, epoch=2))
    assert len(whole) == 16
    assert _order(loader.shuffled(seed=5, epoch=2, first_step=step)) == whole[step:]


def test_by_request_a_resumed_batch_has_the_same_groups(shards: ShardSet) -> None:
    loader = replace_shared(_by_request(shards), SharedColumns((), (), (0,)))
    whole = list(loader.shuffled(seed=5, epoch=2))
    rest = list(loader.shuffled(seed=5, epoch=2, first_step=4))
    for one, two in zip(whole[4:], rest, strict=True):
        assert one.shared is not None
        assert two.shared is not None
        assert torch.equal(one.shared.first, two.shared.first)
        assert torch.equal(one.shared.group, two.shared.group)


def replace_shared(loader: Loader, shared: SharedColumns) -> Loader:
    loader.shared = shared
    return loader


def _threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "paretorank-loader"]


def test_an_error_of_the_thread_is_raised_in_the_loop(
    shards: ShardSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ShardSet.read

    def broken(self: ShardSet, start: int, stop: int) -> EncodedRows:
        if start >= 200:
            raise OSError("the disk is gone")
        return whole(self, start, stop)

    monkeypatch.setattr(ShardSet, "read", broken)
    batches = _loader(shards, batch=20).in_order()
    assert [len(next(batches)) for _ in range(10)] == [20] * 10
    with pytest.raises(OSError, match="the disk is gone"):
        next(batches)
    with pytest.raises(OSError, match="the disk is gone"):
        _order(_loader(shards).shuffled(seed=0, epoch=0))
    assert _threads() == []


@pytest.mark.parametrize("steps", [0, 1, 3])
def test_leaving_early_stops_the_thread(shards: ShardSet, steps: int) -> None:
    batches = _loader(shards, batch=2).shuffled(seed=0, epoch=0)
    for _ in range(steps):
        next(batches)
    assert len(_threads()) == (1 if steps else 0)
    batches.close()  # type: ignore[attr-defined] # an iterator here is a generator
    assert _threads() == []


def test_an_error_in_the_loop_stops_the_thread(shards: ShardSet) -> None:
    def consume() -> None:
        for _ in _loader(shards, batch=2).shuffled(seed=0, epoch=0):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        consume()
    assert _threads() == []


def test_two_loops_may_run_at_once(shards: ShardSet) -> None:
    loader = _loader(shards)
    one, two = loader.shuffled(seed=0, epoch=0), loader.shuffled(seed=0, epoch=1)
    pairs = [(a.row.tolist(), b.row.tolist()) for a, b in zip(one, two, strict=True)]
    assert sorted(row for a, _ in pairs for row in a) == list(range(N_ROWS))
    assert sorted(row for _, b in pairs for row in b) == list(range(N_ROWS))
