import tomllib
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from paretorank.foundation.errors import ConfigError
from paretorank.proposal.presets import conditional_on_click, find_preset
from paretorank.proposal.propose import Proposal, propose
from paretorank.proposal.tasks import ProposedTask
from paretorank.schema import (
    CategoricalFeature,
    HistoryFeature,
    JoinConfig,
    NumericFeature,
    SequenceFeature,
    VectorFeature,
)

N = 3_000


def log(seed: int = 0, **columns: object) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    user, item = rng.integers(0, 200, N), rng.integers(0, 120, N)
    click = rng.random(N) < 0.3 + 0.3 * (item % 2)
    base = {
        "user_id": user,
        "video_id": item,
        "time_ms": 1_650_000_000_000 + np.arange(N) * 1_000,
        "is_click": click.astype(np.int64),
    }
    return pl.DataFrame({**base, **columns})


def proposed(**columns: object) -> Proposal:
    return propose(log(**columns).lazy(), "log.parquet")


def chance(rate: float, seed: int = 1) -> np.ndarray:
    return (np.random.default_rng(seed).random(N) < rate).astype(np.int64)


def test_keys_and_a_split_by_time_are_found() -> None:
    found = proposed()
    assert found.keys.model_dump(exclude_none=True) == {
        "user": "user_id",
        "item": "video_id",
        "time": "time_ms",
    }
    assert found.split.by == "time"
    assert "time_ms" in found.left_out


def test_the_text_says_what_the_parts_say() -> None:
    found = proposed(tab=chance(0.5), **{"odd name": np.arange(N) % 7})
    read = tomllib.loads(found.toml)
    assert list(read["features"]) == list(found.features)
    assert list(read["tasks"]) == [label.name for label in found.labels]
    assert read["data"]["keys"] == found.keys.model_dump(exclude_none=True)


def test_line_breaks_in_values_do_not_break_the_text() -> None:
    found = proposed(note=["a\n[tasks]\n"] * N)
    assert set(tomllib.loads(found.toml)["tasks"]) == {"click"}


def test_a_label_that_needs_another_gets_it_as_parent_with_the_numbers() -> None:
    frame = log()
    like = frame["is_click"].to_numpy() * chance(0.2)
    found = propose(frame.with_columns(is_like=pl.Series(like)).lazy(), "log.parquet")
    assert found.labels[1].parent == "click"
    assert f"0 of {like.sum():,} without click" in found.toml
    assert '# observed_when = "click"' in found.toml


def test_a_label_with_strays_gets_no_parent() -> None:
    frame = log()
    like = frame["is_click"].to_numpy() * chance(0.4)
    like[np.flatnonzero(frame["is_click"].to_numpy() == 0)[:3]] = 1
    found = propose(frame.with_columns(is_like=pl.Series(like)).lazy(), "log.parquet")
    assert found.labels[1].parent is None
    assert "not strictly after click: 3 of" in found.toml


def test_a_binary_trait_is_a_feature() -> None:
    found = proposed(is_vip=chance(0.3), gender=chance(0.5, seed=2))
    assert {"is_vip", "gender"} <= set(found.features)


def test_what_never_varies_within_a_user_is_no_label() -> None:
    frame = log().with_columns(subscribed=(pl.col("user_id") % 2))
    found = propose(frame.lazy(), "log.parquet")
    assert "subscribed" in found.features
    assert [label.name for label in found.labels] == ["click"]


def test_time_watched_is_a_task_and_never_a_feature() -> None:
    rng = np.random.default_rng(3)
    watched = rng.lognormal(8, 1, N).astype(np.int64)
    watched[0] = 10**9
    found = proposed(
        play_time_ms=watched, comment_stay_time=chance(0.01) * 500, video_duration=watched
    )
    watch = found.labels[1]
    assert (watch.kind, watch.scale) == ("duration", 0.001)
    assert watch.clip is not None
    assert "comment_stay_time" in found.left_out
    assert "play_time_ms" not in found.features


def test_columns_that_say_nothing_or_too_much_are_left_out() -> None:
    frame = log(
        is_rand=np.zeros(N, np.int64),
        nothing=[None] * N,
        impression_id=[f"i{k}" for k in range(N)],
        date=np.full(N, 20240101) + np.arange(N) // 1_500,
        told=log()["is_click"].to_numpy() * 3.0 + 1,
    )
    found = propose(frame.lazy(), "log.parquet")
    assert {"is_rand", "nothing", "impression_id", "date", "told"} <= set(found.left_out)


