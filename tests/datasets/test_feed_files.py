"""The written feed can be read back and describes itself."""

import tomllib
from pathlib import Path

import polars as pl
from polars.testing import assert_frame_equal
from pydantic import TypeAdapter

from paretorank.datasets.feed import simulate_feed
from paretorank.datasets.feed_config import FeedConfig
from paretorank.datasets.feed_files import feed_config_toml, write_feed
from paretorank.schema.dataset import DataConfig
from paretorank.schema.features import FeatureConfig
from paretorank.schema.statistics import StatisticConfig


def test_written_tables_are_the_simulated_ones(tmp_path: Path) -> None:
    config = FeedConfig(n_rows=1_000)
    path = write_feed(tmp_path / "new", config)
    data = simulate_feed(config)
    assert path == tmp_path / "new" / "feed.toml"
    assert_frame_equal(pl.read_parquet(path.with_name("log.parquet")), data.log)
    assert_frame_equal(pl.read_parquet(path.with_name("truth.parquet")), data.truth)
    assert path.read_text(encoding="utf-8") == feed_config_toml(config)


def test_configuration_names_columns_of_the_log() -> None:
    config = FeedConfig(n_rows=100, history_length=3)
    parsed = tomllib.loads(feed_config_toml(config))
    columns = set(simulate_feed(config).log.columns)
    data = DataConfig.model_validate_json(_json(parsed["data"]))
    assert set(data.keys.model_dump().values()) <= columns
    assert set(parsed["features"]) <= columns
    for feature in parsed["features"].values():
        TypeAdapter[FeatureConfig](FeatureConfig).validate_python(feature)
    for statistic in parsed["statistics"].values():
        assert set(StatisticConfig.model_validate_json(_json(statistic)).of) <= columns
    assert {task["label"] for task in parsed["tasks"].values()} <= columns


def test_no_feature_of_the_configuration_is_an_outcome() -> None:
    config = FeedConfig(n_rows=100)
    parsed = tomllib.loads(feed_config_toml(config))
    outcomes = ("is_", "long_view", "watch", "follow", "profile")
    assert not [name for name in parsed["features"] if name.startswith(outcomes)]


def test_tasks_can_be_chosen_and_hang_on_the_click() -> None:
    parsed = tomllib.loads(feed_config_toml(FeedConfig(), tasks=("click", "follow", "watch")))
    assert parsed["tasks"] == {
        "click": {"kind": "binary", "label": "is_click"},
        "follow": {"kind": "binary", "label": "is_follow", "parent": "click"},
        "watch": {"kind": "duration", "label": "watch_s"},
    }
    alone = tomllib.loads(feed_config_toml(FeedConfig(), tasks=("like",)))
    assert alone["tasks"] == {"like": {"kind": "binary", "label": "is_like"}}


def _json(value: object) -> str:
    return TypeAdapter[object](object).dump_json(value).decode()
