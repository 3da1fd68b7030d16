"""A configuration written out and read again."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.architectures import AttentionMMoEConfig, SharedBottomConfig
from paretorank.balancing import StaticConfig
from paretorank.config import RunConfig, parse_config, to_toml
from paretorank.datasets import FeedConfig, feed_config_toml
from paretorank.model import ModelConfig
from paretorank.schema import (
    CategoricalFeature,
    DataConfig,
    HistoryFeature,
    JoinConfig,
    NumericFeature,
    SequenceFeature,
    SplitConfig,
    StatisticConfig,
    VectorFeature,
)
from paretorank.tasks import BinaryTask, CountTask, DurationTask, RegressionTask
from paretorank.training import EarlyStoppingConfig, TrainingConfig

PATH = Path("ranker.toml")
LARGE = RunConfig(
    data=DataConfig(
        log=("a.parquet", 'odd "name"\\.parquet'),
        joins=(JoinConfig(table="t.csv", on=("u", "day"), columns=("x",)),),
        split=SplitConfig(by="column", column="day", valid=(1, 2.0, "3"), test=(-1,)),
        weight="w",
    ),
    features={
        "user id": CategoricalFeature(missing=(-124, "?"), multi=True),
        "größe": NumericFeature(encoding="piecewise_linear", n_bins=4),
        "history": SequenceFeature(table="user id", pooling="max"),
        "vector": VectorFeature(dim=3),
        "past": HistoryFeature(item="item", match=("author",), relative_to="n"),
    },
    statistics={"user.tab": StatisticConfig(of=("u", "tab"), tasks=("click",))},
    tasks={
        "click": BinaryTask(label="c", weight=0.0),
        "rating": RegressionTask(label="r", loss="huber", huber_delta=0.5),
        "watch": DurationTask(label="w", observed_when='tab == "a\tb"', scale=0.001, clip=60.0),
        "count": CountTask(label="n"),
        "like": BinaryTask(label="l", parent="click", observed_when="click"),
    },
    model=ModelConfig(
        architecture=AttentionMMoEConfig(n_experts=2, expert_dims=(8,), key_dim=4), tower_dims=()
    ),
    balancer=StaticConfig(weights={"click": 2.0, "like": 1e-9}),
    training=TrainingConfig(
        early_stopping=EarlyStoppingConfig(monitor={"click.auc": 0.5, "watch.mae": 1.0}),
        clip_norm=0.0,
    ),
).at(PATH)


def read(text: str) -> RunConfig:
    return parse_config(tomllib.loads(text), PATH)


def test_everything_that_can_be_said_comes_back() -> None:
    assert read(to_toml(LARGE)) == LARGE


def test_the_order_of_tasks_and_features_stays() -> None:
    again = read(to_toml(LARGE))
    assert list(again.tasks) == list(LARGE.tasks)
    assert list(again.features) == list(LARGE.features)


def test_every_default_is_written_out() -> None:
    text = to_toml(read(feed_config_toml(FeedConfig())))
    for line in ("batch_size = 1024", "[model.architecture]", 'kind = "mmoe"', "clip_norm = 10.0"):
        assert line in text


def test_one_parent_and_several_come_back() -> None:
    buy = BinaryTask(label="b", parent=("click", "like"))
    nested = LARGE.model_copy(update={"tasks": {**LARGE.tasks, "buy": buy}}).at(PATH)
    text = to_toml(nested)
    assert 'parent = "click"' in text
    assert 'parent = ["click", "like"]' in text
    assert read(text) == nested


def test_writing_twice_gives_the_same_text() -> None:
    text = to_toml(LARGE)
    assert to_toml(read(text)) == text


@pytest.mark.parametrize("tasks", [("click",), ("click", "like", "watch")])
def test_the_configuration_of_the_simulated_feed_comes_back(tasks: tuple[str, ...]) -> None:
    config = read(feed_config_toml(FeedConfig(history_length=5), tasks=tasks))
    assert read(to_toml(config)) == config


TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=12)
NUMBERS = st.floats(1e-12, 1e12)
FEATURES = st.one_of(
    st.builds(
        CategoricalFeature,
        column=st.none() | TEXT,
        dim=st.none() | st.integers(1, 99),
        missing=st.lists(st.integers() | TEXT | st.floats(-1e9, 1e9), max_size=3).map(tuple),
        separator=TEXT,
    ),
    st.builds(NumericFeature, column=st.none() | TEXT, n_bins=st.integers(1, 99)),
    st.builds(SequenceFeature, pooling=st.sampled_from(["mean", "sum", "max"])),
)


@settings(max_examples=60, deadline=None)
@given(
    log=st.one_of(TEXT, st.lists(TEXT, min_size=1, max_size=3).map(tuple)),
    features=st.dictionaries(TEXT, FEATURES, max_size=3),
    tasks=st.dictionaries(
        TEXT,
        st.one_of(
            st.builds(BinaryTask, label=TEXT, weight=NUMBERS),
            st.builds(DurationTask, label=TEXT, clip=st.none() | NUMBERS, shift_s=NUMBERS),
        ),
        min_size=1,
        max_size=3,
    ),
    numbers=st.fixed_dictionaries(
        {
            "learning_rate": NUMBERS,
            "batch_size": st.integers(1, 10**9),
            "seed": st.integers(-(2**62), 2**62),
            "tensorboard": st.booleans(),
            "clip_norm": NUMBERS | st.just(0.0),
        }
    ),
    hidden=st.lists(st.integers(1, 999), min_size=1, max_size=3).map(tuple),
)
def test_any_configuration_comes_back(
    log: str | tuple[str, ...],
    features: dict[str, Any],
    tasks: dict[str, Any],
    numbers: dict[str, Any],
    hidden: tuple[int, ...],
) -> None:
    config = RunConfig(
        data=DataConfig(log=log),
        features=features,
        tasks=tasks,
        model=ModelConfig(architecture=SharedBottomConfig(hidden_dims=hidden)),
        training=TrainingConfig(**numbers),
    ).at(PATH)
    assert read(to_toml(config)) == config
