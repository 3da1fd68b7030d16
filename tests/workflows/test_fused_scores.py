"""The fused score of new rows: within their lists, with columns beside the tasks."""

from pathlib import Path

import polars as pl
import pytest

from paretorank.config import RunConfig
from paretorank.foundation.errors import ConfigError, DataError, RunError
from paretorank.fusion import parse_formula
from paretorank.workflows.fused_scores import with_fused
from paretorank.workflows.fusion_result import ReadyFusion

SCORES = pl.DataFrame(
    {
        "click": [0.5, 0.2, 0.9, 0.1],
        "long_view": [0.1] * 4,
        "like": [0.1, 0.2, 0.3, 0.4],
        "watch": [4.0, 3.0, 2.0, 1.0],
    }
)
ROWS = pl.LazyFrame({"request_id": ["b", "a", "b", None], "price": [1, 2, 3, None]})


def fused(config: RunConfig, text: str, rows: pl.LazyFrame = ROWS) -> list[float | None]:
    ready = ReadyFusion(parse_formula(text), "request_id")
    found = with_fused(SCORES, rows, config, ready)
    assert found.columns == [*SCORES.columns, "fused"]
    return found["fused"].to_list()


def test_scores_are_fused_row_by_row(config: RunConfig) -> None:
    assert fused(config, "10 * click + watch", pl.LazyFrame()) == [9.0, 5.0, 11.0, 2.0]


def test_rows_are_ranked_within_their_list_and_alone_where_it_is_not_known(
    config: RunConfig,
) -> None:
    assert fused(config, "place(click)") == [2.0, 1.0, 1.0, 1.0]


def test_other_columns_are_read_and_a_missing_number_leaves_no_score(config: RunConfig) -> None:
    assert fused(config, "click * price") == pytest.approx(
        [0.5, 0.4, 2.7, float("nan")], nan_ok=True
    )


def test_a_missing_column_and_one_without_numbers_are_refused(config: RunConfig) -> None:
    with pytest.raises(DataError, match="request_id"):
        fused(config, "rank(click)", ROWS.drop("request_id"))
    with pytest.raises(DataError, match="price"):
        fused(config, "click * price", ROWS.drop("price"))
    with pytest.raises(DataError, match="request_id: a formula must read numbers"):
        fused(config, "click * request_id")


def test_a_column_of_the_same_name_is_not_overwritten(config: RunConfig) -> None:
    ready = ReadyFusion(parse_formula("click"), "request_id")
    taken = SCORES.with_columns(fused=pl.lit(1.0))
    with pytest.raises(ConfigError, match="there is one already"):
        with_fused(taken, ROWS, config, ready)


def test_a_run_that_was_calibrated_after_the_search_is_refused(tmp_path: Path) -> None:
    ready = ReadyFusion(parse_formula("click", place="here"), "user_id", "before")
    ready.check("before", "any", tmp_path)
    with pytest.raises(RunError, match="calibrated in another way"):
        ready.check("after", "any", tmp_path)
    with pytest.raises(RunError, match="not calibrated"):
        ReadyFusion(ready.formula, "user_id").check("after", "any", tmp_path)


def test_a_run_that_was_trained_after_the_search_is_refused(tmp_path: Path) -> None:
    ready = ReadyFusion(parse_formula("click"), "user_id", weights="before")
    ready.check("", "before", tmp_path)
    with pytest.raises(RunError, match="trained again after the search") as caught:
        ready.check("", "after", tmp_path)
    assert "paretorank fuse" in caught.value.hint
