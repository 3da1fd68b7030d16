"""Hashes that must never change: splits and hashed codes depend on them."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.hashing import mix, stable_hash, unit_interval


def test_integers_are_hashed_by_splitmix64() -> None:
    # The first outputs of SplitMix64 from state 0, as published with the Java class.
    state = 0x9E3779B97F4A7C15
    expected = [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F]
    steps = np.array([0, state, 2 * state % 2**64], dtype=np.uint64).view(np.int64)
    assert mix(steps).tolist() == expected


def test_hashes_of_text_and_null_are_pinned() -> None:
    hashed = stable_hash(pl.Series(["video_1", "", None]))
    assert hashed.tolist() == [
        8_442_475_967_229_238_707,
        5_323_092_005_331_881_792,
        756_517_608_410_894_910,
    ]
    assert stable_hash(pl.Series([1, None]), seed=7).tolist() == [
        9_648_886_400_068_060_533,
        7_084_241_770_554_260_413,
    ]


@pytest.mark.parametrize(
    "dtype", [pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt32, pl.UInt64]
)
def test_the_width_of_an_integer_does_not_matter(dtype: type[pl.DataType]) -> None:
    values = pl.Series([0, 1, 100, None], dtype=dtype)
    assert stable_hash(values).tolist() == stable_hash(values.cast(pl.Int64)).tolist()


def test_ids_of_64_bits_are_hashed() -> None:
    values = pl.Series([2**64 - 1, 2**63, 5], dtype=pl.UInt64)
    assert len(set(stable_hash(values).tolist())) == 3
    assert stable_hash(values)[2] == stable_hash(pl.Series([5]))[0]


@pytest.mark.parametrize("dtype", [pl.String, pl.Categorical])
def test_null_and_empty_columns_are_hashed(dtype: type[pl.DataType]) -> None:
    assert stable_hash(pl.Series([], dtype=dtype)).tolist() == []
    assert len(set(stable_hash(pl.Series([None, None], dtype=dtype)).tolist())) == 1


@settings(max_examples=30)
@given(st.lists(st.one_of(st.none(), st.text(max_size=3)), max_size=30))
def test_equal_text_hashes_alike_wherever_it_stands(values: list[str | None]) -> None:
    whole = stable_hash(pl.Series(values, dtype=pl.String)).tolist()
    single = [int(stable_hash(pl.Series([value], dtype=pl.String))[0]) for value in values]
    assert whole == single


def test_seeds_give_unrelated_hashes() -> None:
    rows = pl.Series(np.arange(20_000))
    first, second = (unit_interval(stable_hash(rows, seed=seed)) for seed in (0, 1))
    assert abs(float(np.corrcoef(first, second)[0, 1])) < 0.03


def test_hashes_spread_evenly_over_the_unit_interval() -> None:
    values = unit_interval(stable_hash(pl.Series(np.arange(100_000))))
    assert values.min() >= 0
    assert values.max() < 1
    counts = np.histogram(values, bins=20, range=(0, 1))[0]
    assert abs(counts / 5000 - 1).max() < 0.06


def test_the_largest_hash_stays_below_one() -> None:
    assert unit_interval(np.array([2**64 - 1], dtype=np.uint64))[0] < 1
