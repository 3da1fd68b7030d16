"""Which files of a log are new, and whether their rows can be appended to those of the others."""

from collections.abc import Sequence

import polars as pl

from paretorank.data.ingest import IngestRequest
from paretorank.data.shard_format import SourceFile
from paretorank.data.source import collect, open_table
from paretorank.foundation.errors import DataError

_ANEW = "prepare everything anew with `paretorank ingest CONFIG --force`."


def new_files(known: Sequence[SourceFile], found: Sequence[SourceFile]) -> tuple[str, ...]:
    """Return the paths of files that come after all known ones.

    Raises:
        DataError: a known file vanished or changed, or is not where it was in the order of rows.
    """
    now = {source.path: source for source in found}
    for source in known:
        if source.path not in now:
            raise DataError(
                f"{source.path} was prepared, but is no longer a file of data.log.",
                hint=f"Put it back, or {_ANEW}",
            )
        if source != now[source.path]:
            raise DataError(
                f"{source.path} has changed since it was prepared ({_difference(source, now)}).",
                hint=f"Only new files can be appended; put the old one back, or {_ANEW}",
            )
    paths = [source.path for source in known]
    for before, after in zip(known, found, strict=False):
        if before == after:
            continue
        if after.path in paths:
            raise DataError(
                f"{after.path} stands where {before.path} stood when the data was prepared.",
                hint=f"Keep the order of data.log, or {_ANEW}",
            )
        raise DataError(
            f"{after.path} is new, but sorts before {before.path}, which is prepared already.",
            hint=f"Appended rows come last: name the file so that it sorts last, or {_ANEW}",
        )
    return tuple(source.path for source in found[len(known) :])


def refuse_new_types(request: IngestRequest, known: Sequence[str]) -> None:
    """Refuse new files that change how keys are read: one user would be two.

    Text files have the type that suits all values of a column.

    Raises:
        DataError: a key has another type in all files together than in the known ones.
    """
    before = open_table(known, request.folder).collect_schema()
    after = open_table(request.data.log, request.folder).collect_schema()
    keys = request.data.keys
    for column in (keys.user, keys.item, keys.request, keys.time, request.data.split.column):
        if column and column in before and before[column] != after[column]:
            raise DataError(
                f"The column {column!r} was {before[column]}, and is {after[column]} with the new "
                "files.",
                hint=f"Write keys as before, or {_ANEW}",
            )


def refuse_earlier(request: IngestRequest, known: pl.LazyFrame, new: pl.LazyFrame) -> None:
    """Refuse new rows of earlier moments, where the split or target statistics go by time.

    Raises:
        DataError: time goes backwards.
    """
    column = request.data.keys.time
    if column is None or not (request.data.split.by == "time" or request.statistics):
        return
    dtype = new.collect_schema()[column]
    if not (dtype.is_numeric() or dtype.is_temporal()):
        return
    moment = pl.col(column).fill_nan(None) if dtype.is_float() else pl.col(column)
    latest = collect(known.select(moment.max())).item()
    earliest = collect(new.select(moment.min())).item()
    if latest is None or earliest is None or earliest >= latest:
        return
    raise DataError(
        f"data.keys.time: the new files begin at {earliest}, but the prepared rows reach until "
        f"{latest}: time would go backwards by {latest - earliest}.",
        hint=f"Append files in the order of time, or {_ANEW}",
    )


def _difference(before: SourceFile, now: dict[str, SourceFile]) -> str:
    after = now[before.path]
    if before.size != after.size:
        return f"{before.size:,} bytes then, {after.size:,} now"
    return "its time of change is another"
