"""Encode a log once: source -> split -> fit on train -> encode -> shards, streaming."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl

from paretorank.data.encoded import EncodedRows
from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import save_encoder
from paretorank.data.fit import FitPlan, Fitted, check_plan, fit_encoder, plan_columns
from paretorank.data.hashing import stable_hash
from paretorank.data.label_sums import LabelSums
from paretorank.data.labels import (
    LABEL_PREFIX,
    WAITING_PREFIX,
    check_labels,
    label_columns,
    label_expressions,
    waiting_expressions,
)
from paretorank.data.maturity import with_age
from paretorank.data.replacement import replacing
from paretorank.data.row_counts import count_rows
from paretorank.data.shard_format import (
    ENCODER_FOLDER,
    FORMAT_VERSION,
    Manifest,
    ShardEntry,
    SourceFile,
)
from paretorank.data.shard_writer import ShardWriter
from paretorank.data.source import collect, open_log, open_table, require_columns
from paretorank.data.splits import ROW_COLUMN, SPLIT_COLUMN, SPLITS, Split, split_expression
from paretorank.data.stream import stream
from paretorank.data.suitability import refuse_unsuited, refuse_unsuited_keys
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.foundation.progress import Listener, silent
from paretorank.schema import (
    DataConfig,
    FeatureConfig,
    HistoryFeature,
    LabelSpec,
    SplitName,
    StatisticConfig,
)


@dataclass(frozen=True)
class IngestRequest:
    """What to prepare, and from what."""

    data: DataConfig
    folder: Path
    """Where relative paths of the configuration begin."""
    features: Mapping[str, FeatureConfig]
    statistics: Mapping[str, StatisticConfig]
    labels: Sequence[LabelSpec]
    log: pl.LazyFrame | None = None
    """Rows already in hand, in place of `data.log`."""
    made_from: str = ""
    """Digest that tells whether the same request was prepared before."""
    sources: Sequence[SourceFile] = ()
    """The files of the log, in the order of their rows."""
    configuration: Mapping[str, str] = field(default_factory=dict)
    """Part of the configuration -> its digest."""
    first_row: int = 0
    """Number of the first row."""
    split_from: int = 0
    """With by = "time": the first row that is not train by decree."""


@dataclass(frozen=True)
class Written:
    """What came of writing rows."""

    shards: tuple[ShardEntry, ...]
    labels: LabelSums
    encoder: Mapping[str, str]
    """File name in the encoder's folder -> digest."""


def ingest_log(request: IngestRequest, target: Path, listener: Listener = silent) -> Manifest:
    """Prepare a data set in `target`; what was there before stays until the new one is whole.

    Raises:
        ConfigError: the request asks for what the log does not have.
        DataError: the log cannot be read, or labels are not of their kind.
        ShardError: the data set cannot be written.
    """
    frame = prepare_frame(request)
    counts = count_rows(request.labels, frame)
    with replacing(target) as folder:
        return _prepare(request, frame, counts, folder, listener)


def _prepare(
    request: IngestRequest,
    frame: pl.LazyFrame,
    counts: Mapping[SplitName, int],
    folder: Path,
    listener: Listener,
) -> Manifest:
    plan = FitPlan(
        request.features,
        request.statistics,
        request.labels,
        request.data.keys.time,
        item_tables(request, frame),
    )
    train = frame.filter(pl.col(SPLIT_COLUMN) == int(Split.TRAIN))
    names = [label.name for label in request.labels]
    labels = [LABEL_PREFIX + name for name in names]
    wanted = [*plan_columns(plan), *labels]
    n_train = counts[SPLITS[Split.TRAIN]]
    chunks = stream(train.select(wanted), stage="fit", total=n_train, listener=listener)
    scratch = folder / "train-statistics"
    fitted = fit_encoder(plan, chunks, scratch)
    n_rows = sum(counts.values())
    rows = stream(
        frame.select(encoded_columns(request)), stage="encode", total=n_rows, listener=listener
    )
    written = write_rows(request, fitted.encoder, rows, folder, _in_order(fitted))
    scratch.unlink(missing_ok=True)
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        made_from=request.made_from,
        sources=tuple(request.sources),
        configuration=dict(request.configuration),
        n_log_rows=n_rows,
        layout=fitted.encoder.layout,
        shards=written.shards,
        labels=written.labels.result(),
        encoder=dict(written.encoder),
    )
    manifest.write(folder)
    return manifest


def write_rows(
    request: IngestRequest,
    encoder: Encoder,
    chunks: Iterable[pl.DataFrame],
    folder: Path,
    train_statistics: Callable[[pl.DataFrame], np.ndarray],
    *,
    first_shards: Mapping[SplitName, int] | None = None,
) -> Written:
    """Encode rows into shards, and save the encoder; threads write while this one encodes.

    Args:
        request: what is prepared.
        encoder: turns the rows into numbers.
        chunks: rows with the `encoded_columns`.
        folder: where shards and encoder are written.
        train_statistics: returns what the next training rows may see of their target statistics.
        first_shards: number of the first shard of a split, 0 where absent.
    """
    sums = LabelSums([label.name for label in request.labels])
    with ThreadPoolExecutor(2, "paretorank-writer") as pool:
        digests = pool.submit(save_encoder, encoder, folder / ENCODER_FOLDER)
        size, numbers = request.data.shard_rows, first_shards or {}
        writers = {
            split: ShardWriter(folder, split, size, pool, first=numbers.get(split, 0))
            for split in SPLITS
        }
        for chunk in chunks:
            for split, part in _by_split(chunk):
                own = train_statistics(part) if split == "train" else None
                rows = encode_rows(part, encoder, request.data, own)
                writers[split].append(rows)
                sums.update(split, rows.labels)
        shards = tuple(entry for split in SPLITS for entry in writers[split].finish())
        return Written(shards, sums, digests.result())


