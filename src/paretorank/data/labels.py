"""Labels with NaN where they are not observed."""

from collections.abc import Mapping, Sequence

import polars as pl

from paretorank.data.condition import columns_of, parse_condition
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import LabelSpec


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
    """Return one Float32 expression per label, named like the task; null where not observed."""
    by_name = {label.name: label for label in labels}
    return [_observed(label, by_name).cast(pl.Float32).alias(label.name) for label in labels]


def violation_expressions(labels: Sequence[LabelSpec]) -> list[pl.Expr]:
    """Return one expression per label that counts the rows whose label is not of its kind."""
    return [_violates(label).sum().alias(label.name) for label in labels]


def refuse_violations(labels: Sequence[LabelSpec], counts: Mapping[str, int]) -> None:
    """Raise a DataError that names the first label with values outside its kind."""
    for label in labels:
        if counts[label.name]:
            raise DataError(
                f"tasks.{label.name}: {counts[label.name]} rows of the column {label.column!r} "
                f"are not {_RULES[label.kind]}, as kind = {label.kind!r} demands.",
                hint="Clean the column, choose another kind, or limit the task with observed_when.",
            )


_RULES = {
    "binary": "0, 1 or missing",
    "regression": "finite numbers",
    "duration": "finite numbers >= 0",
    "count": "whole numbers >= 0",
}


def _number(label: LabelSpec) -> pl.Expr:
    return pl.col(label.column).cast(pl.Float64).fill_nan(None)


def _violates(label: LabelSpec) -> pl.Expr:
    value = _number(label)
    match label.kind:
        case "binary":
            return (value != 0) & (value != 1)
        case "regression":
            return value.is_infinite()
        case "duration":
            return value.is_infinite() | (value < 0)
        case "count":
            return value.is_infinite() | (value < 0) | (value != value.floor())


def _observed(label: LabelSpec, by_name: Mapping[str, LabelSpec]) -> pl.Expr:
    value = _number(label) * label.scale
    if label.clip is not None:
        value = value.clip(upper_bound=label.clip)
    if label.observed_when is None:
        return value
    if label.observed_when in by_name:
        condition = _happened(by_name[label.observed_when], by_name, {label.name})
    else:
        place = f"tasks.{label.name}.observed_when"
        condition = parse_condition(label.observed_when, place=place)
    return pl.when(condition).then(value)


def _happened(label: LabelSpec, by_name: Mapping[str, LabelSpec], seen: set[str]) -> pl.Expr:
    if label.name in seen:
        raise ConfigError(
            f"tasks.{label.name}.observed_when leads back to itself.",
            hint="Sample spaces must not form a circle.",
        )
    happened = _number(label) == 1
    if label.observed_when in by_name:
        upper = by_name[label.observed_when or ""]
        happened &= _happened(upper, by_name, {*seen, label.name})
    return happened
