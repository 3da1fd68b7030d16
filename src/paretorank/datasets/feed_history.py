"""What each user clicked before the request.

Shapes: B rows, R requests.
"""

import numpy as np
import polars as pl
import pyarrow as pa
from jaxtyping import Bool

from paretorank.datasets.feed_world import Impressions


def click_history(rows: Impressions, clicked: Bool[np.ndarray, " B"], *, length: int) -> pl.Series:
    """Return per row the user's last `length` clicked items of earlier requests, oldest first.

    The clicks of the request itself are not in it. Users without clicks have an empty list.
    """
    first_row = np.flatnonzero(np.diff(rows.request, prepend=-1))
    n_requests = len(first_row)
    moment = rows.user[clicked].astype(np.int64) * n_requests + rows.request[clicked]
    order = np.argsort(moment, kind="stable")
    moment, item = moment[order], rows.item[clicked][order]
    users_first = rows.user[first_row].astype(np.int64) * n_requests
    end = np.searchsorted(moment, users_first + np.arange(n_requests))
    start = np.maximum(np.searchsorted(moment, users_first), end - length)
    offsets = np.concatenate([[0], np.cumsum(end - start)])
    inside = np.arange(offsets[-1]) - np.repeat(offsets[:-1], end - start)
    values = item[np.repeat(start, end - start) + inside]
    lists = pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values))
    per_request = pl.Series("clicked_items", pl.from_arrow(lists))
    return per_request.gather(pl.Series(rows.request))
