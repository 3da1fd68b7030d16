"""Which rows are for training, validation and test."""

import datetime as dt
from typing import Literal

import numpy as np
import polars as pl
import pytest

from paretorank.data.splits import ROW_COLUMN, Split, split_expression
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import DataConfig, KeysConfig, SplitConfig

KEYS = KeysConfig(user="user", request="request", time="time")


def _split(
    frame: pl.DataFrame, keys: KeysConfig = KEYS, seed: int = 0, **split: object
) -> np.ndarray:
    config = SplitConfig.model_validate({"seed": seed, **split})
    data = DataConfig(log="unused.parquet", keys=keys, split=config)
    lazy = frame.lazy().with_row_index(ROW_COLUMN)
    found = lazy.with_columns(split_expression(data, lazy).alias("split")).collect()
    return found["split"].to_numpy()


def _log(n_rows: int = 2000, seed: int = 0) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    request = generator.integers(0, 500, n_rows)
    return pl.DataFrame(
        {
            "user": request // 5,
            "request": request,
            "time": generator.integers(0, 300, n_rows),  # many equal times
            "date": generator.choice([20220501, 20220502, 20220503], n_rows),
        }
    )


TIMES = {
    "int": pl.Series(np.random.default_rng(0).permutation(1000)),
    "float": pl.Series(np.random.default_rng(0).permutation(1000) / 7),
    "datetime": pl.Series(
        [
            dt.datetime(2022, 1, 1, tzinfo=dt.UTC) + dt.timedelta(hours=int(h))
            for h in np.random.default_rng(0).permutation(1000)
        ]
    ),
    "date": pl.Series(
        [
            dt.date(2022, 1, 1) + dt.timedelta(days=int(d))
            for d in np.random.default_rng(0).permutation(1000)
        ]
    ),
}


@pytest.mark.parametrize("kind", TIMES)
def test_the_last_rows_are_test_and_those_before_validation(kind: str) -> None:
    frame = pl.DataFrame({"time": TIMES[kind]})
    found = _split(frame, by="time", valid_fraction=0.2, test_fraction=0.1)
    expected = np.repeat([0, 1, 2], [700, 200, 100])
    assert found[frame["time"].arg_sort().to_numpy()].tolist() == expected.tolist()


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_moments_for_which_python_has_no_date_are_ordered_like_others(
    unit: Literal["ms", "us", "ns"],
) -> None:
    far = [-(2**62), -(2**61), *range(6), 2**61, 2**62]
    frame = pl.DataFrame({"time": pl.Series(far).cast(pl.Datetime(unit))})
    found = _split(frame, by="time", valid_fraction=0.2, test_fraction=0.1)
    assert found.tolist() == [0] * 7 + [1, 1, 2]


def test_no_row_of_train_is_as_late_as_a_later_split() -> None:
    frame = _log()
    found, time = _split(frame, by="time"), frame["time"].to_numpy()
    borders = [(time[found == code].min(), time[found == code].max()) for code in Split]
    assert borders[0][1] < borders[1][0] <= borders[1][1] < borders[2][0]
    assert 0.08 < (found == Split.TEST).mean() < 0.13
    assert 0.08 < (found == Split.VALID).mean() < 0.13


@pytest.mark.parametrize(
    ("valid", "test", "expected"),
    [(0.0, 0.1, [90, 0, 10]), (0.1, 0.0, [90, 10, 0]), (0, 0, [100, 0, 0])],
)
def test_a_split_may_be_left_out(valid: float, test: float, expected: list[int]) -> None:
    frame = pl.DataFrame({"time": np.arange(100)})
    for by in ("time", "random"):
        found = _split(frame, by=by, valid_fraction=float(valid), test_fraction=float(test))
        counts = np.bincount(found, minlength=3)
        assert ((counts > 0) == (np.array(expected) > 0)).all()
        assert by != "time" or counts.tolist() == expected


def test_rows_without_a_time_are_for_training() -> None:
    times = pl.Series([float(t) for t in range(98)] + [None, float("nan")])
    found = _split(pl.DataFrame({"time": times}), by="time")
    assert found[-2:].tolist() == [0, 0]
    assert np.bincount(found).tolist() == [80, 10, 10]


@pytest.mark.parametrize("by", ["user", "request"])
def test_no_user_and_no_request_is_in_two_splits(by: str) -> None:
    frame = _log(20_000)
    found = _split(frame, by=by, valid_fraction=0.2, test_fraction=0.2)
    splits = frame.with_columns(split=found).group_by(by).agg(pl.col("split").n_unique())
    assert splits["split"].max() == 1
    assert len(set(found.tolist())) == 3


def test_requests_of_one_user_may_be_in_two_splits_unless_users_are_split() -> None:
    frame = _log(20_000)
    found = _split(frame, by="request", valid_fraction=0.2, test_fraction=0.2)
    splits = frame.with_columns(split=found).group_by("user").agg(pl.col("split").n_unique())
    assert splits["split"].max() == 3


def test_the_user_stands_for_a_request_that_is_not_declared() -> None:
    frame = _log()
    found = _split(frame, KeysConfig(user="user"), by="request")
    assert found.tolist() == _split(frame, by="user").tolist()


