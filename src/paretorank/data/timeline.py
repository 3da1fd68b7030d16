"""Moments as numbers that can be ordered and cut into periods."""

import numpy as np
import polars as pl

_EPOCH_UNITS = ((1e17, 1e9), (1e14, 1e6), (1e11, 1e3))
_PER_SECOND = {"ns": 1e9, "us": 1e6, "ms": 1e3}
_DAY_S = 86_400.0


def moments(column: pl.Series) -> np.ndarray:
    """Return moments as floats in the column's own unit; missing ones become the earliest."""
    values = column.cast(pl.Int64) if column.dtype.is_temporal() else column
    return values.cast(pl.Float64).fill_nan(None).fill_null(-np.inf).to_numpy()


def seconds(dtype: object, values: np.ndarray) -> np.ndarray:
    """Return moments of a Polars type in seconds, guessing the unit of plain numbers by size.

    Numbers of the size of today's clocks in nano-, micro- or milliseconds since 1970 are taken as
    such, smaller ones as seconds.
    """
    if isinstance(dtype, pl.Datetime):
        return values / _PER_SECOND[dtype.time_unit]
    if dtype == pl.Date:
        return values * _DAY_S
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if len(finite) else 0.0
    for size, per_second in _EPOCH_UNITS:
        if largest > size:
            return values / per_second
    return values
