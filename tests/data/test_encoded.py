"""Encoded rows are cut and joined like lists of rows."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.encoded import EncodedRows, Ragged, concatenate

LISTS = st.lists(st.lists(st.integers(0, 9), max_size=4), max_size=8)


def _ragged(rows: list[list[int]]) -> Ragged:
    return Ragged(
        np.array([v for row in rows for v in row], dtype=np.int32),
        np.cumsum([0, *map(len, rows)], dtype=np.int64),
    )


def _rows(ragged: Ragged) -> list[list[int]]:
    pairs = zip(ragged.offsets, ragged.offsets[1:], strict=False)
    return [ragged.values[a:b].tolist() for a, b in pairs]


def _encoded(lists: list[list[int]], first: int = 0) -> EncodedRows:
    n = len(lists)
    row = np.arange(first, first + n)
    return EncodedRows(
        np.stack([row, row * 2], axis=1).astype(np.int32),
        row[:, None].astype(np.float32),
        (_ragged(lists), _ragged([values[::-1] for values in lists])),
        np.full((n, 2), np.nan, np.float32),
        np.ones(n, np.float32),
        row * 10,
        row // 3,
        row,
    )


def _as_tuples(rows: EncodedRows) -> list[tuple[object, ...]]:
    return list(
        zip(
            rows.codes.tolist(),
            rows.numeric.tolist(),
            *(_rows(ragged) for ragged in rows.ragged),
            rows.weight.tolist(),
            rows.user.tolist(),
            rows.row.tolist(),
            strict=True,
        )
    )


@settings(max_examples=50)
@given(LISTS, st.data())
def test_take_is_indexing(lists: list[list[int]], data: st.DataObject) -> None:
    rows = _encoded(lists)
    at = data.draw(st.lists(st.sampled_from(range(len(lists))), max_size=9)) if lists else []
    naive = _as_tuples(rows)
    taken = rows.take(np.array(at, dtype=np.int64))
    assert len(taken) == len(at)
    assert _as_tuples(taken) == [naive[i] for i in at]


@settings(max_examples=50)
@given(LISTS, st.integers(0, 8), st.integers(0, 8))
def test_slice_is_slicing(lists: list[list[int]], a: int, b: int) -> None:
    start, stop = sorted((min(a, len(lists)), min(b, len(lists))))
    part = _encoded(lists).slice(start, stop)
    assert _as_tuples(part) == _as_tuples(_encoded(lists))[start:stop]
    assert all(ragged.offsets[0] == 0 for ragged in part.ragged)


@settings(max_examples=50)
@given(st.lists(LISTS, min_size=1, max_size=4))
def test_concatenate_is_addition(parts: list[list[list[int]]]) -> None:
    whole = concatenate([_encoded(part) for part in parts])
    assert _as_tuples(whole) == [row for part in parts for row in _as_tuples(_encoded(part))]


def test_slices_are_views() -> None:
    rows = _encoded([[1], [2, 3], []])
    part = rows.slice(1, 3)
    assert np.shares_memory(part.codes, rows.codes)
    assert np.shares_memory(part.ragged[0].values, rows.ragged[0].values)
