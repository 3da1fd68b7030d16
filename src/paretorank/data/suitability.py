"""Whether the columns of a log can be what the features say they are."""

from collections.abc import Mapping

import polars as pl

from paretorank.foundation.errors import DataError
from paretorank.schema import CategoricalFeature, FeatureConfig, NumericFeature

_TEXT = (pl.String, pl.Categorical, pl.Enum)


def refuse_unsuited(features: Mapping[str, FeatureConfig], frame: pl.LazyFrame) -> None:
    """Raise a DataError where a feature stands on a column that cannot be of its kind."""
    schema = frame.collect_schema()
    for name, feature in features.items():
        single = isinstance(feature, NumericFeature) or (
            isinstance(feature, CategoricalFeature) and not feature.multi
        )
        dtype = schema[feature.column or name]
        if single and (dtype.is_nested() or dtype == pl.Object):
            raise DataError(
                f"features.{name}: the column {feature.column or name!r} is {dtype}, but a "
                f"{feature.kind} feature takes one value per row.",
                hint='Use kind = "categorical" with multi = true, "sequence" or "vector".',
            )
        if isinstance(feature, NumericFeature) and dtype in _TEXT:
            raise DataError(
                f"features.{name}: the column {feature.column or name!r} is text ({dtype}), but "
                "a numeric feature takes numbers.",
                hint='Convert the column to numbers, or use kind = "categorical".',
            )
