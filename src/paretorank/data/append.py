"""Add new files of a log to a prepared data set; what is there keeps its bytes and its codes.

Rows: their numbers go on after the last one. They are encoded once, with the encoder grown by
what they bring (see `growth`), into shards of their own. An appended training row sees the target
statistics as they were before the append: none of those rows is later. Rows of valid and test see
all of train, as ever.

Splits: by user, request, chance or column the rule of before decides on every new row alone. By
time the split rolls on: what was valid and test becomes train, labels included, and the appended
rows are divided among themselves by the same fractions.

Safety: everything is written beside the data set, whose shards get a second name there, and then
takes its place; whoever is killed leaves the data set of before.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import load_encoder
from paretorank.data.growth import Growth
from paretorank.data.ingest import (
    IngestRequest,
    Written,
    encoded_columns,
    item_tables,
    prepare_frame,
    write_rows,
)
from paretorank.data.new_files import new_files, refuse_earlier, refuse_new_types
from paretorank.data.replacement import link_files, replacing, restore
from paretorank.data.row_counts import count_rows
from paretorank.data.shard_format import ENCODER_FOLDER, FORMAT_VERSION, SHARD_FOLDER, Manifest
from paretorank.data.shard_reader import ShardSet
from paretorank.data.source import collect, open_rows
from paretorank.data.splits import SPLIT_COLUMN, SPLITS, Split
from paretorank.data.stream import stream
from paretorank.foundation.errors import DataError, ShardError
from paretorank.foundation.progress import Listener, silent
from paretorank.schema import SplitName


@dataclass(frozen=True)
class Appended:
    """What came of appending."""

    manifest: Manifest
    n_rows: int
    files: tuple[str, ...]


def append_log(request: IngestRequest, target: Path, listener: Listener = silent) -> Appended:
    """Append the files of `request.sources` that the data set in `target` does not know.

    Raises:
        ShardError: there is no data set, it was made by another configuration, or it is damaged.
        DataError: known files changed, vanished or moved, or the new rows do not fit.
    """
    restore(target)
    before = Manifest.read(target)
    _refuse_another_origin(before, request, target)
    files = new_files(before.sources, request.sources)
    if not files:
        if before.made_from != request.made_from:  # side tables may have changed: they are taken
            before = before.model_copy(update={"made_from": request.made_from})
            before.write(target)
        return Appended(before, 0, ())
    parts = _open(before, request)
    counts = count_rows(request.labels, parts.frame, alone=False)
    _refuse_empty_splits(request, counts)
    ShardSet(target, before.model_copy(update={"shards": ()}), "train").verify()
    with replacing(target) as folder:
        manifest = _append(before, parts, counts, target, folder, listener=listener)
    return Appended(manifest, sum(counts.values()), files)


@dataclass(frozen=True)
class _Parts:
    """Rows of the log as requests of their own."""

    whole: IngestRequest
    new: IngestRequest
    frame: pl.LazyFrame
    """The new rows with their splits and labels."""
    rolled: IngestRequest | None
    """What the split divided before, where it rolls on."""


def _open(before: Manifest, request: IngestRequest) -> _Parts:
    """Cut the log into what is known and what is new, and refuse new rows that do not fit.

    All files are opened as one log, so that a column has one type in old and new files.
    """
    log, n_known = open_rows(request.data, request.folder), before.n_log_rows
    n_rows = int(collect(log.select(pl.len())).item())
    if n_rows <= n_known:
        raise DataError(
            f"The new files bring no row: the log has {n_rows:,} rows, {n_known:,} were prepared.",
            hint="Remove empty files, and append when there are rows.",
        )
    data = request.data.model_copy(update={"drop_duplicates": False})  # they are dropped already

    def rows(start: int, stop: int) -> IngestRequest:
        part = log.slice(start, stop - start)
        return replace(request, data=data, log=part, first_row=start, split_from=0)

    known, new = rows(0, n_known), rows(n_known, n_rows)
    refuse_new_types(request, [source.path for source in before.sources])
    if request.data.keys.time in log.collect_schema():  # saves joining the whole log
        refuse_earlier(request, log.head(n_known), log.slice(n_known))
    else:
        joined = [prepare_frame(part, with_split=False) for part in (known, new)]
        refuse_earlier(request, *joined)
    rolls = request.data.split.by == "time"
    rolled = rows(before.split_from, n_known) if rolls else None
    return _Parts(request, new, prepare_frame(new), rolled)


def _append(
    before: Manifest,
    parts: _Parts,
    counts: dict[SplitName, int],
    target: Path,
    folder: Path,
    *,
    listener: Listener,
) -> Manifest:
    for entry in before.shards:
        place = Path(SHARD_FOLDER) / entry.name
        link_files(entry.digests, target / place, folder / place)
    known = load_encoder(target / ENCODER_FOLDER)
    grown = _grow(before, known, parts, counts["train"], listener)
    chunks = stream(
        parts.frame.select(encoded_columns(parts.new)),
        stage="encode",
        total=sum(counts.values()),
        listener=listener,
    )
    written = write_rows(
        parts.new,
        grown,
        chunks,
        folder,
        known.look_up_statistics,
        first_shards={split: _next_shard(before, split) for split in SPLITS},
    )
    manifest = _manifest(before, parts, grown, written, sum(counts.values()))
    manifest.write(folder)
    return manifest


def _grow(
    before: Manifest, known: Encoder, parts: _Parts, n_train: int, listener: Listener
) -> Encoder:
    growth = Growth(known)
    if parts.rolled is not None and known.statistics:
        frame = prepare_frame(parts.rolled).filter(pl.col(SPLIT_COLUMN) != int(Split.TRAIN))
        total = before.n_rows("valid") + before.n_rows("test")
        rows = frame.select(growth.columns)
        for chunk in stream(rows, stage="roll", total=total, listener=listener):
            growth.update_statistics(chunk)
    train = parts.frame.filter(pl.col(SPLIT_COLUMN) == int(Split.TRAIN)).select(growth.columns)
    for chunk in stream(train, stage="fit", total=n_train, listener=listener):
        growth.update(chunk)
    return growth.finish(item_tables(parts.new, parts.frame))


def _manifest(
    before: Manifest, parts: _Parts, grown: Encoder, written: Written, n_new: int
) -> Manifest:
    request, labels = parts.whole, written.labels
    moved: dict[SplitName, SplitName] = (
        {} if parts.rolled is None else {"valid": "train", "test": "train"}
    )
    for summary in before.labels:
        labels.add(summary, moved.get(summary.split, summary.split))
    kept = [
        entry.model_copy(update={"split": moved.get(entry.split, entry.split)})
        for entry in before.shards
    ]
    return Manifest(
        format_version=FORMAT_VERSION,
        made_from=request.made_from,
        sources=tuple(request.sources),
        configuration=dict(request.configuration),
        n_log_rows=before.n_log_rows + n_new,
        split_from=before.n_log_rows if moved else 0,
        layout=grown.layout,
        shards=(*kept, *written.shards),
        labels=labels.result(),
        encoder=dict(written.encoder),
    )


def _next_shard(before: Manifest, split: SplitName) -> int:
    """Return the number after the highest that a folder of shards has in its name."""
    names = [entry.name.rpartition("-") for entry in before.shards]
    return max((int(number) + 1 for start, _, number in names if start == split), default=0)


def _refuse_another_origin(before: Manifest, request: IngestRequest, target: Path) -> None:
    if not (before.sources and request.sources):
        raise ShardError(
            f"{target} was not made of files on this machine, so nobody can tell new from known.",
            hint="Prepare everything with `paretorank ingest CONFIG --force`.",
        )
    parts = [*before.configuration, *request.configuration]
    other = [
        part
        for part in dict.fromkeys(parts)
        if before.configuration.get(part) != request.configuration.get(part)
    ]
    if other:
        raise ShardError(
            f"{target} was prepared with another configuration; what differs: {', '.join(other)}.",
            hint="Prepare everything anew with `paretorank ingest CONFIG --force`.",
        )


def _refuse_empty_splits(request: IngestRequest, counts: dict[SplitName, int]) -> None:
    """Refuse to roll on to rows among which there is none for validation, or none for the test."""
    split = request.data.split
    if split.by != "time":
        return
    fractions = {"valid": split.valid_fraction, "test": split.test_fraction}
    for name, fraction in fractions.items():
        if fraction and not counts[name]:  # type: ignore[index]
            rows: Sequence[str] = [f"{count:,} {split}" for split, count in counts.items()]
            raise DataError(
                f"Split by time, the new rows leave none for {name} ({', '.join(rows)}); rows of "
                "one moment stay together.",
                hint="Append more rows at once, or give data.keys.time a finer clock.",
            )
