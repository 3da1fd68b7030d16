"""What the rows of a request have in common, and which rows share it."""

from pathlib import Path

import numpy as np
import pytest

from paretorank.data.batch import make_batch
from paretorank.data.encoded import EncodedRows, Ragged
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, RaggedColumn, TableSpec
from paretorank.data.shard_format import FORMAT_VERSION, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.data.shard_writer import ShardWriter
from paretorank.data.sharing import SharedColumns, find_shared_columns, group_alike
from paretorank.schema import LabelSpec

LAYOUT = Layout(
    tables=(TableSpec(name="a", n_codes=1000, dim=None),),
    categorical=tuple(CategoricalColumn(feature=f, table="a") for f in ("item", "user", "tab")),
    ragged=tuple(RaggedColumn(feature=f, table="a", pooling="mean") for f in ("seen", "tags")),
    numeric=(NumericColumn(name="age"), NumericColumn(name="price")),
    labels=(LabelSpec(name="click", column="c", kind="binary"),),
)
EVERYTHING_OF_THE_USER = SharedColumns((1,), (0,), (0,))


def lists(*rows: tuple[int, ...]) -> Ragged:
    values = [value for row in rows for value in row]
    offsets = np.cumsum([0, *map(len, rows)])
    return Ragged(np.array(values, np.int32), offsets.astype(np.int64))


def make_rows(
    request: np.ndarray, codes: np.ndarray, numeric: np.ndarray, *ragged: Ragged
) -> EncodedRows:
    n_rows = len(request)
    return EncodedRows(
        codes.astype(np.int32),
        numeric.astype(np.float32),
        ragged,
        np.zeros((n_rows, 1), np.float32),
        np.ones(n_rows, np.float32),
        request.astype(np.int64),
        request.astype(np.int64),
        np.arange(n_rows),
    )


def rows_of_requests(n_requests: int = 199, per_request: int = 4) -> EncodedRows:
    """Return rows whose user, age and history repeat; the rows of a request are scattered."""
    request = np.tile(np.arange(n_requests), per_request)
    own = np.arange(len(request))
    age = np.where(request % 3 == 0, np.nan, request)
    return make_rows(
        request,
        np.stack([own, request, own % 2], axis=1),
        np.stack([age, own * 0.5], axis=1),
        lists(*(tuple(range(r % 4)) for r in request.tolist())),
        lists(*(tuple(range(o % 5)) for o in own.tolist())),
    )


def write(folder: Path, rows: EncodedRows) -> ShardSet:
    writer = ShardWriter(folder, "train", 150)
    writer.append(rows)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        made_from="",
        layout=LAYOUT,
        shards=tuple(writer.finish()),
        labels=(),
    )
    manifest.write(folder)
    return ShardSet(folder, Manifest.read(folder), "train")


def some_rows() -> EncodedRows:
    """Return two requests of three rows each that agree in what is the user's."""
    return make_rows(
        np.array([7, 9, 7, 7, 9, 9]),
        np.array([[1, 5, 0], [2, 6, 0], [3, 5, 1], [4, 5, 0], [5, 6, 1], [6, 6, 0]]),
        np.array([[0.5, 1], [np.nan, 2], [0.5, 3], [0.5, 4], [np.nan, 5], [np.nan, 6]]),
        lists((1, 2), (), (1, 2), (1, 2), (), ()),
        lists((1,), (2,), (3,), (), (5,), (6,)),
    )


def test_columns_of_the_user_are_found_and_those_of_the_item_are_not(tmp_path: Path) -> None:
    shards = write(tmp_path, rows_of_requests())
    assert find_shared_columns(shards) == EVERYTHING_OF_THE_USER


def test_a_column_that_differs_now_and_then_is_not_shared(tmp_path: Path) -> None:
    rows = rows_of_requests()
    rows.codes[::20, 1] = 999
    assert find_shared_columns(write(tmp_path, rows)) == SharedColumns((), (0,), (0,))


def test_a_column_that_hardly_ever_differs_is_shared(tmp_path: Path) -> None:
    rows = rows_of_requests()
    rows.codes[-1, 1] = 999
    assert find_shared_columns(write(tmp_path, rows)) == EVERYTHING_OF_THE_USER