@pytest.mark.parametrize("kind", [pl.Int64, pl.String])
def test_fractions_hold_roughly(kind: type[pl.DataType]) -> None:
    users = pl.DataFrame({"user": pl.Series(np.arange(20_000)).cast(kind)})
    for by in ("user", "random"):
        shares = np.bincount(_split(users, by=by, valid_fraction=0.2, test_fraction=0.3)) / 20_000
        assert shares.tolist() == pytest.approx([0.5, 0.2, 0.3], abs=0.015)


def test_a_user_keeps_the_split_whatever_the_order_and_the_other_rows() -> None:
    frame = _log()
    order = np.random.default_rng(1).permutation(len(frame))
    found = _split(frame, by="user")
    assert _split(frame[order], by="user").tolist() == found[order].tolist()
    assert _split(frame.head(10), by="user").tolist() == found[:10].tolist()


def test_the_seed_decides() -> None:
    frame = _log()
    for by in ("user", "random"):
        assert _split(frame, by=by, seed=1).tolist() == _split(frame, by=by, seed=1).tolist()
        assert _split(frame, by=by, seed=1).tolist() != _split(frame, by=by, seed=2).tolist()


def test_users_in_their_splits_are_pinned() -> None:
    frame = pl.DataFrame({"user": np.arange(20)})
    found = _split(frame, by="user", valid_fraction=0.25, test_fraction=0.25)
    assert found.tolist() == [0, 0, 0, 2, 1, 1, 0, 1, 0, 0, 2, 1, 0, 0, 1, 0, 1, 0, 2, 0]


@pytest.mark.parametrize(
    ("column", "valid", "test"),
    [
        (pl.Series([1, 2, 3, None, 1]), (2,), (3,)),
        (pl.Series([1.0, 2.0, 3.0, None, 1.0]), (2,), (3,)),
        (pl.Series([1, 2, 3, None, 1]), ("2",), ("3",)),
        (pl.Series(["a", "b", "c", None, "a"]), ("b",), ("c", "z")),
        (pl.Series(["1", "2", "3", None, "1"]), (2,), (3,)),
        (
            pl.Series([dt.date(2022, 5, d) if d else None for d in (1, 2, 3, 0, 1)]),
            ("2022-05-02",),
            ("2022-05-03",),
        ),
    ],
)
def test_values_of_a_column_decide(
    column: pl.Series, valid: tuple[object, ...], test: tuple[object, ...]
) -> None:
    frame = pl.DataFrame({"c": column})
    assert _split(frame, by="column", column="c", valid=valid, test=test).tolist() == [
        0,
        1,
        2,
        0,
        0,
    ]
    assert _split(frame, by="column", column="c", test=test).tolist() == [0, 0, 2, 0, 0]


@pytest.mark.parametrize(("by", "key"), [("time", "time"), ("user", "user"), ("request", "user")])
def test_a_missing_key_is_named(by: str, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"needs data\.keys\.{key}"):
        _split(_log(), KeysConfig(), by=by)


def test_nothing_left_for_training_is_refused() -> None:
    with pytest.raises(ConfigError, match="no row is left for training"):
        _split(_log(), valid_fraction=0.5, test_fraction=0.5)


def test_a_column_without_values_or_name_is_refused() -> None:
    for split in ({"column": "date"}, {"test": (1,)}):
        with pytest.raises(ConfigError, match="needs `column` and the values"):
            _split(_log(), by="column", **split)


def test_text_for_a_column_of_numbers_is_refused() -> None:
    with pytest.raises(ConfigError, match="holds numbers"):
        _split(_log(), by="column", column="date", test=("may",))


@pytest.mark.parametrize(
    ("keys", "split", "hint"),
    [
        (KeysConfig(user="usr"), {"by": "user"}, "'user'"),
        (KeysConfig(time="tiem"), {"by": "time"}, "'time'"),
        (KEYS, {"by": "column", "column": "dat", "test": (1,)}, "'date'"),
    ],
)
def test_an_unknown_column_is_named_with_a_suggestion(
    keys: KeysConfig, split: dict[str, object], hint: str
) -> None:
    with pytest.raises(DataError) as caught:
        _split(_log(), keys, **split)  # type: ignore[arg-type]
    assert hint in caught.value.hint


def test_times_without_order_or_without_any_value_are_refused() -> None:
    with pytest.raises(DataError, match="has no order in time"):
        _split(pl.DataFrame({"time": ["yesterday"]}), by="time")
    with pytest.raises(DataError, match="holds no time"):
        _split(pl.DataFrame({"time": [None]}, schema={"time": pl.Int64}), by="time")


@pytest.mark.parametrize("kind", TIMES)
def test_rows_before_the_border_are_train_and_the_others_are_split_among_themselves(
    kind: str,
) -> None:
    config = SplitConfig(by="time", valid_fraction=0.2, test_fraction=0.1)
    data = DataConfig(log="unused.parquet", keys=KEYS, split=config)
    lazy = pl.LazyFrame({"time": TIMES[kind]}).with_row_index(ROW_COLUMN)

    def split(frame: pl.LazyFrame, split_from: int) -> np.ndarray:
        code = split_expression(data, frame, split_from=split_from).alias("split")
        return frame.with_columns(code).collect()["split"].to_numpy()

    found = split(lazy, 400)
    assert (found[:400] == Split.TRAIN).all()
    assert found[400:].tolist() == split(lazy.slice(400), 0).tolist()
    assert np.bincount(found[400:]).tolist() == [420, 120, 60]
