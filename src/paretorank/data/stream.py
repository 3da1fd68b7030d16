"""A lazy frame as chunks of rows."""

from collections.abc import Iterator

import polars as pl

from paretorank.data.source import reading
from paretorank.foundation.progress import Listener, Progress, silent

CHUNK_ROWS = 131_072


def stream(
    frame: pl.LazyFrame, *, stage: str, total: int | None = None, listener: Listener = silent
) -> Iterator[pl.DataFrame]:
    """Return the rows of a query in order, some at a time.

    Raises:
        DataError: the query fails on the way.
    """
    done = 0
    with reading():
        chunks = frame.collect_batches(
            chunk_size=CHUNK_ROWS, maintain_order=True, engine="streaming"
        )
        for chunk in chunks:
            done += len(chunk)
            yield chunk
            listener(Progress(stage, done, total))