def test_codes_for_missing_are_declared() -> None:
    degree = np.where(chance(0.2) == 1, -124, np.arange(N) % 9)
    found = proposed(degree=degree, kind=["UNKNOWN", "a", "b"] * (N // 3))
    assert found.features["degree"] == CategoricalFeature(missing=(-124,))
    assert found.features["kind"] == CategoricalFeature(missing=("UNKNOWN",))


def test_numbers_are_numeric_and_names_of_things_categorical() -> None:
    rng = np.random.default_rng(4)
    found = proposed(
        fans_num=rng.integers(0, 10_000, N),
        city_code=rng.integers(0, 400, N),
        score_of_taste=rng.normal(size=N),
        hour=rng.integers(0, 24, N),
    )
    assert isinstance(found.features["fans_num"], NumericFeature)
    assert isinstance(found.features["score_of_taste"], NumericFeature)
    assert isinstance(found.features["city_code"], CategoricalFeature)
    assert isinstance(found.features["hour"], CategoricalFeature)


def test_lists_of_items_become_a_sequence_and_counts() -> None:
    rng = np.random.default_rng(5)
    found = proposed(
        watched=[rng.integers(0, 120, 5).tolist() for _ in range(N)],
        tags=["1,2", "2", "3,1"] * (N // 3),
        embedding=[[0.1, 0.2, 0.3]] * N,
    )
    assert found.features["watched"] == SequenceFeature(table="video_id")
    assert isinstance(found.features["watched_counts"], HistoryFeature)
    assert found.features["tags"] == CategoricalFeature(multi=True)
    assert found.features["embedding"] == VectorFeature(dim=3)


def test_statistics_name_the_strongest_context() -> None:
    rng = np.random.default_rng(6)
    tab, other = rng.integers(0, 4, N), rng.integers(0, 4, N)
    click = (rng.random(N) < 0.1 + 0.2 * tab).astype(np.int64)
    found = propose(log(is_click=click, tab=tab, other=other).lazy(), "log.parquet")
    of = [statistic.of for statistic in found.statistics.values()]
    assert ("user_id", "tab") in of
    assert len(of) <= 6


def test_a_table_of_whole_period_counts_gives_no_features() -> None:
    items = pl.DataFrame({"video_id": range(120), "like_cnt": range(120), "show_cnt": range(120)})
    frame = log().join(items, on="video_id", how="left").lazy()
    side = items.drop("video_id").lazy()
    joins = [JoinConfig(table="items.parquet", on="video_id")]
    found = propose(frame, "log.parquet", joins, {"items.parquet": side})
    assert {"like_cnt", "show_cnt"} <= set(found.left_out)


def test_ratings_are_a_regression_and_date_times_order_the_split() -> None:
    rng = np.random.default_rng(7)
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - logs seldom name a zone
    frame = pl.DataFrame(
        {
            "userId": rng.integers(0, 100, N),
            "movieId": rng.integers(0, 100, N),
            "rating": rng.integers(1, 6, N),
            "timestamp": [start + timedelta(minutes=k) for k in range(N)],
        }
    )
    found = propose(frame.lazy(), "log.csv")
    assert [(label.name, label.kind) for label in found.labels] == [("rating", "regression")]
    assert found.split.by == "time"


def test_a_log_without_keys_is_split_at_random() -> None:
    frame = pl.DataFrame({"x": np.linspace(0, 1, N), "group": ["a", "b"] * (N // 2)})
    found = propose(frame.with_columns(label=pl.Series(chance(0.4))).lazy(), "log.csv")
    assert found.split.by == "random"
    assert list(found.features) == ["x", "group"]
    assert [label.name for label in found.labels] == ["label"]


def test_a_log_without_feedback_says_how_to_name_a_task() -> None:
    found = propose(pl.DataFrame({"a": range(50), "b": ["x", "y"] * 25}).lazy(), "log.csv")
    assert found.labels == ()
    assert "# [tasks.click]" in found.toml
    assert tomllib.loads(found.toml)["tasks"] == {}


def test_few_days_are_split_by_the_last_ones() -> None:
    frame = log().drop("time_ms").with_columns(date=pl.Series(20240101 + np.arange(N) // 1_000))
    found = propose(frame.lazy(), "log.parquet")
    assert (found.split.by, found.split.test, found.split.valid) == (
        "column",
        (20240103,),
        (20240102,),
    )


def test_time_watched_after_a_click_only_is_observed_there() -> None:
    frame = log()
    seconds = frame["is_click"].to_numpy() * np.random.default_rng(8).lognormal(2, 1, N)
    found = propose(frame.with_columns(watch_s=pl.Series(seconds)).lazy(), "log.parquet")
    assert (found.labels[1].kind, found.labels[1].observed_when) == ("duration", "click")


def test_the_preset_makes_all_other_tasks_conditional_on_the_click() -> None:
    tasks = conditional_on_click(
        [
            ProposedTask("like", "is_like", "binary", "", parent="click"),
            ProposedTask("click", "is_click", "binary", ""),
            ProposedTask("watch", "play_s", "duration", "", observed_when="is_click == 1"),
        ]
    )
    assert [(task.parent, task.observed_when) for task in tasks] == [
        ("click", "click"),
        (None, None),
        ("click", "click"),
    ]


def test_the_preset_refuses_a_log_without_clicks_and_names_what_it_found() -> None:
    with pytest.raises(ConfigError, match="tasks found are: rating"):
        conditional_on_click([ProposedTask("rating", "rating", "regression", "")])


def test_an_unknown_preset_is_refused_with_a_suggestion() -> None:
    with pytest.raises(ConfigError, match="qq_kandan") as raised:
        find_preset("qq_kandan")
    assert "qq_kandian" in raised.value.hint
