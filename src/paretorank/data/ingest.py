"""Encode a log once: source -> split -> fit on train -> encode -> shards, streaming."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from paretorank.data.encoded import EncodedRows
from paretorank.data.encoder import Encoder
from paretorank.data.encoder_store import save_encoder
from paretorank.data.fit import FitPlan, Fitted, check_plan, fit_encoder, plan_columns
from paretorank.data.hashing import stable_hash
from paretorank.data.labels import (
    LABEL_PREFIX,
    check_labels,
    label_columns,
    label_expressions,
    refuse_one_value,
    refuse_violations,
    violation_expressions,
)
from paretorank.data.maturity import with_age
from paretorank.data.replacement import replacing
from paretorank.data.shard_format import (
    ENCODER_FOLDER,
    FORMAT_VERSION,
    LabelSummary,
    Manifest,
)
from paretorank.data.shard_writer import ShardWriter
from paretorank.data.source import collect, open_log, open_table, require_columns
from paretorank.data.splits import ROW_COLUMN, SPLITS, Split, split_expression
from paretorank.data.stream import stream
from paretorank.data.suitability import refuse_unsuited
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

SPLIT_COLUMN = "__split"


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


def ingest_log(request: IngestRequest, target: Path, listener: Listener = silent) -> Manifest:
    """Prepare a data set in `target`; what was there before stays until the new one is whole.

    Raises:
        ConfigError: the request asks for what the log does not have.
        DataError: the log cannot be read, or labels are not of their kind.
        ShardError: the data set cannot be written.
    """
    frame = prepare_frame(request)
    counts = _count_rows(request, frame)
    with replacing(target) as folder:
        return _prepare(request, frame, counts, folder, listener)


def _prepare(
    request: IngestRequest,
    frame: pl.LazyFrame,
    counts: Mapping[str, int],
    folder: Path,
    listener: Listener,
) -> Manifest:
    plan = FitPlan(
        request.features,
        request.statistics,
        request.labels,
        request.data.keys.time,
        _item_tables(request, frame),
    )
    train = frame.filter(pl.col(SPLIT_COLUMN) == int(Split.TRAIN))
    names = [label.name for label in request.labels]
    labels = [LABEL_PREFIX + name for name in names]
    wanted = [*plan_columns(plan), *labels]
    n_train = counts[SPLITS[Split.TRAIN]]
    chunks = stream(train.select(wanted), stage="fit", total=n_train, listener=listener)
    scratch = folder / "train-statistics"
    fitted = fit_encoder(plan, chunks, scratch)
    wanted = list(dict.fromkeys([*_needed(request), ROW_COLUMN, SPLIT_COLUMN, *labels]))
    rows = stream(
        frame.select(wanted), stage="encode", total=sum(counts.values()), listener=listener
    )
    manifest = _write_rows(request, fitted, rows, folder)
    scratch.unlink(missing_ok=True)
    return manifest


def _write_rows(
    request: IngestRequest, fitted: Fitted, chunks: Iterable[pl.DataFrame], folder: Path
) -> Manifest:
    """Encode all rows into shards; other threads write while this one encodes."""
    summary = _Summary([label.name for label in request.labels])
    at = 0
    with ThreadPoolExecutor(2, "paretorank-writer") as pool:
        digests = pool.submit(save_encoder, fitted.encoder, folder / ENCODER_FOLDER)
        size = request.data.shard_rows
        writers = {split: ShardWriter(folder, split, size, pool) for split in SPLITS}
        for chunk in chunks:
            for split, part in _by_split(chunk):
                own = None
                if split == "train":
                    own = fitted.own_statistics(at, at + len(part))
                    at += len(part)
                rows = encode_rows(part, fitted.encoder, request.data, own)
                writers[split].append(rows)
                summary.update(split, rows.labels)
        manifest = Manifest(
            format_version=FORMAT_VERSION,
            made_from=request.made_from,
            layout=fitted.encoder.layout,
            shards=tuple(entry for split in SPLITS for entry in writers[split].finish()),
            labels=tuple(summary.result()),
            encoder=digests.result(),
        )
    manifest.write(folder)
    return manifest


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
    frame = open_log(request.data, request.folder, request.log).with_row_index(ROW_COLUMN)
    require_columns(frame, _needed(request))
    check_labels(request.labels, frame)
    refuse_unsuited(request.features, frame)
    frame = with_age(frame, request.data, request.labels)
    labels = [
        expression.alias(LABEL_PREFIX + label.name)
        for label, expression in zip(request.labels, label_expressions(request.labels), strict=True)
    ]
    if with_split:
        labels.append(split_expression(request.data, frame).alias(SPLIT_COLUMN))
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


class _Summary:
    """Counts and means of the labels per split."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self._sums = {split: np.zeros((2, len(names))) for split in SPLITS}

    def update(self, split: SplitName, labels: np.ndarray) -> None:
        observed = ~np.isnan(labels)
        self._sums[split] += np.stack([observed.sum(0), np.where(observed, labels, 0).sum(0)])

    def result(self) -> Iterator[LabelSummary]:
        for split in SPLITS:
            for name, count, total in zip(self._names, *self._sums[split], strict=True):
                mean = float(total / count) if count else None
                yield LabelSummary(task=name, split=split, n_observed=int(count), mean=mean)


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


def _count_rows(request: IngestRequest, frame: pl.LazyFrame) -> dict[str, int]:
    """Count the rows of every split, and refuse labels outside their kind and an empty train."""
    violations = [
        expression.alias(f"violation:{label.name}")
        for label, expression in zip(
            request.labels, violation_expressions(request.labels), strict=True
        )
    ]
    observed = [pl.col(LABEL_PREFIX + label.name).count() for label in request.labels]
    averages = [
        pl.col(LABEL_PREFIX + label.name).mean().alias(f"mean:{label.name}")
        for label in request.labels
    ]
    totals = collect(
        frame.group_by(SPLIT_COLUMN).agg(pl.len().alias("rows"), *violations, *observed, *averages)
    )
    counts = dict(zip(totals[SPLIT_COLUMN].to_list(), totals["rows"].to_list(), strict=True))
    sums = {
        label.name: int(totals[f"violation:{label.name}"].fill_null(0).sum())
        for label in request.labels
    }
    refuse_violations(request.labels, sums)
    if not counts.get(int(Split.TRAIN)):
        raise DataError(
            "No row is left for training.",
            hint="Is the log empty, or does data.split send every row elsewhere?",
        )
    train = totals.filter(pl.col(SPLIT_COLUMN) == int(Split.TRAIN))
    means = {
        label.name: train[f"mean:{label.name}"].item()
        for label in request.labels
        if train[LABEL_PREFIX + label.name].item()
    }
    for label in request.labels:
        if not train[LABEL_PREFIX + label.name].sum():
            raise DataError(
                f"tasks.{label.name}: the column {label.column!r} holds no observed label on the "
                "training rows.",
                hint="Check the column, observed_when and the split; or remove the task.",
            )
    refuse_one_value(request.labels, means)
    return {name: int(counts.get(code, 0)) for code, name in enumerate(SPLITS)}


def _item_tables(request: IngestRequest, frame: pl.LazyFrame) -> list[pl.DataFrame]:
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
