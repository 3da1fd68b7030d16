"""Counts and rates from a behaviour list, against a plain loop."""

import math

import numpy as np
import polars as pl
import pytest

from paretorank.data.history import (
    FittedHistory,
    fit_item_values,
    grow_item_values,
    hash_items,
)
from paretorank.schema import HistoryFeature

ITEMS = pl.DataFrame({"video": [1, 2, 3, 4, 5], "author": ["a", "a", "b", None, "b"]})
LISTS: list[list[int] | None] = [[1, 2, 3], [], None, [5, 5, 9], [4], [1, 1, 1, 2]]
WATCHED = [6, 2, 0, 2, None, 4]
OWN = [1, 1, 2, 5, 4, None]


def _frame(*, text: bool = False, own_type: pl.DataType | None = None) -> pl.DataFrame:
    written = [None if row is None else ",".join(map(str, row)) for row in LISTS]
    liked = pl.Series("liked", written if text else LISTS)
    video = pl.Series("video", OWN).cast(own_type or pl.Int64())
    return pl.DataFrame([liked, pl.Series("watched", WATCHED), video])


def _history() -> FittedHistory:
    config = HistoryFeature(column="liked", item="video", relative_to="watched", match=("author",))
    return FittedHistory(config, "liked", (fit_item_values(ITEMS, "video", "author"),))


def _expected() -> np.ndarray:
    author = dict(ITEMS.drop_nulls().iter_rows())
    rows = []
    for items, whole, own in zip(LISTS, WATCHED, OWN, strict=True):
        seen = items or []
        rest = max((whole or 0) - len(seen), 0)
        same_author = [i for i in seen if author.get(i) and author.get(i) == author.get(own)]
        rows.append(
            [
                math.log(1 + len(seen)),
                math.log((len(seen) + 0.5) / (rest + 0.5)),
                math.log(1 + sum(item == own for item in seen)),
                math.log(1 + len(same_author)),
            ]
        )
    return np.array(rows)


def test_the_columns_have_names_in_order() -> None:
    assert _history().names == ("length", "rate", "same_item", "same_author")


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("own_type", [pl.Int64(), pl.Int32(), pl.Float64(), pl.String()])
def test_every_column_is_what_a_loop_counts(text: bool, own_type: pl.DataType) -> None:
    found = _history().transform(_frame(text=text, own_type=own_type))
    np.testing.assert_allclose(found, _expected(), rtol=1e-6)


def test_the_whole_may_be_a_longer_list() -> None:
    config = HistoryFeature(column="liked", item="video", relative_to="watched")
    frame = pl.DataFrame({"liked": [[1], []], "watched": [[1, 2, 3], [7]], "video": [1, 1]})
    found = FittedHistory(config, "liked", ()).transform(frame)
    assert found[:, 1].tolist() == pytest.approx([math.log(1.5 / 2.5), math.log(0.5 / 1.5)])


def test_ids_are_one_whatever_their_type_and_null_is_none() -> None:
    columns = [pl.Series([5, None]), pl.Series([5.0, None]), pl.Series(["5", None])]
    hashed = [hash_items(column).tolist() for column in columns]
    assert hashed[0] == hashed[1] == hashed[2]
    assert hashed[0][1] == 0


def test_ids_of_text_are_compared_as_text() -> None:
    frame = pl.DataFrame({"liked": [["x1", "x2", "x1"]], "video": ["x1"]})
    config = HistoryFeature(column="liked", item="video")
    found = FittedHistory(config, "liked", ()).transform(frame)
    assert found[0].tolist() == pytest.approx([math.log(4), math.log(3)])


@pytest.mark.parametrize("dtype", [pl.Categorical, pl.Enum(["a", "5"])])
def test_categories_are_compared_as_their_text(dtype: pl.DataType) -> None:
    text = pl.Series(["a", "5", None])
    assert hash_items(text.cast(dtype)).tolist() == hash_items(text).tolist()


def test_an_item_with_several_values_keeps_one_whatever_the_order() -> None:
    rows = pl.DataFrame({"video": [1, 1, 2], "author": ["a", "b", "c"]})
    one, two = (fit_item_values(frame, "video", "author") for frame in (rows, rows.reverse()))
    assert one.items.tolist() == two.items.tolist()
    assert one.values.tolist() == two.values.tolist()
    assert len(one.items) == 2


def test_without_any_known_item_nothing_matches() -> None:
    empty = fit_item_values(ITEMS.head(0), "video", "author")
    config = HistoryFeature(column="liked", item="video", match=("author",))
    found = FittedHistory(config, "liked", (empty,)).transform(_frame())
    assert found[:, 2].tolist() == [0] * len(LISTS)


def test_no_rows_give_no_rows() -> None:
    assert _history().transform(_frame().head(0)).shape == (0, 4)


def test_new_items_join_and_known_ones_keep_their_value() -> None:
    known = fit_item_values(ITEMS, "video", "author")
    more = pl.DataFrame({"video": [1, 8, 9], "author": ["z", "b", None]})
    grown = grow_item_values(known, more, "video", "author")
    assert len(grown.items) == len(known.items) + 1
    assert grown.look_up(known.items).tolist() == known.values.tolist()
    found = grown.look_up(hash_items(pl.Series([8, 3, 9])))
    assert found[0] == found[1] != 0
    assert found[2] == 0
