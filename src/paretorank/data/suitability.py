"""Whether the columns of a log can be what the configuration says they are."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from paretorank.foundation.errors import DataError
from paretorank.schema import (
    CategoricalFeature,
    DataConfig,
    FeatureConfig,
    HistoryFeature,
    NumericFeature,
    StatisticConfig,
)

_TEXT = (pl.String, pl.Categorical, pl.Enum)
_NAMELESS = (pl.Binary, pl.Duration, pl.Object)
"""Types whose values cannot be written down and compared as text."""
_UNCOUNTED = (pl.Binary, pl.Object)


@dataclass(frozen=True)
class _Rule:
    """What is taken from a column, and what to do about a column that does not have it."""

    takes: str
    hint: str


_ONE_VALUE = _Rule(
    "takes one value per row",
    'Use kind = "categorical" with multi = true, "sequence" or "vector".',
)
_NUMBERS = _Rule("takes numbers", 'Convert the column to numbers, or use kind = "categorical".')
_NAMES = _Rule("takes values that can be compared", "Convert the column to numbers or text.")
_LISTS = _Rule("takes lists of numbers or text", "Convert the column to lists, or to text.")
_ONE_NAME = _Rule("takes one value per row", "Name a column of numbers or text.")
_DIGITS = _Rule("takes numbers", "Convert the column to numbers.")


def refuse_unsuited(features: Mapping[str, FeatureConfig], frame: pl.LazyFrame) -> None:
    """Raise a DataError where a feature stands on a column that cannot be of its kind."""
    schema = frame.collect_schema()
    for name, feature in features.items():
        column = feature.column or name
        rule = _broken_rule(feature, schema, column)
        _refuse(rule, f"features.{name}", column, schema, what=f"a {feature.kind} feature")
        if isinstance(feature, HistoryFeature):
            for own in (feature.item, *feature.match):
                rule = _broken_key(schema, own) if own in schema else None
                _refuse(rule, f"features.{name}", own, schema, what="the item of a history")


def refuse_unsuited_keys(
    data: DataConfig, statistics: Mapping[str, StatisticConfig], frame: pl.LazyFrame
) -> None:
    """Raise a DataError where a key, an entity or the weight cannot be one; absent ones pass."""
    schema = frame.collect_schema()
    roles = {role: getattr(data.keys, role) for role in ("user", "item", "request")}
    keys = [(f"data.keys.{role}", column) for role, column in roles.items() if column]
    keys += [(f"statistics.{name}.of", one) for name, stat in statistics.items() for one in stat.of]
    for place, column in keys:
        if column in schema:
            _refuse(_broken_key(schema, column), place, column, schema, what="a key")
    if data.weight is not None and data.weight in schema:
        dtype = schema[data.weight]
        is_number = dtype.is_numeric() or dtype in {pl.Boolean, pl.Null}
        _refuse(None if is_number else _DIGITS, "data.weight", data.weight, schema, what="it")


def _broken_rule(feature: FeatureConfig, schema: Mapping[str, Any], column: str) -> _Rule | None:
    dtype = schema[column]
    match feature:
        case NumericFeature() | CategoricalFeature(multi=False) if dtype.is_nested():
            return _ONE_VALUE
        case NumericFeature():
            return _NUMBERS if dtype in _TEXT else _DIGITS if dtype in _UNCOUNTED else None
        case CategoricalFeature(multi=False):
            return _NAMES if dtype in _NAMELESS else None
        case _:
            inner = dtype.inner if isinstance(dtype, pl.List | pl.Array) else dtype
            wrong = inner.is_nested() or inner in _NAMELESS
            return _LISTS if wrong else None


def _broken_key(schema: Mapping[str, Any], column: str) -> _Rule | None:
    dtype = schema[column]
    return _ONE_NAME if dtype.is_nested() or dtype in _NAMELESS else None


def _refuse(
    rule: _Rule | None, place: str, column: str, schema: Mapping[str, Any], *, what: str
) -> None:
    if rule is None:
        return
    dtype = schema[column]
    kind = f"text ({dtype})" if dtype in _TEXT else str(dtype)
    raise DataError(
        f"{place}: the column {column!r} is {kind}, but {what} {rule.takes}.", hint=rule.hint
    )
