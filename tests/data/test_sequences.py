"""Which feature of the row a sequence is compared with."""

import polars as pl
import pytest

from paretorank.data.fit import FitPlan, check_plan, fit_encoder
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.sequences import check_sequences, sequence_target
from paretorank.foundation.errors import ConfigError
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
)


def attention(*, target: str | None = None, table: str | None = "item") -> SequenceFeature:
    return SequenceFeature(pooling="target_attention", target=target, table=table, max_length=3)


def features(seen: SequenceFeature) -> dict[str, FeatureConfig]:
    return {
        "user": CategoricalFeature(),
        "item": CategoricalFeature(min_count=1),
        "last": CategoricalFeature(table="item"),
        "tags": CategoricalFeature(table="item", multi=True),
        "age": NumericFeature(),
        "seen": seen,
    }


def test_the_target_is_the_owner_of_the_table() -> None:
    everything = features(attention())
    check_sequences(everything)
    assert sequence_target("seen", attention(), everything) == "item"


def test_the_target_may_be_any_feature_of_the_table() -> None:
    everything = features(attention(target="last"))
    check_sequences(everything)
    assert sequence_target("seen", attention(target="last"), everything) == "last"


def test_a_feature_that_shares_the_table_of_the_sequence_will_do() -> None:
    seen = attention(table=None)
    everything: dict[str, FeatureConfig] = {"item": CategoricalFeature(table="seen"), "seen": seen}
    check_sequences(everything)
    assert sequence_target("seen", seen, everything) == "item"


@pytest.mark.parametrize("pooling", ["mean", "transformer"])
def test_other_poolings_have_no_target(pooling: str) -> None:
    seen = SequenceFeature.model_validate({"pooling": pooling, "table": "item"})
    check_sequences(features(seen))
    assert sequence_target("seen", seen, features(seen)) is None


@pytest.mark.parametrize(
    ("target", "hint"), [("lst", "'last'"), ("user", "'item'"), ("tags", "'item'"), ("age", "'it")]
)
def test_a_target_of_another_table_is_refused(target: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=rf"features\.seen\.target is '{target}'") as error:
        check_plan(FitPlan(features(attention(target=target)), {}, [], None))
    assert hint in error.value.hint


def test_a_sequence_that_nothing_can_be_compared_with_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"features\.seen: target attention") as error:
        check_sequences(features(attention(table=None)))
    assert "table = " in error.value.hint


@pytest.mark.parametrize(
    ("key", "value"), [("target", "item"), ("normalize_attention", True)], ids=str
)
def test_keys_of_target_attention_are_refused_elsewhere(key: str, value: object) -> None:
    seen = SequenceFeature.model_validate({"table": "item", key: value})
    with pytest.raises(ConfigError, match=rf"features\.seen\.{key} is set") as error:
        check_sequences(features(seen))
    assert "target_attention" in error.value.hint


def test_the_layout_says_what_a_model_has_to_know() -> None:
    frame = pl.DataFrame(
        {
            "item": [1, 2, 3],
            "seen": [[1, 2], [], [3, 1, 2, 3]],
            LABEL_PREFIX + "click": pl.Series([1.0, 0.0, 1.0], dtype=pl.Float32),
        }
    )
    plan = FitPlan(
        {"item": CategoricalFeature(min_count=1), "seen": attention()},
        {},
        [LabelSpec(name="click", column="c", kind="binary")],
        None,
    )
    encoder = fit_encoder(plan, [frame]).encoder
    (column,) = encoder.layout.ragged
    assert (column.pooling, column.max_length, column.target) == ("target_attention", 3, "item")
    assert not column.normalize_attention
    assert encoder.encode(frame).ragged[0].offsets.tolist() == [0, 2, 2, 5]
