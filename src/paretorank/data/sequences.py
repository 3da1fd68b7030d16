"""Which feature of the row a sequence is compared with."""

from collections.abc import Mapping

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.schema import CategoricalFeature, FeatureConfig, SequenceFeature


def check_sequences(features: Mapping[str, FeatureConfig]) -> None:
    """Refuse what no sequence can be compared with.

    Raises:
        ConfigError: target attention without a categorical feature of the same table, or a key of
            target attention where the pooling is another one.
    """
    for name, feature in features.items():
        if isinstance(feature, SequenceFeature):
            _check_sequence(name, feature, features)


def sequence_target(
    name: str, feature: SequenceFeature, features: Mapping[str, FeatureConfig]
) -> str | None:
    """Return the feature that a sequence is compared with, after `check_sequences`."""
    if feature.pooling != "target_attention":
        return None
    candidates = _candidates(name, feature, features)
    return feature.target or (feature.table if feature.table in candidates else candidates[0])


def _check_sequence(
    name: str, feature: SequenceFeature, features: Mapping[str, FeatureConfig]
) -> None:
    if feature.pooling != "target_attention":
        if feature.target is not None or feature.normalize_attention:
            key = "target" if feature.target is not None else "normalize_attention"
            raise ConfigError(
                f"features.{name}.{key} is set, but its pooling is {feature.pooling!r}.",
                hint=f'Set pooling = "target_attention", or remove {key}.',
            )
        return
    candidates = _candidates(name, feature, features)
    if not candidates:
        raise ConfigError(
            f"features.{name}: target attention compares the ids with the row's own, but no "
            "categorical feature shares their table.",
            hint='Name the feature of the row\'s own id: table = "item_id".',
        )
    if feature.target is not None and feature.target not in candidates:
        raise ConfigError(
            f"features.{name}.target is {feature.target!r}, which is no categorical feature of the "
            "same table.",
            hint=did_you_mean(feature.target, candidates),
        )


def _candidates(
    name: str, feature: SequenceFeature, features: Mapping[str, FeatureConfig]
) -> list[str]:
    """Return the categorical features, one value per row, whose table a sequence shares."""
    table = feature.table or name
    return [
        other
        for other, candidate in features.items()
        if isinstance(candidate, CategoricalFeature)
        if not candidate.multi and (candidate.table or other) == table
    ]
