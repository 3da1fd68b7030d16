import polars as pl
import pytest

from paretorank.profiling.profile import ColumnProfile, profile, sample_rows


def column_of(values: list[object], name: str = "x") -> ColumnProfile:
    return profile(pl.DataFrame({name: values}).lazy()).column(name)


def test_numbers_are_counted_by_hand() -> None:
    found = column_of([0, 0, 2, None, 6])
    assert (found.kind, found.rows, found.nulls, found.n_unique) == ("integer", 5, 1, 3)
    assert (found.minimum, found.maximum, found.mean, found.zeros) == (0, 6, 2.0, 2)
    assert found.top[0] == (0, 0.5)


def test_not_a_number_counts_as_missing() -> None:
    found = column_of([1.0, float("nan"), None])
    assert found.nulls == 2
    assert found.is_whole


def test_one_far_negative_value_is_a_code() -> None:
    assert column_of([-124] * 50 + list(range(50))).missing_code == -124


def test_a_spread_of_negative_values_is_no_code() -> None:
    assert column_of([-124] * 50 + [-3, 4, 5]).missing_code is None


def test_minus_one_is_a_code_only_beside_many_values() -> None:
    assert column_of([-1] * 9 + [0, 1] * 9).missing_code is None
    assert column_of([-1] * 9 + list(range(9))).missing_code == -1


def test_short_tokens_that_come_again_are_several_values() -> None:
    assert column_of(["1,5,9", "5", "9,1"] * 5).separator == ","
    assert column_of(["Action|Comedy", "Drama", "Comedy"] * 5).separator == "|"


@pytest.mark.parametrize(
    "texts", [["(0,10]", "(10,50]"] * 9, ["Paris, France", "Lyon, France"] * 9, ["a b", "c d"] * 9]
)
def test_ranges_and_phrases_are_not_cut(texts: list[object]) -> None:
    assert column_of(texts).separator is None


def test_lists_know_what_they_hold_and_how_long_they_are() -> None:
    found = column_of([[1, 2], [3], []])
    assert (found.kind, found.inner, found.lengths) == ("list", "integer", (0, 2))


def test_an_empty_table_has_a_profile() -> None:
    found = profile(pl.DataFrame({"x": []}, schema={"x": pl.Int64}).lazy())
    assert found.rows == 0
    assert found.column("x").is_empty


def test_the_sample_is_the_same_again_and_about_as_large_as_asked() -> None:
    frame = pl.DataFrame({"x": range(20_000)}).lazy()
    first, second = sample_rows(frame, 2_000), sample_rows(frame, 2_000)
    assert first.equals(second)
    assert 1_700 < len(first) < 2_300


def test_unknown_columns_are_refused() -> None:
    with pytest.raises(KeyError, match="y"):
        profile(pl.DataFrame({"x": [1]}).lazy()).column("y")
