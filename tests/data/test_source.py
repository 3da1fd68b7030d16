"""Files of every format become one lazy frame; whatever is wrong has a name."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from paretorank.data.source import as_frame, collect, open_log, open_table, require_columns
from paretorank.foundation.errors import DataError
from paretorank.schema import DataConfig, JoinConfig

TABLE = pl.DataFrame({"user": [1, 2, 3], "score": [0.5, None, 1.5], "name": ["a", "b", None]})

WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".pq": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".tsv": lambda frame, path: frame.write_csv(path, separator="\t"),
    ".arrow": lambda frame, path: frame.write_ipc(path),
    ".feather": lambda frame, path: frame.write_ipc(path, compression="lz4"),
    ".PARQUET": lambda frame, path: frame.write_parquet(path),
}


def _write(frame: pl.DataFrame, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    WRITERS[path.suffix](frame, path)
    return path


@pytest.mark.parametrize("ending", WRITERS)
def test_every_format_is_read(ending: str, tmp_path: Path) -> None:
    _write(TABLE, tmp_path / f"log{ending}")
    assert open_table(f"log{ending}", tmp_path).collect().equals(TABLE)
    assert open_table(str(tmp_path / f"log{ending}"), Path()).collect().equals(TABLE)


@pytest.mark.parametrize("place", ["log", "log/*.parquet", "l*/part-?.parquet", "**/*.parquet"])
def test_folders_and_globs_are_read_in_the_order_of_names(place: str, tmp_path: Path) -> None:
    for at in (2, 0, 1):
        _write(TABLE[at : at + 1], tmp_path / "log" / f"part-{at}.parquet")
    (tmp_path / "log" / "_SUCCESS").touch()
    assert open_table(place, tmp_path).collect().equals(TABLE)
    assert open_table(str(tmp_path / place), Path("elsewhere")).collect().equals(TABLE)


def test_several_files_are_read_in_the_given_order(tmp_path: Path) -> None:
    for at in range(3):
        _write(TABLE[at : at + 1], tmp_path / f"{at}.csv")
    found = open_table(("2.csv", "0.csv"), tmp_path).collect()
    assert found["user"].to_list() == [3, 1]


def test_brackets_in_names_are_no_pattern(tmp_path: Path) -> None:
    folder = tmp_path / "data[1]"
    for ending in (".parquet", ".csv"):
        _write(TABLE, folder / f"log[a]{ending}")
        assert open_table(f"log[a]{ending}", folder).collect().equals(TABLE)
        assert open_table(f"*{ending}", folder).collect().equals(TABLE)


def test_missing_files_are_named_with_the_folder(tmp_path: Path) -> None:
    for place in ("log.parquet", "none/*.csv", ("a.csv", "b.csv")):
        with pytest.raises(DataError, match="names no file") as caught:
            open_table(place, tmp_path)
        assert str(tmp_path) in str(caught.value)


def test_an_empty_folder_names_no_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="names no file"):
        open_table(str(tmp_path), Path())


def test_formats_are_not_mixed(tmp_path: Path) -> None:
    _write(TABLE, tmp_path / "log" / "a.csv")
    _write(TABLE, tmp_path / "log" / "b.parquet")
    with pytest.raises(DataError, match="mixes the formats csv, parquet"):
        open_table("log", tmp_path)


def test_unknown_endings_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.xlsx").touch()
    with pytest.raises(DataError, match=r"'\.xlsx'"):
        open_table("log.xlsx", tmp_path)


@pytest.mark.parametrize("name", ["log.parquet", "log.csv", "log.arrow"])
def test_empty_and_broken_files_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(DataError, match=rf"{name} cannot be read"):
        open_table(name, tmp_path)


def test_a_truncated_parquet_is_named(tmp_path: Path) -> None:
    path = _write(TABLE, tmp_path / "log.parquet")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"log\.parquet cannot be read"):
        open_table("log.parquet", tmp_path)


def test_a_column_that_changes_its_type_fails_with_a_name(tmp_path: Path) -> None:
    _write(pl.DataFrame({"x": [1]}), tmp_path / "log" / "a.parquet")
    _write(pl.DataFrame({"x": ["one"]}), tmp_path / "log" / "b.parquet")
    with pytest.raises(DataError, match="cannot be read"):
        collect(open_table("log", tmp_path))


def _join(tmp_path: Path, log: pl.DataFrame, table: pl.DataFrame, **join: object) -> pl.DataFrame:
    _write(table, tmp_path / "side.parquet")
    config = JoinConfig.model_validate({"table": "side.parquet", **join})
    data = DataConfig(log="unused", joins=(config,))
    return collect(open_log(data, tmp_path, log.lazy()))


def test_a_join_adds_columns_and_keeps_rows_and_their_order(tmp_path: Path) -> None:
    users = np.random.default_rng(0).integers(0, 50, 5000)
    log = pl.DataFrame({"user": users, "row": np.arange(5000)})
    table = pl.DataFrame({"user": np.arange(40)[::-1], "age": np.arange(40)[::-1] * 2, "x": 1})
    found = _join(tmp_path, log, table, on="user", columns=("age",))
    assert found.columns == ["user", "row", "age"]
    assert found["row"].to_list() == list(range(5000))
    assert found["age"].to_list() == [u * 2 if u < 40 else None for u in users.tolist()]


def test_all_columns_that_the_log_does_not_have_are_taken(tmp_path: Path) -> None:
    log = pl.DataFrame({"user": [1], "tab": [7]})
    table = pl.DataFrame({"user": [1], "tab": [0], "age": [30]})
    assert _join(tmp_path, log, table, on="user").rows() == [(1, 7, 30)]


def test_two_keys_join_together(tmp_path: Path) -> None:
    log = pl.DataFrame({"a": [1, 1, 2], "b": ["x", "y", "x"]})
    table = pl.DataFrame({"a": [1, 2], "b": ["y", "x"], "c": [10, 20]})
    assert _join(tmp_path, log, table, on=("a", "b"))["c"].to_list() == [None, 10, 20]


@pytest.mark.parametrize(
    ("of_log", "of_table"),
    [
        (pl.Int64(), pl.Int32()),
        (pl.Int32(), pl.Int64()),
        (pl.Int64(), pl.String()),
        (pl.String(), pl.Int64()),
        (pl.Float64(), pl.Int64()),
        (pl.UInt8(), pl.Float64()),
    ],
)
def test_keys_of_different_types_meet(
    of_log: pl.DataType, of_table: pl.DataType, tmp_path: Path
) -> None:
    log = pl.DataFrame({"user": [2, 3, None]}).cast({"user": of_log})
    table = pl.DataFrame({"user": [1, 2], "age": [10, 20]}).cast({"user": of_table})
    assert _join(tmp_path, log, table, on="user")["age"].to_list() == [20, None, None]


def test_keys_that_cannot_meet_are_refused(tmp_path: Path) -> None:
    log, table = pl.DataFrame({"user": [2]}), pl.DataFrame({"user": ["u2"], "age": [20]})
    with pytest.raises(DataError, match=r"data\.joins\[0\]: side\.parquet cannot be joined"):
        _join(tmp_path, log, table, on="user")


def test_repeated_keys_would_double_rows_and_are_refused(tmp_path: Path) -> None:
    log, table = pl.DataFrame({"user": [2]}), pl.DataFrame({"user": [2, 2], "age": [20, 21]})
    with pytest.raises(DataError, match="2 rows for 1 values of user"):
        _join(tmp_path, log, table, on="user")


def test_keys_that_become_equal_by_their_type_are_refused(tmp_path: Path) -> None:
    log, table = pl.DataFrame({"user": [5]}), pl.DataFrame({"user": ["5", "05"], "age": [1, 2]})
    with pytest.raises(DataError, match="2 rows for 1 values of user"):
        _join(tmp_path, log, table, on="user")


def test_a_null_key_fits_no_row(tmp_path: Path) -> None:
    log = pl.DataFrame({"user": [2, None]})
    table = pl.DataFrame({"user": [2, None, None], "age": [20, 1, 2]})
    assert _join(tmp_path, log, table, on="user")["age"].to_list() == [20, None]


@pytest.mark.parametrize(
    ("join", "problem", "hint"),
    [
        ({"on": "usr"}, r"data\.joins\[0\]\.on: the log has no column 'usr'", "'user'"),
        ({"on": "tab"}, r"data\.joins\[0\]\.on: side\.parquet has no column 'tab'", "'tab2'"),
        ({"on": "user", "columns": ("agee",)}, "has no column 'agee'", "'age'"),
        ({"on": "user", "columns": ("tab2",)}, "the log has a column 'tab2' already", "rename"),
    ],
)
def test_unknown_and_doubled_columns_of_a_join_are_named(
    join: dict[str, object], problem: str, hint: str, tmp_path: Path
) -> None:
    log = pl.DataFrame({"user": [1], "tab": [1], "tab2": [1]})
    table = pl.DataFrame({"user": [1], "age": [1], "tab2": [2]})
    with pytest.raises(DataError, match=problem) as caught:
        _join(tmp_path, log, table, **join)
    assert hint in caught.value.hint


def test_only_rows_that_repeat_in_every_column_are_dropped() -> None:
    log = pl.DataFrame({"a": [1, 2, 1, 1], "b": ["x", "y", "x", "z"]})
    data = DataConfig(log="unused", drop_duplicates=True)
    found = collect(open_log(data, Path(), log.lazy()))
    assert found.rows() == [(1, "x"), (2, "y"), (1, "z")]


def test_a_column_that_is_asked_for_must_exist() -> None:
    require_columns(TABLE.lazy(), {"user": "data.keys.user"})
    with pytest.raises(DataError, match=r"data\.keys\.item asks for the column 'usr'") as caught:
        require_columns(TABLE.lazy(), {"usr": "data.keys.item"})
    assert caught.value.hint == "Did you mean 'user'?"


@pytest.mark.parametrize(
    "rows",
    [
        TABLE,
        TABLE.lazy(),
        TABLE.to_dict(as_series=False),
        TABLE.to_dict(),
        TABLE.to_pandas(),
        TABLE.to_arrow(),
        {
            "user": np.array([1, 2, 3]),
            "score": np.array([0.5, np.nan, 1.5]),
            "name": np.array(["a", "b", None], dtype=object),
        },
    ],
    ids=lambda rows: type(rows).__module__,
)
def test_everything_that_is_a_table_is_read(rows: object) -> None:
    found = as_frame(rows).collect().with_columns(pl.col("score").fill_nan(None))
    assert found.equals(TABLE)


def test_paths_are_read_too(tmp_path: Path) -> None:
    path = _write(TABLE, tmp_path / "a.parquet")
    other = _write(TABLE, tmp_path / "b.parquet")
    assert as_frame(path).collect().equals(TABLE)
    assert as_frame(str(path)).collect().equals(TABLE)
    assert len(as_frame([path, other]).collect()) == 6


def test_vectors_and_strided_arrays_are_read() -> None:
    grid = np.arange(12.0).reshape(3, 4)
    found = as_frame({"v": grid, "column": grid[:, 1]}).collect()
    assert found["v"].to_list() == grid.tolist()
    assert found["column"].to_list() == [1, 5, 9]


def test_arrays_of_objects_may_begin_with_none() -> None:
    column = np.array([None, "a", np.str_("b")], dtype=object)
    assert as_frame({"x": column}).collect()["x"].to_list() == [None, "a", "b"]


def test_a_record_batch_and_missing_values_of_pandas_are_read() -> None:
    assert as_frame(pa.record_batch({"a": [1, None]})).collect()["a"].to_list() == [1, None]
    frame = pd.DataFrame(
        {"a": pd.array([1, None], dtype="Int64"), "b": pd.Categorical(["x", None])}
    )
    found = as_frame(frame).collect()
    assert found["a"].to_list() == [1, None]
    assert found["b"].to_list() == ["x", None]


@pytest.mark.parametrize(
    "rows",
    [
        3,
        None,
        object(),
        [1, 2],
        [],
        np.zeros(3),
        pd.Series([1]),
        {"a": [1, "x"]},
        {"a": [1, 2], "b": [1]},
        {"a": 1},
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_everything_else_is_refused_by_name(rows: object) -> None:
    with pytest.raises(DataError):
        as_frame(rows, name="rows")
