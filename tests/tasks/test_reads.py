"""What a loss reads beside its label must be a numeric feature."""

import pytest

from paretorank.foundation.errors import ConfigError
from paretorank.schema import CategoricalFeature, FeatureConfig, NumericFeature
from paretorank.tasks import DurationTask, TaskConfig, refuse_unknown_durations

FEATURES: dict[str, FeatureConfig] = {"length_s": NumericFeature(), "item": CategoricalFeature()}


def tasks(feature: str) -> dict[str, TaskConfig]:
    return {"watch": DurationTask(label="w", loss="d2q", duration_feature=feature)}


@pytest.mark.parametrize("feature", ["lenght_s", "item"])
def test_what_is_no_numeric_feature_is_refused(feature: str) -> None:
    with pytest.raises(ConfigError, match=r"`tasks.watch.duration_feature` must be") as error:
        refuse_unknown_durations(tasks(feature), FEATURES)
    assert "length_s" in error.value.hint


def test_a_numeric_feature_is_fine_and_so_is_a_loss_that_reads_none() -> None:
    other: dict[str, TaskConfig] = {"stay": DurationTask(label="w", duration_feature="nothing")}
    refuse_unknown_durations(tasks("length_s") | other, FEATURES)
    with pytest.raises(ConfigError, match=r"`tasks.watch"):
        refuse_unknown_durations(tasks("nothing") | other, FEATURES)
