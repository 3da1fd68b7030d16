"""Chunks of a query, and what happens when it does not keep its word."""

import polars as pl
import pytest

from paretorank.data.stream import stream
from paretorank.foundation.errors import DataError


def test_all_rows_come_in_order() -> None:
    frame = pl.LazyFrame({"x": range(300_000)})
    chunks = list(stream(frame, stage="fit", total=300_000))
    assert pl.concat(chunks)["x"].to_list() == list(range(300_000))


@pytest.mark.parametrize("total", [4, 6])
def test_another_number_of_rows_than_before_is_refused(total: int) -> None:
    """A damaged file may give other rows in each pass."""
    with pytest.raises(DataError, match="5 were read"):
        list(stream(pl.LazyFrame({"x": range(5)}), stage="fit", total=total))
