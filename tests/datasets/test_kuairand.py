"""Tests of the KuaiRand adapter on made-up files, and on the real cut where it is at hand."""

import os
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pydantic import TypeAdapter

from paretorank.datasets.kuairand import (
    FIRST_DAY,
    HISTORY_LENGTH,
    HISTORY_SCHEMA,
    LOG_SCHEMA,
    history_before,
    prepare_kuairand,
)
from paretorank.foundation.errors import DataError
from paretorank.schema import DataConfig, FeatureConfig, LabelSpec, StatisticConfig

TABLES = ("log", "users", "videos", "history", "video_statistics")
EARLY = (20220408, 20220421, 20220422, 20220424)
LATE = (20220425, 20220426, 20220427, 20220428)
OUTCOMES = {
    *(name for name in LOG_SCHEMA if name.startswith("is_") and name != "is_rand"),
    *("long_view", "play_time_ms", "profile_stay_time", "comment_stay_time"),
}


def made_up_log(days: tuple[int, ...], seed: int = 0, rows_per_day: int = 30) -> pl.DataFrame:
    """Return a log in the published columns, its rows in order of time."""
    rng = np.random.default_rng(seed)
    n = len(days) * rows_per_day
    date = np.repeat(days, rows_per_day)
    columns = {name: rng.integers(2, size=n) for name in LOG_SCHEMA}
    columns |= {
        "user_id": rng.integers(5, size=n),
        "video_id": rng.integers(8, size=n),
        "date": date,
        "hourmin": rng.integers(24, size=n) * 100,
        "time_ms": (date - 20220401) * 86_400_000 + np.arange(n),
        "is_rand": np.zeros(n, dtype=np.int64),
    }
    return pl.DataFrame(columns).select(list(LOG_SCHEMA))


def side_tables() -> dict[str, pl.DataFrame]:
    """Return users, videos and statistics by their published names, without suffix."""
    users = pl.DataFrame(
        {
            "user_id": range(5),
            "user_active_degree": ["full_active", "UNKNOWN", "day_new", "day_new", "full_active"],
            "is_live_streamer": [-124, 0, 1, -124, 0],
            "register_days": [14, 20, 30, 400, 999],
            "onehot_feat0": [0, 1, 1, 0, 1],
            "onehot_feat4": [1.0, None, 3.0, 0.0, 2.0],
        }
    )
    videos = pl.DataFrame(
        {
            "video_id": range(8),
            "author_id": [1, 1, 2, 3, 4, 5, 6, 7],
            "upload_type": ["Web"] * 8,
            "music_type": [9.0, None, 4.0, 9.0, 9.0, 9.0, 8.0, 9.0],
            "tag": ["39,68", "3", None, "3", "3", "1", "2", "9"],
        }
    )
    statistics = pl.DataFrame({"video_id": range(8), "like_cnt": np.arange(8) / 3})
    return {
        "user_features": users,
        "video_features_basic": videos,
        "video_features_statistic": statistics,
    }


@pytest.fixture
def csv_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "KuaiRand-Pure" / "data"
    folder.mkdir(parents=True)
    made_up_log(EARLY[:2], 1).write_csv(folder / "log_standard_4_08_to_4_21_pure.csv")
    late = made_up_log((*EARLY[2:], *LATE), 2)
    late.write_csv(folder / "log_standard_4_22_to_5_08_pure.csv")
    for name, table in side_tables().items():
        table.write_csv(folder / f"{name}_pure.csv")
    return folder.parent


@pytest.fixture
def cut_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "cut"
    folder.mkdir()
    early, late = made_up_log(EARLY[:2], 1), made_up_log((*EARLY[2:], *LATE), 2)
    log = pl.concat([early, late])
    small = log.filter(pl.col("date") >= FIRST_DAY).cast(LOG_SCHEMA).cast({"user_id": pl.Int32})
    small.write_parquet(folder / "log_20220425_20220428.parquet")
    history = history_before(log, FIRST_DAY).cast({"watch_seq": pl.List(pl.Int32)})
    history.write_parquet(folder / "user_history_before_20220425.parquet")
    for name, table in side_tables().items():
        table.write_parquet(folder / f"{name}.parquet")
    return folder


def prepared(source: Path, target: Path) -> dict[str, pl.DataFrame]:
    prepare_kuairand(source, target)
    return {name: pl.read_parquet(target / f"{name}.parquet") for name in TABLES}


def configuration(folder: Path) -> dict[str, Any]:
    with (folder / "kuairand.toml").open("rb") as handle:
        return tomllib.load(handle)


