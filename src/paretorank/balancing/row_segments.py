"""Rows that the log tells apart: those of one value of a categorical feature.

Shapes: B rows, F categorical columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from paretorank.data.encoder import Buckets, Encoder
from paretorank.data.vocabulary import MISSING, UNKNOWN, Vocabulary
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.schema import CategoricalFeature, FeatureConfig

MOST_SEGMENTS = 20  # beyond it nobody reads them; the rest counts as one
_REMEDY = "Declare a categorical one under [features]."
_RESERVED = {MISSING: "missing", UNKNOWN: "rare or unknown"}


@dataclass(frozen=True)
class RowSegments:
    """The values of a feature, and where rows hold their codes."""

    feature: str
    column: int
    """Place among the categorical columns of a batch."""
    vocabulary: Vocabulary | Buckets

    def codes(self, codes: Int[Tensor, "B F"]) -> Int[Tensor, " B"]:
        """Return the code of each row's segment."""
        return codes[:, self.column]

    def masks(self, codes: Int[Tensor, " B"]) -> Mapping[str, Bool[Tensor, " B"]]:
        """Return the rows of the largest segments by name, largest first, and of all others."""
        found, counts = torch.unique(codes, return_counts=True)
        largest = found[counts.argsort(descending=True, stable=True)[:MOST_SEGMENTS]]
        masks = {self._name(int(code)): codes == code for code in largest}
        if len(found) > MOST_SEGMENTS:
            masks[f"{self.feature} (others)"] = ~torch.isin(codes, largest)
        return masks

    def _name(self, code: int) -> str:
        if code in _RESERVED:
            return f"{self.feature} ({_RESERVED[code]})"
        if isinstance(self.vocabulary, Buckets):
            return f"{self.feature} (bucket {code})"
        return f"{self.feature}={self.vocabulary.values[code - len(_RESERVED)]}"


def find_segments(feature: str, encoder: Encoder) -> RowSegments:
    """Return the segments of a categorical feature, as rows were encoded."""
    columns = encoder.layout.categorical
    column = [each.feature for each in columns].index(feature)
    return RowSegments(feature, column, encoder.vocabularies[columns[column].table])


def refuse_unknown_segment(feature: str, features: Mapping[str, FeatureConfig]) -> None:
    """Refuse what does not put every row into one segment.

    Raises:
        ConfigError: it is no feature, or not a categorical one with one value per row.
    """
    known = [
        name
        for name, each in features.items()
        if isinstance(each, CategoricalFeature) and not each.multi
    ]
    if feature not in known:
        hint = did_you_mean(feature, known) if known else _REMEDY
        raise ConfigError(
            f"`balancer.segment` must name a categorical feature with one value per row, got "
            f"{feature!r}, which is {_what(features.get(feature))}.",
            hint=hint,
        )


def _what(feature: FeatureConfig | None) -> str:
    match feature:
        case None:
            return "none"
        case CategoricalFeature():
            return "a feature of several values"
        case other:
            return f"a feature of kind {other.kind!r}"
