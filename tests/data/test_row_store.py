"""Rows that are kept on disk or in memory come back as they went in."""

from pathlib import Path

import numpy as np
import pytest

from paretorank.data.row_store import BLOCK_ROWS, RowStore

PAIR = np.dtype([("key", np.uint64), ("labels", np.float32, (2,))])


@pytest.mark.parametrize("on_disk", [True, False])
def test_rows_come_back_in_their_order(tmp_path: Path, *, on_disk: bool) -> None:
    store = RowStore(np.dtype(np.float32), tmp_path if on_disk else None, shape=(3,))
    rows = np.arange(30, dtype=np.float32).reshape(10, 3)
    store.append(rows[:4])
    np.testing.assert_array_equal(store.read(1, 3), rows[1:3])
    store.append(rows[4:])
    assert len(store) == 10
    np.testing.assert_array_equal(store.whole(), rows)
    np.testing.assert_array_equal(store.read(8, 99), rows[8:])
    store.close()
    assert len(store) == 0


def test_records_come_back_whole(tmp_path: Path) -> None:
    store = RowStore(PAIR, tmp_path)
    rows = np.zeros(5, PAIR)
    rows["key"], rows["labels"][:, 1] = np.arange(5), np.nan
    store.append(rows[::2])
    found = store.whole()
    assert found["key"].tolist() == [0, 2, 4]
    assert np.isnan(found["labels"][:, 1]).all()


def test_blocks_do_not_depend_on_how_rows_came() -> None:
    stores = [RowStore(np.dtype(np.int64), None) for _ in range(2)]
    rows = np.arange(BLOCK_ROWS + 7)
    stores[0].append(rows)
    for part in np.array_split(rows, 9):
        stores[1].append(part)
    for one, other in zip(stores[0].blocks(), stores[1].blocks(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_has_no_name(tmp_path: Path) -> None:
    store = RowStore(np.dtype(np.int64), tmp_path)
    store.append(np.arange(4))
    assert list(tmp_path.iterdir()) == []
    store.close()