def test_history_holds_what_a_user_saw_liked_and_watched_long_oldest_first() -> None:
    log = pl.DataFrame(
        {
            "user_id": [7, 7, 7, 7],
            "video_id": [1, 2, 3, 4],
            "date": [20220424, 20220424, 20220423, 20220425],
            "time_ms": [20, 30, 10, 40],
            "is_like": [1, 0, 0, 1],
            "long_view": [1, 1, 0, 1],
        }
    )
    assert history_before(log, FIRST_DAY).rows() == [(7, 3, 30, [3, 1, 2], [1], [1, 2])]


def test_history_keeps_the_newest_entries_but_counts_all() -> None:
    n = HISTORY_LENGTH + 3
    log = made_up_log((20220408,), rows_per_day=n)
    log = log.with_columns(user_id=0, video_id=pl.int_range(n))
    row = history_before(log, FIRST_DAY).row(0, named=True)
    assert row["history_len"] == n
    assert row["watch_seq"] == list(range(3, n))


def test_both_layouts_give_the_same_tables(
    csv_folder: Path, cut_folder: Path, tmp_path: Path
) -> None:
    from_csv = prepared(csv_folder, tmp_path / "a")
    from_cut = prepared(cut_folder, tmp_path / "b")
    for name in TABLES:
        assert from_csv[name].schema == from_cut[name].schema
        assert from_csv[name].equals(from_cut[name])


