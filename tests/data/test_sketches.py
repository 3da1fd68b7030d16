"""What a streaming pass keeps of a column."""

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.sketches import Sample, ValueCounts


@settings(max_examples=30)
@given(st.lists(st.lists(st.sampled_from(["a", "b", "c", None]), max_size=5), max_size=40))
def test_counts_of_many_parts_add_up(parts: list[list[str | None]]) -> None:
    counts = ValueCounts()
    for part in parts:
        counts.update(pl.Series(part, dtype=pl.String))
    found = dict(counts.result().iter_rows()) if parts else {}
    assert found == Counter(value for part in parts for value in part if value is not None)


@settings(max_examples=30)
@given(st.lists(st.lists(st.none() | st.integers(-3, 1 << 23), max_size=5), max_size=40))
def test_counts_of_whole_numbers_add_up_whatever_their_size(parts: list[list[int | None]]) -> None:
    counts = ValueCounts()
    for part in parts:
        counts.update(pl.Series(part, dtype=pl.Int32))
    expected = Counter(value for part in parts for value in part if value is not None)
    rows = counts.result().rows() if parts else []
    assert len(rows) == len(expected)
    assert dict(rows) == expected


def test_no_part_is_no_value() -> None:
    assert ValueCounts().result().rows() == []


@settings(max_examples=60)
@given(st.lists(st.integers(0, 30), max_size=20), st.integers(4, 20))
def test_a_sample_is_every_kth_row_however_the_rows_come(sizes: list[int], limit: int) -> None:
    sample, n = Sample(limit), 0
    for size in sizes:
        sample.update(np.arange(n, n + size, dtype=np.float64))
        n += size
    kept = sample.result().astype(int).tolist()
    stride = kept[1] - kept[0] if len(kept) > 1 else 1
    assert kept == list(range(0, n, stride))[: len(kept)]
    assert len(kept) == len(range(0, n, stride)) or len(kept) <= 1


def test_a_small_column_is_kept_whole_and_a_large_one_within_the_limit() -> None:
    sample = Sample(1000)
    sample.update(np.arange(1000.0))
    assert len(sample.result()) == 1000
    for _ in range(50):
        sample.update(np.arange(700.0))
    assert 500 <= len(sample.result()) <= 1000


@pytest.mark.parametrize("limit", [10, 1000])
def test_a_sample_has_the_distribution_of_the_column(limit: int) -> None:
    sample, generator = Sample(limit), np.random.default_rng(0)
    for _ in range(20):
        sample.update(generator.normal(size=500))
    assert abs(float(sample.result().mean())) < 4 / np.sqrt(limit / 2)
