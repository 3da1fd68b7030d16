"""Values at ranks are those of the sorted column, however little may be sorted at once."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from paretorank.data.ranks import values_at

_RNG = np.random.default_rng(0)
COLUMNS = {
    "integers": pl.Series(_RNG.integers(-50, 50, 500)),
    "floats": pl.Series(np.exp(3 * _RNG.normal(size=500))),
    "one value": pl.Series([7] * 500),
    "an outlier": pl.Series([*range(499), 10**18]),
    "an endless one": pl.Series([-np.inf, *range(498), np.inf]),
    "huge integers": pl.Series([2**62 + i % 3 for i in range(500)]),
    "moments": pl.Series(
        [dt.datetime(2022, 1, 1) + dt.timedelta(hours=int(h)) for h in _RNG.integers(0, 99, 500)]  # noqa: DTZ001 - as logs have them
    ).to_physical(),
}


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("most_rows", [1, 20, 1_000])
def test_values_stand_where_they_do_when_sorted(name: str, most_rows: int) -> None:
    column = COLUMNS[name].alias("x")
    ranks = [0, 1, 249, 400, 499]
    found = values_at(column.to_frame().lazy(), ranks, most_rows=most_rows)
    assert found == [column.sort()[rank] for rank in ranks]
