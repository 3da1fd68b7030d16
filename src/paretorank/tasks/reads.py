"""What a loss reads beside its label must be there."""

from collections.abc import Mapping

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.schema import FeatureConfig, NumericFeature
from paretorank.tasks.task import TaskConfig


def refuse_unknown_durations(
    tasks: Mapping[str, TaskConfig], features: Mapping[str, FeatureConfig]
) -> None:
    """Refuse losses that read what is no numeric feature.

    Raises:
        ConfigError: names the task.
    """
    numeric = [name for name, feature in features.items() if isinstance(feature, NumericFeature)]
    for name, task in tasks.items():
        if task.reads is not None and task.reads not in numeric:
            raise ConfigError(
                f"`tasks.{name}.duration_feature` must be a numeric feature, got {task.reads!r}.",
                hint=did_you_mean(task.reads, numeric),
            )
