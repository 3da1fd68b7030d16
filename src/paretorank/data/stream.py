"""A lazy frame as chunks of rows."""

from collections.abc import Iterator

import polars as pl

from paretorank.data.source import reading
from paretorank.foundation.errors import DataError
from paretorank.foundation.progress import Listener, Progress, silent

CHUNK_ROWS = 131_072


def stream(
    frame: pl.LazyFrame, *, stage: str, total: int | None = None, listener: Listener = silent
) -> Iterator[pl.DataFrame]:
    """Return the rows of a query in order, some at a time.

    Args:
        frame: the query.
        stage: what the rows are read for, as progress bars name it.
        total: how many rows there are, if an earlier pass has counted them.
        listener: is told how far the work has come.

    Raises:
        DataError: the query fails on the way, or gives another number of rows than before.
    """
    done = 0
    with reading():
        chunks = frame.collect_batches(
            chunk_size=CHUNK_ROWS, maintain_order=True, engine="streaming"
        )
        for chunk in chunks:
            done += len(chunk)
            if total is not None and done > total:
                break
            yield chunk
            listener(Progress(stage, done, total))
    if total is not None and done != total:
        raise DataError(
            f"The log had {total:,} rows for this pass ({stage}), and then {done:,} were read.",
            hint="Is a file damaged, or is the log still being written?",
        )
