"""Moments that can be ordered and cut into periods."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from paretorank.data.timeline import moments, seconds

DAY = dt.datetime(2022, 5, 3, 12, tzinfo=dt.UTC)
SECONDS = DAY.timestamp()


@pytest.mark.parametrize("per_second", [1, 10**3, 10**6, 10**9])
def test_the_unit_of_todays_clocks_is_guessed(per_second: int) -> None:
    column = pl.Series([int(SECONDS) * per_second, (int(SECONDS) + 60) * per_second])
    found = seconds(column.dtype, moments(column))
    assert found.tolist() == pytest.approx([SECONDS, SECONDS + 60])


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_date_times_are_seconds_since_1970(unit: str) -> None:
    column = pl.Series([DAY]).cast(pl.Datetime(unit, "UTC"))  # type: ignore[arg-type]
    assert seconds(column.dtype, moments(column)).tolist() == pytest.approx([SECONDS])


def test_dates_are_midnights() -> None:
    column = pl.Series([dt.date(1970, 1, 3)])
    assert seconds(column.dtype, moments(column)).tolist() == [2 * 86_400]


def test_small_numbers_are_taken_as_seconds() -> None:
    column = pl.Series([0, 5, 86_400])
    assert seconds(column.dtype, moments(column)).tolist() == [0, 5, 86_400]


def test_a_missing_moment_is_the_earliest() -> None:
    for column in (pl.Series([None, 3]), pl.Series([None, 3.0]), pl.Series([float("nan"), 3.0])):
        assert moments(column).tolist() == [-np.inf, 3]
        assert seconds(column.dtype, moments(column)).tolist() == [-np.inf, 3]
    assert moments(pl.Series([None, DAY.date()])).tolist()[0] == -np.inf
    assert seconds(pl.Int64(), np.array([-np.inf])).tolist() == [-np.inf]