def test_names_of_the_1k_version_are_known(csv_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "1k"
    folder.mkdir()
    for path in (csv_folder / "data").iterdir():
        (folder / path.name.replace("_pure", "_1k")).write_bytes(path.read_bytes())
    assert prepared(folder, tmp_path / "out")["log"].height == 30 * len(LATE)


def test_history_from_csv_uses_nothing_of_the_log(csv_folder: Path, tmp_path: Path) -> None:
    tables = prepared(csv_folder, tmp_path / "out")
    assert tables["log"]["date"].min() == FIRST_DAY
    assert tables["history"]["history_len"].sum() == 30 * len(EARLY)
    assert tables["history"]["last_time_ms"].max() < tables["log"]["time_ms"].min()  # type: ignore[operator]


def test_log_stays_as_published_but_for_the_order_and_the_hour(
    csv_folder: Path, tmp_path: Path
) -> None:
    log = prepared(csv_folder, tmp_path / "out")["log"]
    expected = made_up_log((*EARLY[2:], *LATE), 2).filter(pl.col("date") >= FIRST_DAY)
    assert log.drop("hour").equals(expected.cast(LOG_SCHEMA))
    assert log["hour"].to_list() == (expected["hourmin"] // 100).to_list()


def test_repeated_rows_are_left_to_the_configuration(cut_folder: Path, tmp_path: Path) -> None:
    path = cut_folder / "log_20220425_20220428.parquet"
    log = pl.read_parquet(path)
    pl.concat([log, log.head(5)]).write_parquet(path)
    assert prepared(cut_folder, tmp_path / "out")["log"].height == log.height + 5
    assert configuration(tmp_path / "out")["data"]["drop_duplicates"] is True


def test_last_day_is_test_and_the_day_before_valid(cut_folder: Path, tmp_path: Path) -> None:
    prepare_kuairand(cut_folder, tmp_path / "out")
    split = configuration(tmp_path / "out")["data"]["split"]
    assert (split["valid"], split["test"]) == ([20220427], [20220428])


def test_written_sections_are_valid(cut_folder: Path, tmp_path: Path) -> None:
    tables = prepared(cut_folder, tmp_path / "out")
    written = configuration(tmp_path / "out")
    data = DataConfig.model_validate_json(_json(written["data"]))
    feature: TypeAdapter[FeatureConfig] = TypeAdapter(FeatureConfig)
    for section in written["features"].values():
        feature.validate_json(_json(section))
    for section in written["statistics"].values():
        StatisticConfig.model_validate_json(_json(section))
    for name, task in written["tasks"].items():
        spec = {"name": name, **task, "column": task["label"]}
        LabelSpec.model_validate_json(_json({k: v for k, v in spec.items() if k != "label"}))
        assert task["label"] in tables["log"].columns
    assert [(tmp_path / "out" / join.table).is_file() for join in data.joins] == [True] * 3


def test_no_outcome_constant_or_day_is_a_feature(cut_folder: Path, tmp_path: Path) -> None:
    prepare_kuairand(cut_folder, tmp_path / "out")
    written = configuration(tmp_path / "out")
    used = {section.get("column", name) for name, section in written["features"].items()}
    used |= {name for section in written["statistics"].values() for name in section["of"]}
    assert not used & {*OUTCOMES, "is_rand", "date", "time_ms", "upload_dt"}


def test_whole_period_statistics_are_copied_but_not_joined(
    cut_folder: Path, tmp_path: Path
) -> None:
    tables = prepared(cut_folder, tmp_path / "out")
    assert tables["video_statistics"].equals(side_tables()["video_features_statistic"])
    joins = configuration(tmp_path / "out")["data"]["joins"]
    assert [join["table"] for join in joins] == [
        "users.parquet",
        "videos.parquet",
        "history.parquet",
    ]


def test_every_key_of_the_configuration_has_a_reason(cut_folder: Path, tmp_path: Path) -> None:
    path = prepare_kuairand(cut_folder, tmp_path / "out")
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = [i for i, line in enumerate(lines) if " = " in line and not line.startswith("#")]
    assert [lines[i] for i in keys if "#" not in lines[i] and lines[i - 1][:1] != "#"] == []


def test_prepared_twice_gives_the_same_bytes(csv_folder: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        prepare_kuairand(csv_folder, tmp_path / name)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()} for name in "ab"
    )
    assert first == second
    assert "CC BY-SA 4.0" in first["ATTRIBUTION.md"].decode()


def test_log_keeps_the_published_types(cut_folder: Path, tmp_path: Path) -> None:
    tables = prepared(cut_folder, tmp_path / "out")
    assert dict(tables["log"].drop("hour").schema) == LOG_SCHEMA
    assert dict(tables["history"].schema) == HISTORY_SCHEMA


def test_codes_read_as_floats_become_integers(cut_folder: Path, tmp_path: Path) -> None:
    tables = prepared(cut_folder, tmp_path / "out")
    assert tables["users"]["onehot_feat4"].to_list() == [1, None, 3, 0, 2]
    assert tables["videos"]["music_type"].dtype == pl.Int64


@pytest.mark.parametrize("name", ["user_features_pure.csv", "log_standard_4_22_to_5_08_pure.csv"])
def test_missing_csv_file_is_named(csv_folder: Path, tmp_path: Path, name: str) -> None:
    (csv_folder / "data" / name).unlink()
    with pytest.raises(DataError, match=name):
        prepare_kuairand(csv_folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "name", ["video_features_basic.parquet", "user_history_before_20220425.parquet"]
)
def test_missing_file_of_the_cut_is_named(cut_folder: Path, tmp_path: Path, name: str) -> None:
    (cut_folder / name).unlink()
    with pytest.raises(DataError, match=name[:15]):
        prepare_kuairand(cut_folder, tmp_path / "out")


def test_folder_without_a_log_says_what_was_looked_for(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="log_standard_4_08_to_4_21_pure") as error:
        prepare_kuairand(tmp_path, tmp_path / "out")
    assert "kuairand.com" in error.value.hint


def test_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere is not a folder"):
        prepare_kuairand(tmp_path / "nowhere", tmp_path / "out")


def test_missing_column_is_named(csv_folder: Path, tmp_path: Path) -> None:
    path = csv_folder / "data" / "log_standard_4_22_to_5_08_pure.csv"
    pl.read_csv(path).drop("long_view", "tab").write_csv(path)
    with pytest.raises(DataError, match="no column long_view, tab"):
        prepare_kuairand(csv_folder, tmp_path / "out")


def test_text_where_a_number_belongs_names_the_file(csv_folder: Path, tmp_path: Path) -> None:
    path = csv_folder / "data" / "log_standard_4_22_to_5_08_pure.csv"
    pl.read_csv(path).with_columns(tab=pl.lit("main")).write_csv(path)
    with pytest.raises(DataError, match=r"4_22_to_5_08_pure\.csv is not readable"):
        prepare_kuairand(csv_folder, tmp_path / "out")


def test_damaged_file_is_named(cut_folder: Path, tmp_path: Path) -> None:
    (cut_folder / "user_features.parquet").write_bytes(b"no table")
    with pytest.raises(DataError, match=r"user_features\.parquet is not readable"):
        prepare_kuairand(cut_folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_few_days_are_refused(cut_folder: Path, tmp_path: Path) -> None:
    path = cut_folder / "log_20220425_20220428.parquet"
    pl.read_parquet(path).filter(pl.col("date") < LATE[2]).write_parquet(path)
    with pytest.raises(DataError, match="has 2 days"):
        prepare_kuairand(cut_folder, tmp_path / "out")


@pytest.mark.skipif(
    "PARETORANK_KUAIRAND" not in os.environ, reason="PARETORANK_KUAIRAND names no folder"
)
def test_real_cut_becomes_a_log_whose_columns_the_configuration_names(tmp_path: Path) -> None:
    tables = prepared(Path(os.environ["PARETORANK_KUAIRAND"]), tmp_path / "out")
    written = configuration(tmp_path / "out")
    columns = {name for table in TABLES[:4] for name in tables[table].columns}
    named = {section.get("column", name) for name, section in written["features"].items()}
    named |= {name for section in written["statistics"].values() for name in section["of"]}
    named |= set(written["data"]["keys"].values())
    assert named <= columns
    assert tables["log"]["time_ms"].is_sorted()


def _json(section: dict[str, Any]) -> bytes:
    return TypeAdapter(dict[str, Any]).dump_json(section)
