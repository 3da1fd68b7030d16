"""Values and their codes."""

import datetime as dt

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretorank.data.encoder import Buckets
from paretorank.data.vocabulary import (
    MISSING,
    N_RESERVED,
    UNKNOWN,
    Vocabulary,
    fit_vocabulary,
    grow_vocabulary,
    value_kind,
    without,
)


def _fit(values: pl.Series, *, min_count: int = 1) -> Vocabulary:
    counts = values.alias("value").to_frame().group_by("value").agg(pl.len().alias("count"))
    return fit_vocabulary(counts.with_columns(pl.col("count").cast(pl.Int64)), min_count=min_count)


def test_codes_follow_falling_frequency_then_value() -> None:
    vocabulary = _fit(pl.Series([7, 9, 9, 3, 7, 9, 4, None]))
    assert vocabulary.values.to_list() == [9, 7, 3, 4]
    assert vocabulary.n_codes == 6
    assert vocabulary.encode(pl.Series([9, 7, 3, 4, 8, None])).tolist() == [2, 3, 4, 5, 1, 0]


def test_values_below_min_count_are_unknown() -> None:
    vocabulary = _fit(pl.Series(["a", "a", "b"]), min_count=2)
    assert vocabulary.encode(pl.Series(["a", "b", "c", None])).tolist() == [2, 1, 1, 0]


@pytest.mark.parametrize(
    "trained",
    [
        pl.Series([5, 6]),
        pl.Series([5.0, 6.0, None]),
        pl.Series(["5", "6"]),
        pl.Series(["5", "a"]),
        pl.Series([5.0, 0.5]),
    ],
)
@pytest.mark.parametrize(
    "served",
    [
        pl.Series([5]),
        pl.Series([5], dtype=pl.UInt8),
        pl.Series([5.0]),
        pl.Series([5.0], dtype=pl.Float32),
        pl.Series(["5"]),
        pl.Series(["5"], dtype=pl.Categorical),
    ],
)
def test_five_is_five_however_it_is_stored(trained: pl.Series, served: pl.Series) -> None:
    vocabulary = _fit(trained)
    code = vocabulary.encode(served)[0]
    assert code >= N_RESERVED
    assert str(vocabulary.decode(np.array([code]))[0]) == "5"


def test_text_that_ends_in_zero_is_a_number_where_all_values_are() -> None:
    assert _fit(pl.Series([5, 6])).encode(pl.Series(["5.0", "6"])).tolist() == [2, 3]


@pytest.mark.parametrize(
    "served",
    [pl.Series([5.5]), pl.Series([float("inf")]), pl.Series(["abc"]), pl.Series(["5.5"])],
)
def test_what_is_no_whole_number_is_unknown_and_never_another_value(served: pl.Series) -> None:
    assert _fit(pl.Series([5, 6])).encode(served).tolist() == [UNKNOWN]


@pytest.mark.parametrize("trained", [pl.Series([5, 6]), pl.Series(["5", "a"])])
def test_null_and_nan_are_missing(trained: pl.Series) -> None:
    vocabulary = _fit(trained)
    assert vocabulary.encode(pl.Series([None, float("nan")])).tolist() == [MISSING, MISSING]
    assert vocabulary.encode(pl.Series([None, None])).tolist() == [MISSING, MISSING]


def test_nan_is_no_value_of_a_vocabulary() -> None:
    vocabulary = _fit(pl.Series([0.5, float("nan"), None]))
    assert vocabulary.values.to_list() == ["0.5"]


def test_ids_of_64_bits_keep_their_codes() -> None:
    ids = pl.Series([2**64 - 1, 2**63, 5], dtype=pl.UInt64)
    vocabulary = _fit(ids)
    assert sorted(vocabulary.encode(ids).tolist()) == [2, 3, 4]
    assert vocabulary.encode(pl.Series([2**64 - 2], dtype=pl.UInt64)).tolist() == [UNKNOWN]


