"""Rows that the log tells apart."""

import polars as pl
import pytest
import torch

from paretorank.balancing import RowSegments, refuse_unknown_segment
from paretorank.balancing.row_segments import MOST_SEGMENTS
from paretorank.data.encoder import Buckets
from paretorank.data.vocabulary import N_RESERVED, Vocabulary
from paretorank.foundation.errors import ConfigError
from paretorank.schema import CategoricalFeature, NumericFeature

TABS = RowSegments("tab", 1, Vocabulary(pl.Series(["home", "missing", "search"]), "text"))
FEATURES = {
    "tab": CategoricalFeature(),
    "tags": CategoricalFeature(multi=True),
    "age": NumericFeature(),
}


def test_rows_belong_to_the_value_of_their_column_largest_first() -> None:
    codes = TABS.codes(torch.tensor([[9, 4], [9, 2], [9, 4], [9, 0], [9, 1], [9, 3]]))
    found = {name: mask.nonzero().flatten().tolist() for name, mask in TABS.masks(codes).items()}
    assert next(iter(found)) == "tab=search"
    assert found == {
        "tab=search": [0, 2],
        "tab=home": [1],
        "tab (missing)": [3],
        "tab (rare or unknown)": [4],
        "tab=missing": [5],
    }


def test_all_but_the_largest_are_one_segment() -> None:
    n_values = MOST_SEGMENTS + 5
    segments = RowSegments("user", 0, Vocabulary(pl.Series(range(100, 100 + n_values)), "int"))
    twice = torch.arange(MOST_SEGMENTS) + N_RESERVED + 5
    codes = torch.cat([torch.arange(n_values) + N_RESERVED, twice])
    masks = segments.masks(codes)
    assert list(masks) == [*(f"user={at}" for at in range(105, 125)), "user (others)"]
    assert masks["user (others)"].nonzero().flatten().tolist() == [0, 1, 2, 3, 4]
    assert bool((torch.stack(list(masks.values())).sum(dim=0) == 1).all())


def test_as_many_values_as_are_shown_leave_no_others() -> None:
    segments = RowSegments("user", 0, Buckets(MOST_SEGMENTS))
    masks = segments.masks(torch.arange(MOST_SEGMENTS) + N_RESERVED)
    assert list(masks)[:2] == ["user (bucket 2)", "user (bucket 3)"]
    assert len(masks) == MOST_SEGMENTS


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("tabb", "'tabb', which is none"),
        ("age", "'age', which is a feature of kind 'numeric'"),
        ("tags", "'tags', which is a feature of several values"),
    ],
)
def test_what_is_no_categorical_feature_of_one_value_is_refused(name: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as error:
        refuse_unknown_segment(name, FEATURES)
    assert "'tab'" in str(error.value.hint)
    refuse_unknown_segment("tab", FEATURES)


def test_the_remedy_where_no_feature_would_do_is_to_declare_one() -> None:
    with pytest.raises(ConfigError) as error:
        refuse_unknown_segment("age", {"age": NumericFeature()})
    assert error.value.hint == "Declare a categorical one under [features]."