def _in_order(fitted: Fitted) -> Callable[[pl.DataFrame], np.ndarray]:
    """Return a function that gives training rows, part by part, their own statistics."""
    at = 0

    def next_ones(part: pl.DataFrame) -> np.ndarray:
        nonlocal at
        at += len(part)
        return fitted.own_statistics(at - len(part), at)

    return next_ones


def _by_split(chunk: pl.DataFrame) -> Iterator[tuple[SplitName, pl.DataFrame]]:
    codes = chunk[SPLIT_COLUMN]
    for code in codes.unique().sort().to_list():
        yield SPLITS[code], chunk if (codes == code).all() else chunk.filter(codes == code)


def prepare_frame(request: IngestRequest, *, with_split: bool = True) -> pl.LazyFrame:
    """Return the joined log with row number, split and labels; refuses what does not exist."""
    check_plan(FitPlan(request.features, request.statistics, request.labels, None))
    if not request.labels:
        raise ConfigError(
            "The configuration declares no task.",
            hint='Add one: [tasks.click] kind = "binary", label = "is_click".',
        )
    log = open_log(request.data, request.folder, request.log)
    frame = log.with_row_index(ROW_COLUMN, offset=request.first_row)
    require_columns(frame, _needed(request))
    check_labels(request.labels, frame)
    refuse_unsuited(request.features, frame)
    refuse_unsuited_keys(request.data, request.statistics, frame)
    frame = with_age(frame, request.data, request.labels)
    labels = [
        expression.alias(LABEL_PREFIX + label.name)
        for label, expression in zip(request.labels, label_expressions(request.labels), strict=True)
    ]
    labels += waiting_expressions(request.labels)
    if with_split:
        split = split_expression(request.data, frame, split_from=request.split_from)
        labels.append(split.alias(SPLIT_COLUMN))
    return frame.with_columns(labels)


def encode_rows(
    chunk: pl.DataFrame, encoder: Encoder, data: DataConfig, statistics: np.ndarray | None = None
) -> EncodedRows:
    """Encode rows with their labels and keys; absent labels are NaN, absent weights 1."""
    inputs = encoder.encode(chunk, statistics)
    n_rows = len(chunk)
    labels = [
        chunk[column].fill_null(float("nan")).to_numpy()
        if (column := LABEL_PREFIX + name) in chunk.columns
        else np.full(n_rows, np.nan, np.float32)
        for name in encoder.layout.task_names
    ]
    row = chunk[ROW_COLUMN].to_numpy().astype(np.int64)
    return EncodedRows(
        inputs.codes,
        inputs.numeric,
        inputs.ragged,
        np.stack(labels, axis=1).astype(np.float32, copy=False),
        _weights(chunk, data.weight),
        _key_codes(chunk, data.keys.user, row),
        _key_codes(chunk, data.keys.request or data.keys.user, row),
        row,
    )


def _key_codes(chunk: pl.DataFrame, column: str | None, row: np.ndarray) -> np.ndarray:
    """Return a code per user or request; a row whose key is not known stands alone."""
    if column is None or column not in chunk.columns:
        return row
    codes = stable_hash(chunk[column]).view(np.int64)
    return np.where(chunk[column].is_null().to_numpy(), ~row, codes)


def encoded_columns(request: IngestRequest) -> list[str]:
    """Return the columns that are read to encode rows."""
    labels = [LABEL_PREFIX + label.name for label in request.labels]
    labels += [WAITING_PREFIX + label.name for label in request.labels if label.keeps_waiting]
    return list(dict.fromkeys([*_needed(request), ROW_COLUMN, SPLIT_COLUMN, *labels]))


def _needed(request: IngestRequest) -> dict[str, str]:
    from_features = {
        column: place
        for name, feature in request.features.items()
        for column, place in dict.fromkeys(
            plan_columns(FitPlan({name: feature}, {}, (), None)), f"features.{name}"
        ).items()
    }
    from_statistics = {
        column: f"statistics.{name}.of"
        for name, statistic in request.statistics.items()
        for column in statistic.of
    }
    keys = request.data.keys
    from_keys = {
        column: f"data.keys.{name}"
        for name in ("user", "item", "request", "time")
        if (column := getattr(keys, name)) is not None
    }
    weight = {request.data.weight: "data.weight"} if request.data.weight else {}
    return from_features | from_statistics | from_keys | weight | label_columns(request.labels)


def item_tables(request: IngestRequest, frame: pl.LazyFrame) -> list[pl.DataFrame]:
    """Return, for each column that histories match, a table from item to value."""
    tables = []
    train = frame.filter(pl.col(SPLIT_COLUMN) == int(Split.TRAIN))
    for feature in request.features.values():
        if not isinstance(feature, HistoryFeature):
            continue
        for column in feature.match:
            pair = [feature.item, column]
            source = train
            for join in request.data.joins:
                table = open_table(join.table, request.folder)
                if join.on in (feature.item, (feature.item,)) and column in table.collect_schema():
                    source = table
            tables.append(collect(source.select(pair).drop_nulls().unique()))
    return tables


def _weights(chunk: pl.DataFrame, column: str | None) -> np.ndarray:
    if column is None or column not in chunk.columns:
        return np.ones(len(chunk), np.float32)
    weight = chunk[column].cast(pl.Float32).fill_null(0.0).to_numpy()
    if (weight < 0).any() or not np.isfinite(weight).all():
        raise DataError(
            f"data.weight: the column {column!r} holds negative or infinite weights.",
            hint="Weights must be finite and zero or more.",
        )
    return weight
