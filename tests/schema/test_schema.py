"""The written form of the schema: what is accepted, what is refused, what is the default."""

import json

import pytest
from pydantic import TypeAdapter, ValidationError

from paretorank.foundation.section import Section
from paretorank.schema import (
    CategoricalFeature,
    DataConfig,
    FeatureConfig,
    HistoryFeature,
    JoinConfig,
    KeysConfig,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
    SplitConfig,
    StatisticConfig,
    VectorFeature,
)

FEATURES: TypeAdapter[FeatureConfig] = TypeAdapter(FeatureConfig)
SECTIONS: list[type[Section]] = [
    CategoricalFeature,
    DataConfig,
    HistoryFeature,
    JoinConfig,
    KeysConfig,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
    SplitConfig,
    StatisticConfig,
    VectorFeature,
]


@pytest.mark.parametrize(
    ("kind", "more", "expected"),
    [
        ("categorical", {}, CategoricalFeature()),
        ("numeric", {}, NumericFeature()),
        ("sequence", {}, SequenceFeature()),
        ("vector", {"dim": 3}, VectorFeature(dim=3)),
        ("history", {"item": "video_id"}, HistoryFeature(item="video_id")),
    ],
)
def test_the_kind_decides_what_a_feature_is(
    kind: str, more: dict[str, object], expected: FeatureConfig
) -> None:
    assert FEATURES.validate_json(json.dumps({"kind": kind, **more})) == expected


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValidationError, match="categorical"):
        FEATURES.validate_json('{"kind": "categorial"}')


@pytest.mark.parametrize(
    "wrong",
    [
        {"kind": "categorical", "dim": 0},
        {"kind": "categorical", "min_count": 0},
        {"kind": "categorical", "hash_buckets": 0},
        {"kind": "categorical", "pooling": "average"},
        {"kind": "numeric", "encoding": "minmax"},
        {"kind": "numeric", "n_bins": 0},
        {"kind": "sequence", "max_length": 0},
        {"kind": "vector"},
        {"kind": "history"},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        FEATURES.validate_json(json.dumps(wrong))


@pytest.mark.parametrize(
    "wrong",
    [
        {"valid_fraction": 1.0},
        {"test_fraction": -0.1},
        {"by": "users"},
    ],
)
def test_impossible_splits_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        SplitConfig.model_validate_json(json.dumps(wrong))


@pytest.mark.parametrize("wrong", [{"scale": 0.0}, {"scale": -1.0}, {"clip": 0.0}, {"kind": "x"}])
def test_impossible_labels_are_refused(wrong: dict[str, object]) -> None:
    good = {"name": "watch", "column": "ms", "kind": "duration"}
    LabelSpec.model_validate_json(json.dumps(good))
    with pytest.raises(ValidationError):
        LabelSpec.model_validate_json(json.dumps(good | wrong))


@pytest.mark.parametrize("wrong", [{"smoothing": -1.0}, {"refresh_s": -1.0}])
def test_impossible_statistics_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        StatisticConfig.model_validate_json(json.dumps({"of": ["user_id"], **wrong}))


def test_values_of_a_column_keep_their_type() -> None:
    split = SplitConfig.model_validate_json('{"by": "column", "column": "d", "test": [1, "a", 2]}')
    assert split.test == (1, "a", 2)
    assert [type(value) for value in split.test] == [int, str, int]


def test_one_key_or_several_join_a_table() -> None:
    assert JoinConfig.model_validate_json('{"table": "t.csv", "on": "a"}').on == "a"
    assert JoinConfig.model_validate_json('{"table": "t.csv", "on": ["a", "b"]}').on == ("a", "b")


def test_a_written_configuration_reads_back_the_same() -> None:
    config = DataConfig(
        log=("a.parquet", "b.parquet"),
        joins=(JoinConfig(table="t.csv", on=("a", "b"), columns=("c",)),),
        keys=KeysConfig(user="u", time="t"),
        split=SplitConfig(by="column", column="d", valid=(1,), test=("x",)),
        weight="w",
    )
    assert DataConfig.model_validate_json(config.model_dump_json()) == config


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_has_a_description(section: type[Section]) -> None:
    silent = [n for n, f in section.model_fields.items() if not f.description and n != "kind"]
    assert silent == []