@pytest.mark.parametrize(
    "values",
    [
        pl.Series([], dtype=pl.Int64),
        pl.Series([], dtype=pl.String),
        pl.Series([None, None], dtype=pl.Float64),
        pl.Series([None, None]),
    ],
)
def test_a_column_without_values_knows_nothing(values: pl.Series) -> None:
    vocabulary = _fit(values)
    assert vocabulary.n_codes == N_RESERVED
    assert vocabulary.encode(pl.Series([1, None])).tolist() == [UNKNOWN, MISSING]
    assert vocabulary.encode(pl.Series(["a", None])).tolist() == [UNKNOWN, MISSING]


def test_sparse_and_dense_look_up_agree() -> None:
    generator = np.random.default_rng(0)
    dense = generator.integers(0, 1000, 500)
    sparse = np.concatenate([dense, [-5, 2**62]])
    queries = pl.Series(np.concatenate([generator.integers(-10, 1100, 2000), [2**62, 2**63 - 1]]))
    for values in (dense, sparse):
        vocabulary = _fit(pl.Series(values))
        code = {value: at + 2 for at, value in enumerate(vocabulary.values.to_list())}
        expected = [code.get(value, UNKNOWN) for value in queries.to_list()]
        assert vocabulary.encode(queries).tolist() == expected


_COLUMNS = st.one_of(
    st.lists(st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1)), max_size=20).map(
        lambda values: pl.Series(values, dtype=pl.Int64)
    ),
    st.lists(st.one_of(st.none(), st.text(max_size=4)), max_size=20).map(
        lambda values: pl.Series(values, dtype=pl.String)
    ),
    st.lists(st.one_of(st.none(), st.floats(width=32)), max_size=20).map(
        lambda values: pl.Series(values, dtype=pl.Float64)
    ),
    st.lists(st.one_of(st.none(), st.booleans()), max_size=20).map(
        lambda values: pl.Series(values, dtype=pl.Boolean)
    ),
)


@given(_COLUMNS)
def test_every_value_of_the_training_rows_comes_back(column: pl.Series) -> None:
    vocabulary = _fit(column)
    codes = vocabulary.encode(column)
    for value, code, back in zip(column, codes.tolist(), vocabulary.decode(codes), strict=True):
        if value is None or value != value:  # noqa: PLR0124 - NaN
            assert (code, back) == (MISSING, None)
        else:
            assert code >= N_RESERVED
            assert type(value)(back if vocabulary.kind == "int" else str(back)) == value


@given(_COLUMNS, _COLUMNS)
def test_no_column_breaks_a_vocabulary_fitted_on_another(a: pl.Series, b: pl.Series) -> None:
    vocabulary = _fit(a)
    codes = vocabulary.encode(b)
    assert len(codes) == len(b)
    assert ((codes >= 0) & (codes < vocabulary.n_codes)).all()
    gone = b.fill_nan(None).is_null() if b.dtype.is_float() else b.is_null()
    assert ((codes == MISSING) == gone.to_numpy()).all()


@given(st.permutations(["a", "a", "b", "c", "c", "c", "d"]))
def test_the_order_of_rows_does_not_matter(values: list[str]) -> None:
    assert _fit(pl.Series(values)).values.to_list() == ["c", "a", "b", "d"]


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (pl.Series([1]), "int"),
        (pl.Series([1.0, None, float("nan")]), "int"),
        (pl.Series([1.5]), "text"),
        (pl.Series([float("inf")]), "text"),
        (pl.Series([1e30]), "text"),
        (pl.Series([True]), "int"),
        (pl.Series(["1"]), "text"),
        (pl.Series([dt.date(2022, 5, 3)]), "text"),
    ],
)
def test_whole_numbers_are_compared_as_integers(values: pl.Series, kind: str) -> None:
    assert value_kind(values) == kind


