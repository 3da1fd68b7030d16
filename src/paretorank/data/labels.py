"""Labels with NaN where they are not observed."""

from collections.abc import Mapping, Sequence

import polars as pl

from paretorank.data.condition import columns_of, parse_condition
from paretorank.data.maturity import is_mature, waiting_age
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import LabelSpec

LABEL_PREFIX = "__label:"
"""Before the name of a task: its column of prepared labels, which no log has."""
WAITING_PREFIX = "__waiting:"
"""Before the name of a task: its column of the ages of rows that wait."""


def label_columns(labels: Sequence[LabelSpec]) -> dict[str, str]:
    """Return every column that the labels read -> the configuration key that asks for it."""
    names = {label.name for label in labels}
    needed = {}
    for label in labels:
        needed[label.column] = f"tasks.{label.name}.label"
        if label.observed_when and label.observed_when not in names:
            place = f"tasks.{label.name}.observed_when"
            needed.update(dict.fromkeys(columns_of(label.observed_when, place=place), place))
    return needed


def label_expressions(labels: Sequence[LabelSpec]) -> list[pl.Expr]:
    """Return one Float32 expression per label, named like the task; null where not observed.

    Rows need their age (see `maturity`) where a label matures.
    """
    by_name = {label.name: label for label in labels}
    return [_observed(label, by_name).cast(pl.Float32).alias(label.name) for label in labels]


def waiting_expressions(labels: Sequence[LabelSpec]) -> list[pl.Expr]:
    """Return the age of rows that wait, for labels that keep it; null elsewhere.

    A row waits where its label is 0 and not final. It needs its age, as above.
    """
    by_name = {label.name: label for label in labels}
    waiting = [label for label in labels if label.keeps_waiting]
    return [
        _where_observed(label, waiting_age(label, _scaled(label)), by_name)
        .cast(pl.Float32)
        .alias(WAITING_PREFIX + label.name)
        for label in waiting
    ]


def check_labels(labels: Sequence[LabelSpec], frame: pl.LazyFrame) -> None:
    """Refuse labels that are no numbers and conditions that do not suit their columns.

    Raises:
        DataError: a label's column holds something else than numbers or true and false.
        ConfigError: a condition is neither true nor false.
    """
    by_name = {label.name: label for label in labels}
    schema = frame.collect_schema()
    nothing = pl.DataFrame(schema=schema)
    for label in labels:
        dtype = schema[label.column]
        if not (dtype.is_numeric() or dtype in (pl.Boolean, pl.Null, pl.String)):
            raise DataError(
                f"tasks.{label.name}.label: the column {label.column!r} is {dtype}, no number.",
                hint="Labels must be numbers or true/false.",
            )
        condition = _condition(label, by_name, set())
        if condition is None or label.observed_when in by_name:
            continue
        try:
            found: object = nothing.select(condition).to_series().dtype
        except pl.exceptions.PolarsError as error:
            found = str(error).splitlines()[0]
        if found != pl.Boolean:
            raise ConfigError(
                f"tasks.{label.name}.observed_when: {label.observed_when!r} is neither true nor "
                f"false, but: {found}.",
                hint="Compare numbers with numbers and text with text, such as: tab == 1.",
            )


def violation_expressions(labels: Sequence[LabelSpec]) -> list[pl.Expr]:
    """Return one expression per label that counts the observed values that are not of its kind."""
    by_name = {label.name: label for label in labels}
    return [_where_observed(label, _violates(label), by_name).sum() for label in labels]


def refuse_violations(labels: Sequence[LabelSpec], counts: Mapping[str, int]) -> None:
    """Raise a DataError that names the first label with values outside its kind."""
    for label in labels:
        if counts[label.name]:
            raise DataError(
                f"tasks.{label.name}: {counts[label.name]} rows of the column {label.column!r} "
                f"are not {_RULES[label.kind]}, as kind = {label.kind!r} demands.",
                hint="Clean the column, choose another kind, or limit the task with observed_when.",
            )


def refuse_one_value(labels: Sequence[LabelSpec], means: Mapping[str, float]) -> None:
    """Raise a DataError for a binary task that always or never happens.

    Args:
        labels: the labels.
        means: mean of the observed labels of the training rows, by task.
    """
    for label in labels:
        if label.kind == "binary" and means[label.name] in {0.0, 1.0}:
            raise DataError(
                f"tasks.{label.name}: the column {label.column!r} has one value only, "
                f"{means[label.name]:g}, on the training rows where it is observed.",
                hint="Check the column, observed_when and the split; or remove the task.",
            )


_RULES = {
    "binary": "0, 1 or missing",
    "regression": "finite numbers below 1e30",
    "duration": "finite numbers >= 0 below 1e30",
    "count": "whole numbers >= 0 below 1e30",
    "ordinal": "whole numbers from 0 to n_levels - 1",
}
_LARGEST = 1e30
"""What float32 can add up over all rows of a log."""


def _number(label: LabelSpec) -> pl.Expr:
    return pl.col(label.column).cast(pl.Float64, strict=False).fill_nan(None)


def _violates(label: LabelSpec) -> pl.Expr:
    value, raw = _number(label), pl.col(label.column)
    unreadable = raw.is_not_null() & raw.cast(pl.Float64, strict=False).is_null()
    too_large = (value * max(1.0, label.scale)).abs() > _LARGEST
    match label.kind:
        case "binary":
            return unreadable | (value != 0) & (value != 1)
        case "regression":
            return unreadable | too_large
        case "duration":
            return unreadable | too_large | (value < 0)
        case "count":
            return unreadable | too_large | (value < 0) | (value != value.floor())
        case "ordinal":
            level = _scaled(label)
            highest = pl.lit(label.n_levels, dtype=pl.Float64) - 1
            return unreadable | (level < 0) | (level != level.floor()) | (level > highest)


def _observed(label: LabelSpec, by_name: Mapping[str, LabelSpec]) -> pl.Expr:
    value = _scaled(label)
    mature = is_mature(label, value)
    ripe = value if mature is None else pl.when(mature).then(value)
    return _where_observed(label, ripe, by_name)


def _scaled(label: LabelSpec) -> pl.Expr:
    value = _number(label) * label.scale
    return value if label.clip is None else value.clip(upper_bound=label.clip)


def _where_observed(label: LabelSpec, value: pl.Expr, by_name: Mapping[str, LabelSpec]) -> pl.Expr:
    condition = _condition(label, by_name, set())
    return value if condition is None else pl.when(condition).then(value)


def _condition(
    label: LabelSpec, by_name: Mapping[str, LabelSpec], seen: set[str]
) -> pl.Expr | None:
    """Return when a label is observed; a task as condition must itself be observed, and be 1."""
    if label.name in seen:
        raise ConfigError(
            f"tasks.{label.name}.observed_when leads back to itself.",
            hint="Sample spaces must not form a circle.",
        )
    if label.observed_when is None:
        return None
    if label.observed_when not in by_name:
        place = f"tasks.{label.name}.observed_when"
        return parse_condition(label.observed_when, place=place)
    upper = by_name[label.observed_when]
    above = _condition(upper, by_name, {*seen, label.name})
    happened = _number(upper) == 1
    return happened if above is None else happened & above
