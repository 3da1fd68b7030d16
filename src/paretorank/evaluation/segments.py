"""Parts of the rows that are judged on their own.

Shapes: N rows.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl
from jaxtyping import Bool, Shaped

from paretorank.foundation.errors import DataError

MAX_SEGMENTS: Final = 200
"""Values of one column; beyond it nobody reads the table."""


def segments_of(
    columns: Mapping[str, Shaped[np.ndarray, " N"]],
) -> Iterator[tuple[str, Bool[np.ndarray, " N"]]]:
    """Yield a text such as "tab=1" and the rows it means, for every value of every column.

    Values come in their order; rows without a value form the last segment, "tab=missing".

    Raises:
        DataError: a column has more than `MAX_SEGMENTS` values.
    """
    for name, column in columns.items():
        values = pl.Series(name, column, strict=False, nan_to_null=True)
        found = values.unique().sort(nulls_last=True)
        if len(found) > MAX_SEGMENTS:
            raise DataError(
                f"A segment column must have at most {MAX_SEGMENTS} values, got {len(found)} "
                f"({name}).",
                hint="Group the values first, for example into quantiles or the most frequent.",
            )
        for value in found:
            within = values.is_null() if value is None else values == value
            yield f"{name}={_text(value)}", within.fill_null(value=False).to_numpy()


def _text(value: object) -> str:
    """Return the value as a reader would write it."""
    if value is None:
        return "missing"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
