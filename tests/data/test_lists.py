"""Columns that hold several values per row."""

from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.lists import Lists, read_lists


def _rows(lists: Lists) -> list[list[object]]:
    values, offsets = lists.values.to_list(), lists.offsets.tolist()
    return [values[a:b] for a, b in pairwise(offsets)]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pl.Series([[1, 2], [], None, [None, 3]]), [[1, 2], [], [], [3]]),
        (pl.Series([[1, 2], [3, 4], None], dtype=pl.Array(pl.Int64, 2)), [[1, 2], [3, 4], []]),
        (pl.Series(["1, 2", "", None, "[3,4]", "(5)"]), [["1", "2"], [], [], ["3", "4"], ["5"]]),
        (pl.Series(["1,,2,", ",", " , "]), [["1", "2"], [], []]),
        (pl.Series([7, None]), [["7"], []]),
        (pl.Series([["a"], ["b", None]]), [["a"], ["b"]]),
        (pl.Series([[], None], dtype=pl.List(pl.String)), [[], []]),
        (pl.Series([None, None]), [[], []]),
        (pl.Series([], dtype=pl.String), []),
        (pl.Series([], dtype=pl.List(pl.Int64)), []),
    ],
)
def test_lists_arrays_and_text_are_read(column: pl.Series, expected: list[list[object]]) -> None:
    lists = read_lists(column)
    assert _rows(lists) == expected
    assert lists.lengths.tolist() == [len(row) for row in expected]
    assert lists.rows.tolist() == [at for at, row in enumerate(expected) for _ in row]


def test_text_is_cut_at_the_separator() -> None:
    assert _rows(read_lists(pl.Series(["a|b,c|"]), separator="|")) == [["a", "b,c"]]


@pytest.mark.parametrize(
    "column", [pl.Series([[1, 2, 3], [4], [5, 6, None]]), pl.Series(["1,2,3", "4", "5,6,"])]
)
def test_the_last_values_are_kept(column: pl.Series) -> None:
    rows = _rows(read_lists(column, max_length=2))
    assert [[int(str(value)) for value in row] for row in rows] == [[2, 3], [4], [5, 6]]


@settings(max_examples=50)
@given(
    st.lists(st.one_of(st.none(), st.lists(st.integers(0, 99), max_size=5)), max_size=10),
    st.integers(1, 4),
)
def test_lists_and_their_text_are_read_alike(rows: list[list[int] | None], longest: int) -> None:
    text = [None if row is None else ",".join(map(str, row)) for row in rows]
    a = read_lists(pl.Series(rows, dtype=pl.List(pl.Int64)), max_length=longest)
    b = read_lists(pl.Series(text, dtype=pl.String), max_length=longest)
    assert a.values.to_list() == b.values.cast(pl.Int64).to_list()
    assert a.offsets.tolist() == b.offsets.tolist()
    assert _rows(a) == [(row or [])[-longest:] for row in rows]
