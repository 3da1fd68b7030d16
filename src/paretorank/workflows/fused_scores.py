"""The fused score of new rows, by the formula that a search has found."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import polars as pl

from paretorank.config import RunConfig
from paretorank.data.source import join_tables, require_columns
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.fusion import Formula, fused_score
from paretorank.fusion.syntax import Call, walk
from paretorank.workflows.fusion_result import ReadyFusion

FUSED: Final = "fused"
"""Name of the column."""
_RANKINGS = ("rank", "place", "reciprocal_rank")


def with_fused(
    scores: pl.DataFrame, rows: pl.LazyFrame, config: RunConfig, fusion: ReadyFusion
) -> pl.DataFrame:
    """Return scores with a column of fused ones behind them.

    Args:
        scores: of the rows, one column per task.
        rows: what was scored; holds what else the formula reads, and the lists if it ranks.
        config: of the run.
        fusion: formula and lists.

    Raises:
        ConfigError: a task is called like the new column.
        DataError: a column is missing, or is no number.
    """
    tasks, formula = tuple(config.tasks), fusion.formula
    if FUSED in scores.columns:
        raise ConfigError(
            f"--fused writes a column {FUSED!r}, and there is one already.",
            hint="Rename the task or the key.",
        )
    others = {name: "fusion.json" for name in formula.columns if name not in tasks}
    if _ranks(formula):
        others[fusion.lists] = "fusion.json"
    read = _read(rows, config, others)
    columns = {name: scores[name].to_numpy() for name in tasks}
    for name in formula.columns:
        if name not in tasks:
            columns[name] = _numbers(read[name])
    request = None
    if _ranks(formula):
        request = _codes(read[fusion.lists])
    return scores.with_columns(pl.Series(FUSED, fused_score(formula.tree, columns, {}, request)))


def _codes(lists: pl.Series) -> np.ndarray:
    """Return a number per list; a row whose list is not known stands alone."""
    codes = lists.rank("dense").cast(pl.Int64)
    alone = -1 - np.arange(len(lists))
    return np.where(lists.is_null().to_numpy(), alone, codes.fill_null(0).to_numpy())


def _ranks(formula: Formula) -> bool:
    return any(isinstance(node, Call) and node.function in _RANKINGS for node in walk(formula.tree))


def _read(rows: pl.LazyFrame, config: RunConfig, others: Mapping[str, str]) -> pl.DataFrame:
    if not others:
        return pl.DataFrame()
    frame = join_tables(rows, config.data.joins, config.folder)
    require_columns(frame, others)
    return frame.select(list(others)).collect()


def _numbers(column: pl.Series) -> np.ndarray:
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(
            f"{column.name}: a formula must read numbers, but the column holds {column.dtype}.",
            hint="Give a numeric column, as it was in the log.",
        )
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()