@pytest.mark.parametrize(
    ("column", "missing", "left"),
    [
        (pl.Series([1, -124]), (-124,), [1, None]),
        (pl.Series([1.0, -124.0]), (-124,), [1.0, None]),
        (pl.Series(["1", "-124", "-124.0"]), (-124,), ["1", None, None]),
        (pl.Series(["a", "UNKNOWN", None]), ("UNKNOWN",), ["a", None, None]),
        (pl.Series(["a", "-124"], dtype=pl.Categorical), (-124,), ["a", None]),
        (pl.Series([1, 0, -1, 2]), (0, -1), [1, None, None, 2]),
        (pl.Series([None, None]), (0,), [None, None]),
        (pl.Series([1, 2]), (), [1, 2]),
    ],
)
def test_declared_codes_become_missing(
    column: pl.Series, missing: tuple[int | float | str, ...], left: list[object]
) -> None:
    assert without(column, missing).to_list() == left


def test_hash_buckets_are_pinned_and_in_range() -> None:
    codes = Buckets(10).encode(pl.Series([5, 6, 7, None]))
    assert codes.tolist() == [9, 4, 4, 0]
    many = Buckets(10).encode(pl.Series(np.arange(10_000)))
    counts = np.bincount(many, minlength=12)
    assert counts[:2].tolist() == [0, 0]
    assert (abs(counts[2:] / 1000 - 1) < 0.15).all()


@pytest.mark.parametrize("served", [pl.Series([5.0]), pl.Series(["5"]), pl.Series(["5.0"])])
def test_a_bucket_does_not_depend_on_the_type(served: pl.Series) -> None:
    assert Buckets(1000).encode(served)[0] == Buckets(1000).encode(pl.Series([5]))[0]


def test_buckets_take_every_kind_of_empty_column() -> None:
    assert Buckets(4).encode(pl.Series([], dtype=pl.String)).tolist() == []
    assert Buckets(4).encode(pl.Series([None, float("nan")])).tolist() == [MISSING, MISSING]
    assert Buckets(4).encode(pl.Series([None])).tolist() == [MISSING]


def _counts(values: list[object]) -> pl.DataFrame:
    column = pl.Series("value", values, strict=False)
    return column.to_frame().group_by("value").agg(pl.len().cast(pl.Int64).alias("count"))


def test_a_vocabulary_grows_behind_what_it_knows() -> None:
    known = _fit(pl.Series([7, 9, 9]))
    grown = grow_vocabulary(known, _counts([5, 5, 5, 9, 4, 4, 3, None, 2, 2]), min_count=2)
    assert grown.values.to_list() == [9, 7, 5, 2, 4]
    assert grown.encode(pl.Series([9, 7, 5, 3, None])).tolist() == [2, 3, 4, UNKNOWN, MISSING]
    assert known.values.to_list() == [9, 7]


@pytest.mark.parametrize("values", [["9", "8.0", "8"], [9.0, 8.0, 8.0], [9, 8, 8]])
def test_new_values_are_compared_as_the_known_ones_are(values: list[object]) -> None:
    grown = grow_vocabulary(_fit(pl.Series([9, 7])), _counts(values), min_count=1)
    assert grown.values.to_list() == [7, 9, 8]
    words = grow_vocabulary(_fit(pl.Series(["9", "b"])), _counts(values), min_count=2)
    assert words.values.to_list() == (["9", "b"] if values[1] == "8.0" else ["9", "b", "8"])


def test_words_stay_unknown_where_numbers_are_known() -> None:
    known = _fit(pl.Series([9, 7]))
    assert grow_vocabulary(known, _counts(["a", "a"]), min_count=1).values.to_list() == [7, 9]


def test_an_empty_vocabulary_grows_too() -> None:
    for nothing in (pl.Series([], dtype=pl.Int64), pl.Series([], dtype=pl.String)):
        values: list[object] = [3, 3] if nothing.dtype == pl.Int64 else ["a", "a"]
        grown = grow_vocabulary(_fit(nothing), _counts(values), min_count=2)
        assert grown.values.to_list() == values[:1]
        assert grow_vocabulary(grown, _counts([]), min_count=1).values.to_list() == values[:1]
