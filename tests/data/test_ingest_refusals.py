"""Logs that cannot be prepared are refused before anything is written."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank.data.ingest import IngestRequest, ingest_log
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import (
    CategoricalFeature,
    DataConfig,
    FeatureConfig,
    KeysConfig,
    LabelSpec,
    NumericFeature,
    SplitConfig,
    StatisticConfig,
)

LABELS = (
    LabelSpec(name="click", column="click", kind="binary"),
    LabelSpec(name="watch", column="watch", kind="duration", observed_when="click"),
)
FEATURES: dict[str, FeatureConfig] = {"item": CategoricalFeature(), "price": NumericFeature()}
STATISTICS = {"cross": StatisticConfig(of=("item", "author"))}


def _log() -> pl.DataFrame:
    row = np.arange(400)
    return pl.DataFrame(
        {
            "item": row % 30,
            "author": row % 9,
            "price": row / 7,
            "seen": [[1, 2]] * 400,
            "time": row * 3600,
            "weight": np.ones(400),
            "click": row % 2,
            "watch": row % 50,
        }
    )


def _request(log: pl.DataFrame, **data: object) -> IngestRequest:
    config = {
        "log": "unused.parquet",
        "keys": KeysConfig(time="time"),
        "split": SplitConfig(by="time"),
        "weight": "weight",
        **data,
    }
    return IngestRequest(
        DataConfig.model_validate(config), Path(), FEATURES, STATISTICS, LABELS, log.lazy()
    )


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_impossible_weights_are_refused(weight: float, tmp_path: Path) -> None:
    log = _log().with_columns(weight=pl.lit(weight))
    with pytest.raises(DataError, match=r"data\.weight"):
        ingest_log(_request(log), tmp_path)


def test_an_empty_training_set_is_refused(tmp_path: Path) -> None:
    split = SplitConfig(by="column", column="author", test=tuple(range(9)))
    with pytest.raises(DataError, match="No row is left for training"):
        ingest_log(_request(_log(), split=split), tmp_path)
    with pytest.raises(DataError, match="No row is left for training"):
        ingest_log(_request(_log().head(0), split=SplitConfig()), tmp_path)


def test_a_label_never_observed_in_training_is_refused(tmp_path: Path) -> None:
    log = _log().with_columns(click=pl.when(pl.col("time") > 350 * 3600).then("click"))
    with pytest.raises(DataError, match=r"tasks\.click: .*no observed label"):
        ingest_log(_request(log), tmp_path)


def test_labels_of_another_kind_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"tasks\.click: 400 rows of the column 'click'"):
        ingest_log(_request(_log().with_columns(click=pl.lit(2))), tmp_path)
    with pytest.raises(DataError, match=r"tasks\.click: 400 rows of the column 'click'"):
        ingest_log(_request(_log().with_columns(click=pl.lit("no"))), tmp_path)


@pytest.mark.parametrize(
    ("column", "place"),
    [
        ("price", r"features\.price"),
        ("author", r"statistics\.cross\.of"),
        ("time", r"data\.keys\.time"),
        ("weight", r"data\.weight"),
        ("watch", r"tasks\.watch\.label"),
    ],
)
def test_a_missing_column_is_named_with_its_place(column: str, place: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=place):
        ingest_log(_request(_log().drop(column)), tmp_path)


def test_no_task_is_refused(tmp_path: Path) -> None:
    request = _request(_log())
    nothing = IngestRequest(request.data, Path(), FEATURES, {}, (), request.log)
    with pytest.raises(ConfigError, match="declares no task"):
        ingest_log(nothing, tmp_path)


@pytest.mark.parametrize("feature", [CategoricalFeature(), NumericFeature()])
def test_a_list_where_one_value_is_expected_is_refused(
    feature: FeatureConfig, tmp_path: Path
) -> None:
    request = _request(_log())
    wrong = IngestRequest(request.data, Path(), {"seen": feature}, {}, LABELS, request.log)
    with pytest.raises(DataError, match=r"features\.seen"):
        ingest_log(wrong, tmp_path)
