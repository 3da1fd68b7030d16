"""Properties of a fitted encoder that hold for columns of every type."""

import datetime as dt
import math
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.encoder import EncodedFeatures, Encoder
from paretorank.data.encoder_store import load_encoder, save_encoder
from paretorank.data.fit import FitPlan, fit_encoder
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.vocabulary import MISSING, N_RESERVED, UNKNOWN, Vocabulary
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    LabelSpec,
    NumericFeature,
    SequenceFeature,
    StatisticConfig,
)

HUGE = "\U0001f4a5" * 5_000
TEXT = st.one_of(
    st.text(max_size=4), st.sampled_from(["", " ", "5", "5.0", "05", "1e3", "nan", "None", HUGE])
)
WHOLE_FLOATS = st.integers(-(2**53), 2**53).map(float)
MOMENTS = st.datetimes(dt.datetime(1800, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001
DIGITS = st.decimals(-(10**20), 10**20, places=3, allow_nan=False, allow_infinity=False)
LONG_IDS = st.builds(int.__add__, st.sampled_from([2**60, -(10**30), 10**37]), st.integers(0, 9))
few = settings(max_examples=settings.default.max_examples // 6)  # of each type
TYPES: dict[str, tuple[st.SearchStrategy[Any], Any]] = {
    "int8": (st.integers(-128, 127), pl.Int8),
    "int32": (st.integers(-(2**31), 2**31 - 1), pl.Int32),
    "int64": (st.integers(-(2**63), 2**63 - 1), pl.Int64),
    "uint8": (st.integers(0, 255), pl.UInt8),
    "uint64": (st.integers(0, 2**64 - 1), pl.UInt64),
    "int128": (st.integers(-(2**126), 2**126), pl.Int128),
    "float32": (st.floats(width=32), pl.Float32),
    "float64": (st.one_of(st.floats(), WHOLE_FLOATS), pl.Float64),
    "whole floats": (st.one_of(WHOLE_FLOATS, st.just(math.nan)), pl.Float64),
    "decimals": (DIGITS, pl.Decimal(38, 3)),
    "long decimals": (LONG_IDS.map(Decimal), pl.Decimal(38, 0)),
    "bools": (st.booleans(), pl.Boolean),
    "text": (TEXT, pl.String),
    "categories": (TEXT, pl.Categorical),
    "an enum": (st.sampled_from(["a", "b", "5"]), pl.Enum(["a", "b", "5"])),
    "dates": (st.dates(), pl.Date),
    "moments": (MOMENTS, pl.Datetime("us")),
    "moments somewhere": (MOMENTS, pl.Datetime("ms", "Asia/Tokyo")),
    "times": (st.times(), pl.Time),
    "nothing": (st.none(), pl.Null),
}
every_type = pytest.mark.parametrize("kind", TYPES)
LABEL = LabelSpec(name="click", column="click", kind="binary")
ENCODINGS = ("standard", "log", "quantile", "piecewise_linear", "none")


def columns(kind: str, *, size: int = 15) -> st.SearchStrategy[pl.Series]:
    values, dtype = TYPES[kind]
    rows = st.lists(st.one_of(st.none(), values), min_size=1, max_size=size)
    return rows.map(lambda some: pl.Series("a", some, dtype=dtype))


def fit(frame: pl.DataFrame, chunk: int = 1_000, **features: FeatureConfig) -> Encoder:
    labelled = frame.with_columns(pl.lit(1.0).alias(LABEL_PREFIX + "click"))
    chunks = (labelled.slice(at, chunk) for at in range(0, len(labelled), chunk))
    statistics = {"s": StatisticConfig(of=("a",))}
    return fit_encoder(FitPlan(features, statistics, (LABEL,), None), chunks).encoder


def same(one: EncodedFeatures, two: EncodedFeatures) -> bool:
    arrays = [
        (one.codes, two.codes),
        (one.numeric, two.numeric),
        *((a.values, b.values) for a, b in zip(one.ragged, two.ragged, strict=True)),
        *((a.offsets, b.offsets) for a, b in zip(one.ragged, two.ragged, strict=True)),
    ]
    return all(
        a.dtype == b.dtype and np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
        for a, b in arrays
    )


def is_absent(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


@every_type
@few
@given(data=st.data())
def test_known_values_come_back_and_equal_codes_are_equal_values(
    kind: str, data: st.DataObject
) -> None:
    column = data.draw(columns(kind))
    encoder = fit(column.to_frame(), a=CategoricalFeature(min_count=1))
    vocabulary = encoder.vocabularies["a"]
    assert isinstance(vocabulary, Vocabulary)
    codes = encoder.encode(column.to_frame()).codes[:, 0].tolist()
    values = column.to_list()
    back = vocabulary.decode(np.array(codes, np.int32))
    found: dict[int, Any] = {}
    for value, code, text in zip(values, codes, back, strict=True):
        if is_absent(value):
            assert code == MISSING
            continue
        assert code >= N_RESERVED
        assert found.setdefault(code, value) == value
        served = pl.Series([text], dtype=pl.Int64 if vocabulary.kind == "int" else pl.String)
        assert vocabulary.encode(served).tolist() == [code]
    assert len(found) == len({value for value in values if not is_absent(value)})


@every_type
@few
@given(data=st.data())
def test_unseen_values_are_unknown_and_absent_ones_missing(kind: str, data: st.DataObject) -> None:
    seen, served = data.draw(columns(kind)), data.draw(columns(kind))
    encoder = fit(seen.to_frame(), a=CategoricalFeature(min_count=1))
    known = {value for value in seen.to_list() if not is_absent(value)}
    codes = encoder.encode(served.to_frame()).codes[:, 0].tolist()
    for value, code in zip(served.to_list(), codes, strict=True):
        expected = "missing" if is_absent(value) else "known" if value in known else "unknown"
        assert {MISSING: "missing", UNKNOWN: "unknown"}.get(code, "known") == expected


@every_type
@few
@given(data=st.data(), chunk=st.integers(1, 7))
def test_chunks_and_storage_change_nothing(kind: str, data: st.DataObject, chunk: int) -> None:
    frame = data.draw(columns(kind)).to_frame().with_columns(l=pl.col("a").repeat_by(2))
    features: dict[str, FeatureConfig] = {
        "a": CategoricalFeature(min_count=1),
        "h": CategoricalFeature(column="a", hash_buckets=5),
        "l": SequenceFeature(min_count=1),
    }
    encoder = fit(frame, **features)
    whole = encoder.encode(frame)
    assert same(fit(frame, chunk, **features).encode(frame), whole)
    with tempfile.TemporaryDirectory() as folder:
        save_encoder(encoder, Path(folder))
        loaded = load_encoder(Path(folder))
        assert same(loaded.encode(frame), whole)
    parts = [encoder.encode(frame.slice(at, chunk)) for at in range(0, len(frame), chunk)]
    for name in ("codes", "numeric"):
        together = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(together, getattr(whole, name))


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(
    seen=st.lists(st.none() | st.floats(), min_size=1, max_size=12),
    served=st.lists(st.none() | st.floats(), min_size=1, max_size=12),
)
def test_numbers_stay_finite_in_order_and_as_they_were_saved(
    encoding: Any, seen: list[float | None], served: list[float | None]
) -> None:
    frame = pl.DataFrame({"a": seen}, schema={"a": pl.Float64})
    rows = pl.DataFrame({"a": served}, schema={"a": pl.Float64})
    encoder = fit(frame, a=NumericFeature(encoding=encoding))
    encoded = encoder.encode(rows).numeric[:, 0]
    given_number = np.array([value is not None and math.isfinite(value) for value in served])
    assert np.array_equal(np.isfinite(encoded), given_number)
    assert np.array_equal(np.isnan(encoded), ~given_number)
    values = rows["a"].to_numpy()[given_number]
    in_order = encoded[given_number][np.argsort(values)]
    assert (np.diff(in_order) >= 0).all()
    with tempfile.TemporaryDirectory() as folder:
        save_encoder(encoder, Path(folder))
        assert same(load_encoder(Path(folder)).encode(rows), encoder.encode(rows))
