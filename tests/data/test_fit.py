"""What the encoder learns, and that it learns it from the training rows only."""

from collections.abc import Iterable

import numpy as np
import polars as pl
import pytest

from paretorank.data.encoder import Encoder
from paretorank.data.fit import FitPlan, check_plan, fit_encoder
from paretorank.data.labels import LABEL_PREFIX
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    HistoryFeature,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
    StatisticConfig,
    VectorFeature,
)

LABELS = (LabelSpec(name="click", column="click", kind="binary"),)


def _fit(frame: pl.DataFrame, chunk: int = 1000, **features: FeatureConfig) -> Encoder:
    frame = frame.with_columns(click=pl.lit(1.0))
    chunks = [frame.slice(at, chunk) for at in range(0, len(frame), chunk)]
    return fit_encoder(FitPlan(features, {}, LABELS, None), labelled(chunks)).encoder


def test_the_layout_follows_the_order_of_the_features() -> None:
    frame = pl.DataFrame(
        {
            "a": [1, 1],
            "n": [1.0, 2.0],
            "s": [[1], [1, 2]],
            "v": [[0.5, 1.0], None],
            "m": ["x,y", "x"],
        }
    )
    encoder = _fit(
        frame,
        s=SequenceFeature(table="a"),
        n=NumericFeature(),
        m=CategoricalFeature(multi=True, min_count=1, dim=4),
        v=VectorFeature(dim=2),
        a=CategoricalFeature(),
        b=CategoricalFeature(column="a", table="a"),
    )
    layout = encoder.layout
    assert [(t.name, t.n_codes, t.dim) for t in layout.tables] == [("m", 4, 4), ("a", 3, None)]
    assert [(c.feature, c.table) for c in layout.categorical] == [("a", "a"), ("b", "a")]
    assert [(c.feature, c.table) for c in layout.ragged] == [("s", "a"), ("m", "m")]
    assert [c.name for c in layout.numeric] == ["n", "v.0", "v.1"]
    assert layout.table("a").n_codes == 3
    rows = encoder.encode(frame)
    assert rows.codes.tolist() == [[2, 2], [2, 2]]
    assert [r.values.tolist() for r in rows.ragged] == [[2, 2, 1], [2, 3, 2]]
    assert rows.numeric.shape == (2, 3)
    np.testing.assert_array_equal(rows.numeric[:, 1:], [[0.5, 1.0], [np.nan, np.nan]])


def test_it_does_not_matter_how_the_rows_come_in_chunks() -> None:
    generator = np.random.default_rng(0)
    frame = pl.DataFrame(
        {
            "a": generator.integers(0, 30, 500),
            "t": [("x", "y", None)[at] for at in generator.integers(0, 3, 500)],
            "n": generator.normal(size=500),
        }
    )
    features = {"a": CategoricalFeature(), "t": CategoricalFeature(), "n": NumericFeature()}
    whole, parts = (_fit(frame, chunk=size, **features) for size in (500, 7))  # type: ignore[arg-type]
    for a, b in zip(_flat(whole, frame), _flat(parts, frame), strict=True):
        np.testing.assert_array_equal(a, b)


def _flat(encoder: Encoder, frame: pl.DataFrame) -> list[np.ndarray]:
    rows = encoder.encode(frame)
    return [rows.codes, rows.numeric, *(ragged.values for ragged in rows.ragged)]


def test_missing_codes_are_missing_for_every_kind() -> None:
    frame = pl.DataFrame(
        {
            "a": [1, 1, -124, None],
            "n": [1.0, 2.0, -124.0, None],
            "m": [[1, -124], [1], None, [-124]],
        }
    )
    encoder = _fit(
        frame,
        a=CategoricalFeature(missing=(-124,)),
        n=NumericFeature(encoding="none", missing=(-124,)),
        m=CategoricalFeature(multi=True, min_count=1, missing=(-124,)),
    )
    rows = encoder.encode(frame)
    assert rows.codes[:, 0].tolist() == [2, 2, 0, 0]
    np.testing.assert_array_equal(rows.numeric[:, 0], [1, 2, np.nan, np.nan])
    assert rows.ragged[0].values.tolist() == [2, 0, 2, 0]
    assert encoder.layout.table("m").n_codes == 3


def test_a_number_with_gaps_gets_an_indicator_even_if_only_one_chunk_has_them() -> None:
    frame = pl.DataFrame({"n": [None, *range(1, 100)], "full": range(100)})
    encoder = _fit(frame, chunk=10, n=NumericFeature(), full=NumericFeature())
    assert [c.has_missing for c in encoder.layout.numeric] == [True, False]


def test_a_vector_with_gaps_gets_one_indicator() -> None:
    vectors: list[list[float] | None] = [None, *([[1.0, 2.0]] * 30)]
    encoder = _fit(pl.DataFrame({"v": vectors}), chunk=10, v=VectorFeature(dim=2))
    assert [c.has_missing for c in encoder.layout.numeric] == [True, False]


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([[1.0, 2.0], [3.0, 4.0]]),
        pl.Series([[1.0, 2.0], [3.0, 4.0]], dtype=pl.Array(pl.Float32, 2)),
        pl.Series(["1.0, 2", "[3,4]"]),
        pl.Series([[1, 2], [3, 4]]),
    ],
)
def test_vectors_may_be_lists_arrays_or_text(column: pl.Series) -> None:
    frame = pl.DataFrame({"v": column})
    rows = _fit(frame, v=VectorFeature(dim=2)).encode(frame)
    assert rows.numeric.tolist() == [[1, 2], [3, 4]]


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(
        DataError, match=r"features\.v\.dim is 3, but a row has a vector of length 2"
    ):
        _fit(pl.DataFrame({"v": [[1.0, 2.0]]}), v=VectorFeature(dim=3))