@pytest.mark.parametrize("n_requests", [0, 50])
def test_rows_that_stand_alone_share_nothing(tmp_path: Path, n_requests: int) -> None:
    shards = write(tmp_path, rows_of_requests(n_requests, 1))
    found = find_shared_columns(shards)
    assert found == SharedColumns((), (), ())
    assert not found


def test_the_rows_of_a_request_form_a_group() -> None:
    groups = group_alike(some_rows(), EVERYTHING_OF_THE_USER)
    assert groups.first.tolist() == [0, 1]
    assert groups.group.tolist() == [0, 1, 0, 0, 1, 1]


@pytest.mark.parametrize("part", ["code", "number", "missing", "list", "longer list"])
def test_a_row_that_differs_in_a_shared_column_stands_alone(part: str) -> None:
    rows = some_rows()
    if part == "code":
        rows.codes[2, 1] = 8
    elif part == "number":
        rows.numeric[2, 0] = 0.25
    elif part == "missing":
        rows.numeric[2, 0] = np.nan
    else:
        other = (1, 3) if part == "list" else (1, 2, 2)
        changed = lists((1, 2), (), other, (1, 2), (), ())
        rows = make_rows(rows.request, rows.codes, rows.numeric, changed, rows.ragged[1])
    groups = group_alike(rows, EVERYTHING_OF_THE_USER)
    assert groups.first.tolist() == [0, 1, 2]
    assert groups.group.tolist() == [0, 1, 2, 0, 1, 1]


def test_a_row_that_differs_elsewhere_shares() -> None:
    groups = group_alike(some_rows(), SharedColumns((1,), (), ()))
    assert groups.group.tolist() == [0, 1, 0, 0, 1, 1]
    assert group_alike(some_rows(), SharedColumns((0,), (), ())).first.tolist() == list(range(6))


def test_rows_of_different_requests_never_share() -> None:
    rows = some_rows()
    rows.codes[:, 1], rows.numeric[:, 0] = 5, 0.5
    groups = group_alike(rows, SharedColumns((1,), (0,), ()))
    assert groups.group.tolist() == [0, 1, 0, 0, 1, 1]


def test_every_row_finds_its_shared_columns_in_the_first_of_its_group() -> None:
    rng = np.random.default_rng(0)
    request = rng.integers(0, 40, 300)
    codes = np.stack([rng.integers(0, 3, 300), request % 7, rng.integers(0, 2, 300)], axis=1)
    codes[rng.random(300) < 0.1, 1] = 8
    numeric = np.stack([np.where(rng.random(300) < 0.2, np.nan, request), request], axis=1)
    ragged = lists(*(tuple(range(n)) for n in rng.integers(0, 2, 300).tolist()))
    rows = make_rows(request, codes, numeric, ragged, ragged)
    groups = group_alike(rows, EVERYTHING_OF_THE_USER)
    leader = groups.first[groups.group]
    np.testing.assert_array_equal(rows.codes[leader, 1], rows.codes[:, 1])
    np.testing.assert_array_equal(rows.numeric[leader, 0], rows.numeric[:, 0])
    taken = ragged.take(leader)
    np.testing.assert_array_equal(taken.values, ragged.values)
    np.testing.assert_array_equal(taken.offsets, ragged.offsets)
    np.testing.assert_array_equal(rows.request[leader], rows.request)
    assert len(groups.first) < 300


def test_a_batch_puts_shared_columns_aside_once_per_group() -> None:
    batch = make_batch(some_rows(), EVERYTHING_OF_THE_USER)
    part = batch.shared
    assert part is not None
    assert part.first.tolist() == [0, 1]
    assert part.group.tolist() == [0, 1, 0, 0, 1, 1]
    assert part.members.tolist() == [0, 2, 3, 1, 4, 5]
    assert part.starts.tolist() == [0, 3]
    assert part.ragged[0].values.tolist() == [1, 2]
    assert part.ragged[0].offsets.tolist() == [0, 2, 2]
    assert make_batch(some_rows(), SharedColumns((), (), ())).shared is None
    assert make_batch(some_rows()).shared is None


def test_what_is_put_aside_moves_with_the_batch() -> None:
    moved = make_batch(some_rows(), EVERYTHING_OF_THE_USER).to("meta").shared
    assert moved is not None
    tensors = [moved.first, moved.group, moved.members, moved.starts, moved.ragged[0].values]
    assert {tensor.device.type for tensor in tensors} == {"meta"}
