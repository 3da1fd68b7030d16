"""Zeros count only once they are final."""

import datetime as dt
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from paretorank.data.ingest import SPLIT_COLUMN, IngestRequest, prepare_frame
from paretorank.data.labels import LABEL_PREFIX, label_expressions, waiting_expressions
from paretorank.data.maturity import AGE_COLUMN, with_age
from paretorank.data.source import collect
from paretorank.data.splits import SPLITS
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import (
    DataConfig,
    KeysConfig,
    LabelSpec,
    NumericFeature,
    SplitConfig,
)

DAY = 86_400.0
START = 1_700_000_000
BUY = LabelSpec(name="buy", column="buy", kind="binary", matures_after=DAY)
LABELS = [1, 0, 1, 0, 0, None]
HOURS = [0, 0, 20, 20, 30, 30]
"""After the first row: the last rows are 10 and 0 hours old."""
FRAME = pl.DataFrame({"buy": LABELS, "t": [START + 3600 * hour for hour in HOURS]})


def data(*, as_of: float | str | None = None, time: str | None = "t") -> DataConfig:
    return DataConfig(log="log.parquet", keys=KeysConfig(time=time), as_of=as_of)


def read(frame: pl.DataFrame, label: LabelSpec = BUY, **settings: Any) -> list[float | None]:
    aged = with_age(frame.lazy(), data(**settings), [label])
    return collect(aged.select(label_expressions([label])))[label.name].to_list()


def test_a_young_zero_is_not_observed_and_a_young_one_is() -> None:
    assert read(FRAME) == [1, 0, 1, None, None, None]


def test_young_ones_may_wait_too() -> None:
    assert read(FRAME, BUY.model_copy(update={"count_early": False})) == [1, 0, None] + [None] * 3


def test_a_zero_of_exactly_the_age_is_final() -> None:
    exactly = BUY.model_copy(update={"matures_after": 36_000.0})
    assert read(FRAME, exactly) == [1, 0, 1, 0, None, None]


def test_the_end_of_the_log_may_be_told() -> None:
    assert read(FRAME, as_of=START + 3600 * 44) == [1, 0, 1, 0, None, None]
    assert read(FRAME, as_of=START + 3600 * 54) == [1, 0, 1, 0, 0, None]
    assert read(FRAME, as_of=START) == [1, None, 1, None, None, None]


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_every_unit_of_time_gives_the_same_labels(unit: Any) -> None:
    as_time = FRAME.with_columns(pl.from_epoch("t", time_unit="s").dt.cast_time_unit(unit))
    assert read(as_time) == read(FRAME)
    factor = {"ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    assert read(FRAME.with_columns(pl.col("t") * factor)) == read(FRAME)


def test_dates_count_from_midnight() -> None:
    days = [dt.date(2024, 1, 1), dt.date(2024, 1, 1), dt.date(2024, 1, 2), dt.date(2024, 1, 3)]
    frame = pl.DataFrame({"buy": [0, 1, 0, 0], "t": days})
    assert read(frame) == [0, 1, 0, None]
    assert read(frame, as_of="2024-01-02T06:00:00") == [0, 1, None, None]


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
def test_a_told_moment_is_in_universal_time(zone: str | None) -> None:
    moments = pl.from_epoch("t", time_unit="s").cast(pl.Datetime("us", "UTC"))
    frame = FRAME.with_columns(
        moments.dt.replace_time_zone(None) if zone is None else moments.dt.convert_time_zone(zone)
    )
    end = dt.datetime.fromtimestamp(START + 3600 * 44, tz=dt.UTC)
    expected = [1, 0, 1, 0, None, None]
    assert read(frame, as_of=end.replace(tzinfo=None).isoformat()) == expected
    assert read(frame, as_of=end.isoformat()) == expected


def test_a_row_without_a_time_counts_as_old() -> None:
    frame = FRAME.with_columns(t=pl.Series([None, *FRAME["t"][1:]]))
    assert read(frame) == read(FRAME)
    assert read(FRAME.with_columns(pl.col("t").cast(pl.Float64))) == read(FRAME)


def test_a_zero_after_a_young_parent_follows_the_parents_own_label() -> None:
    click = LabelSpec(name="click", column="click", kind="binary")
    buy = BUY.model_copy(update={"observed_when": "click", "parent": "click"})
    frame = FRAME.with_columns(click=pl.Series([1, 1, 1, 1, 0, 1]))
    aged = with_age(frame.lazy(), data(), [click, buy])
    assert aged.select(label_expressions([click, buy])).collect()["buy"].to_list() == [
        *(1, 0, 1),
        *(None, None, None),
    ]


def test_prepared_rows_hold_what_is_final_whatever_their_split() -> None:
    request = IngestRequest(
        data().model_copy(update={"split": SplitConfig(by="time", test_fraction=0.4)}),
        Path(),
        {"x": NumericFeature(column="t")},
        {},
        [BUY],
        FRAME.lazy(),
    )
    rows = collect(prepare_frame(request))
    assert rows[LABEL_PREFIX + "buy"].to_list() == [1, 0, 1, None, None, None]
    test = collect(prepare_frame(request).filter(pl.col(SPLIT_COLUMN) == SPLITS.index("test")))
    assert test[LABEL_PREFIX + "buy"].to_list() == [None, None]


def test_rows_get_no_age_where_no_label_needs_it() -> None:
    ready = BUY.model_copy(update={"matures_after": None})
    assert AGE_COLUMN not in with_age(FRAME.lazy(), data(), [ready]).collect_schema().names()
    assert read(FRAME, ready, time=None) == LABELS


def test_a_log_without_time_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tasks\.buy\.matures_after needs data\.keys\.time"):
        read(FRAME, time=None)
    with pytest.raises(DataError, match=r"data\.keys\.time asks for the column 'when'"):
        read(FRAME, time="when")


@pytest.mark.parametrize(
    ("times", "problem"),
    [
        ([20240101, 20240102, 20240103], "dates as numbers, such as 20240103"),
        (["a", "b", "c"], "is String, from which no age follows"),
        ([None, None, None], "Null|holds no time"),
    ],
)
def test_times_that_count_no_seconds_are_refused(times: list[Any], problem: str) -> None:
    with pytest.raises(DataError, match=problem):
        read(pl.DataFrame({"buy": [0, 1, 0], "t": times}))


@pytest.mark.parametrize(("as_of", "times"), [("soon", [1]), ("yesterday", [dt.date(2024, 1, 1)])])
def test_a_moment_that_is_none_is_refused(as_of: str, times: list[Any]) -> None:
    with pytest.raises(ConfigError, match=r"data\.as_of"):
        read(pl.DataFrame({"buy": [0], "t": times}), as_of=as_of)


def waiting(frame: pl.DataFrame, label: LabelSpec) -> list[float | None]:
    aged = with_age(frame.lazy(), data(), [label])
    return collect(aged.select(waiting_expressions([label]))).to_series().to_list()


def test_the_age_of_young_zeros_is_kept_where_a_loss_wants_it() -> None:
    keeps = BUY.model_copy(update={"keeps_waiting": True})
    assert waiting(FRAME, keeps) == [None, None, None, 36_000.0, 0.0, None]
    assert read(FRAME, keeps) == read(FRAME)
    assert waiting_expressions([BUY]) == []
    elsewhere = keeps.model_copy(update={"observed_when": f"t < {START + 3600 * 25}"})
    assert waiting(FRAME, elsewhere) == [None, None, None, 36_000.0, None, None]
