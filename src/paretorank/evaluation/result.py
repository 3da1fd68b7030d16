"""The outcome of an evaluation: one tidy table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import polars as pl

from paretorank.foundation.suggestions import did_you_mean

EVERYTHING = "all"
"""The segment that holds all rows of a sample space."""

COLUMNS: Final[dict[str, pl.DataType]] = {
    "task": pl.String(),
    "space": pl.String(),
    "segment": pl.String(),
    "metric": pl.String(),
    "value": pl.Float64(),
    "low": pl.Float64(),
    "high": pl.Float64(),
    "n_rows": pl.Int64(),
    "n_positive": pl.Int64(),
    "n_users": pl.Int64(),
    "note": pl.String(),
}


Record = dict[str, str | float | int | None]
"""One line of the table, by column."""


@dataclass(frozen=True)
class EvaluationResult:
    """One line per task, sample space, segment and metric.

    Within a task the own sample space comes first, and within a space the primary metric.
    `n_positive` is null unless the label is binary, `n_users` where users are not known; `note`
    says why a value is NaN or what it leaves out.
    """

    table: pl.DataFrame

    @classmethod
    def from_records(cls, records: Sequence[Record]) -> "EvaluationResult":
        """Return a result with these lines; None stands for NaN where a number is due."""
        table = pl.DataFrame(records, schema=COLUMNS, orient="row")
        return cls(table.with_columns(pl.col("value", "low", "high").fill_null(math.nan)))

    @classmethod
    def from_json(cls, records: Sequence[Record]) -> "EvaluationResult":
        """Return the result that `to_json` wrote down."""
        return cls.from_records(records)

    def to_json(self) -> list[Record]:
        """Return the lines with None for NaN, ready for a JSON file."""
        return self.table.with_columns(pl.col("value", "low", "high").fill_nan(None)).to_dicts()

    def __str__(self) -> str:
        """Return all lines without their notes, as wide as they need to be."""
        shown = self.table.drop("note", "n_positive", "n_users")
        with pl.Config(
            tbl_rows=-1,
            tbl_cols=-1,
            tbl_width_chars=200,
            fmt_str_lengths=80,
            float_precision=4,
            tbl_hide_dataframe_shape=True,
            tbl_hide_column_data_types=True,
        ):
            return str(shown)

    def tasks(self) -> list[str]:
        """Return the tasks in their order."""
        return self.table["task"].unique(maintain_order=True).to_list()

    def value(
        self, task: str, metric: str, *, space: str | None = None, segment: str = EVERYTHING
    ) -> float:
        """Return one number, by default in the task's own sample space.

        Raises:
            ValueError: the table has no such task, space, segment or metric.
        """
        lines = self.table
        wanted = {"task": task, "space": space, "segment": segment, "metric": metric}
        for column, name in wanted.items():
            if name is None:
                name = lines[column][0]  # noqa: PLW2901 - the own space comes first
            found = lines.filter(pl.col(column) == name)
            if found.is_empty():
                hint = did_you_mean(str(name), lines[column].unique().to_list())
                raise ValueError(f"`{column}` must be in the table, got {name!r}. {hint}")
            lines = found
        return float(lines["value"][0])

    def primary(self) -> dict[str, float]:
        """Return the primary metric of each task in its own sample space."""
        first = self.table.filter(pl.col("segment") == EVERYTHING).unique(
            "task", keep="first", maintain_order=True
        )
        return dict(zip(first["task"].to_list(), first["value"].to_list(), strict=True))