def test_a_sequence_keeps_the_last_ids_with_the_codes_of_its_table() -> None:
    frame = pl.DataFrame({"item": [7, 7, 8, 8], "seen": ["8,7,9", "7", None, ""]})
    encoder = _fit(
        frame, item=CategoricalFeature(), seen=SequenceFeature(table="item", max_length=2)
    )
    ragged = encoder.encode(frame).ragged[0]
    assert ragged.values.tolist() == [2, 1, 2]
    assert ragged.offsets.tolist() == [0, 2, 3, 3, 3]


def test_hashed_features_need_no_vocabulary() -> None:
    frame = pl.DataFrame({"a": [1, 2, None], "m": [["x"], ["x", "y"], None]})
    encoder = _fit(
        frame,
        a=CategoricalFeature(hash_buckets=5),
        m=CategoricalFeature(hash_buckets=3, multi=True),
    )
    assert [table.n_codes for table in encoder.layout.tables] == [7, 5]
    rows = encoder.encode(frame)
    assert rows.codes[2, 0] == 0
    assert (rows.codes[:2] >= 2).all()
    assert rows.ragged[0].values[0] == rows.ragged[0].values[1] >= 2


@pytest.mark.parametrize(
    "column",
    [
        pl.Series([None, None], dtype=pl.Int64),
        pl.Series([None, None], dtype=pl.String),
        pl.Series([None, None]),
        pl.Series([float("nan"), float("nan")]),
    ],
)
def test_a_column_without_any_value_is_encoded_as_missing(column: pl.Series) -> None:
    frame = pl.DataFrame({"a": column, "n": column})
    rows = _fit(frame, a=CategoricalFeature(), n=NumericFeature()).encode(frame)
    assert rows.codes.tolist() == [[0], [0]]
    assert np.isnan(rows.numeric).all()


def test_numbers_may_come_as_text_booleans_and_dates() -> None:
    frame = pl.DataFrame({"t": ["1.5", "x"], "b": [True, False], "c": ["2", None]})
    frame = frame.with_columns(c=pl.col("c").cast(pl.Categorical))
    features = {name: NumericFeature(encoding="none") for name in "tbc"}
    found = _fit(frame, **features).encode(frame).numeric  # type: ignore[arg-type]
    np.testing.assert_array_equal(found, [[1.5, 1, 2], [np.nan, 0, np.nan]])


def test_no_rows_encode_to_no_rows() -> None:
    frame = pl.DataFrame({"a": [1, 1], "n": [1.0, 2.0], "s": ["1", "2"], "v": [[1.0], [2.0]]})
    encoder = _fit(
        frame,
        a=CategoricalFeature(),
        n=NumericFeature(),
        s=SequenceFeature(),
        v=VectorFeature(dim=1),
    )
    rows = encoder.encode(frame.head(0))
    assert rows.codes.shape == (0, 1)
    assert rows.numeric.shape == (0, 2)
    assert rows.ragged[0].offsets.tolist() == [0]


def test_the_columns_that_are_read_are_told_with_their_place() -> None:
    features: dict[str, FeatureConfig] = {
        "a": CategoricalFeature(column="x"),
        "h": HistoryFeature(item="i", match=("w",), relative_to="all"),
    }
    frame = pl.DataFrame({"x": [1], "h": [[1]], "i": [1], "w": ["q"], "all": [3], "click": [1.0]})
    plan = FitPlan(
        features, {"s": StatisticConfig(of=("i",))}, LABELS, None, [frame.select("i", "w")]
    )
    assert fit_encoder(plan, labelled([frame])).encoder.columns == {
        "x": "features.a",
        "h": "features.h",
        "i": "statistics.s.of",
        "w": "features.h",
        "all": "features.h",
    }


@pytest.mark.parametrize("table", ["itm", "n", "b"])
def test_only_a_feature_with_codes_of_its_own_lends_its_table(table: str) -> None:
    features: dict[str, FeatureConfig] = {
        "item": CategoricalFeature(),
        "n": NumericFeature(),
        "b": CategoricalFeature(table="item"),
        "c": SequenceFeature(table=table),
    }
    with pytest.raises(ConfigError, match=rf"features\.c\.table is '{table}'"):
        check_plan(FitPlan(features, {}, LABELS, None))


def test_a_statistic_counts_declared_tasks_only() -> None:
    statistics = {"user": StatisticConfig(of=("user",), tasks=("clik",))}
    with pytest.raises(ConfigError, match=r"statistics\.user\.tasks names 'clik'") as caught:
        check_plan(FitPlan({}, statistics, LABELS, None))
    assert caught.value.hint == "Did you mean 'click'?"


@pytest.mark.parametrize("time", [[20220501, 20220502, 20220503, 20220504], [7, 7, 7, 7]])
def test_statistics_do_not_vanish_where_all_rows_fall_into_one_period(time: list[int]) -> None:
    """Later rows would see rates that no training row ever saw."""
    copies = 50
    chunk = pl.DataFrame(
        {"user": [1] * 4 * copies, "time": time * copies, "click": [1.0, 0.0, 1.0, 1.0] * copies}
    )
    label = LabelSpec(name="click", column="click", kind="binary")
    plan = FitPlan({}, {"user": StatisticConfig(of=("user",))}, [label], "time")
    seen = fit_encoder(plan, labelled([chunk])).train_statistics
    assert seen[:, 1].max() > 1.0


def labelled(chunks: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
    """Return chunks with their labels where the preparation puts them."""
    names = ("click", "like", "watch")
    return [
        chunk.with_columns(
            pl.col(name).alias(LABEL_PREFIX + name) for name in names if name in chunk.columns
        )
        for chunk in chunks
    ]
