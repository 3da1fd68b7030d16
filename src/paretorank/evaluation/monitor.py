"""The one number that early stopping watches."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from paretorank.evaluation.multitask_gain import relative_gain
from paretorank.evaluation.result import EvaluationResult
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.metrics import Metric, metrics_of, primary_metric
from paretorank.schema import LabelSpec

MEAN_GAIN: Final = "mean_gain"
"""Watch the mean relative gain of all tasks since the first validation."""
PLACE: Final = "training.early_stopping.monitor"
"""The key that names it."""


class Monitor:
    """Turns an evaluation into a number that is higher for a better model.

    What to watch is one metric of one task ("click.auc"), a weighted set of them, or "mean_gain":
    each task's primary metric relative to the first evaluation seen. The only state is that first
    evaluation, see `state`.

    Raises:
        ConfigError: a task or metric does not exist, or a weight is not positive.
    """

    def __init__(self, watch: str | Mapping[str, float], labels: Sequence[LabelSpec]) -> None:
        self._labels = tuple(labels)
        self._reference: dict[str, float] = {}
        self._weights: dict[str, float] = {}
        if watch == MEAN_GAIN:
            return
        self._weights = {watch: 1.0} if isinstance(watch, str) else dict(watch)
        if not self._weights:
            raise ConfigError(
                f"{PLACE} must name a metric at least, got none.",
                hint=f'Name one, such as "{self._allowed()[0]}", or use "{MEAN_GAIN}".',
            )
        for name, weight in self._weights.items():
            self._metric(name)
            if not (weight > 0.0 and math.isfinite(weight)):
                raise ConfigError(
                    f"{PLACE}: a weight must be above 0, got {weight} ({name}).",
                    hint="Directions are known: errors count negatively on their own.",
                )

    def score(self, result: EvaluationResult) -> float:
        """Return the watched number, higher is better; NaN where a watched metric is undefined.

        The mean gain leaves undefined metrics out and is 0 for the first evaluation.

        Raises:
            ValueError: the result lacks a watched task.
        """
        if not self._weights:
            return self._mean_gain(result)
        total = 0.0
        for name, weight in self._weights.items():
            task, _ = name.rsplit(".", 1)
            metric = self._metric(name)
            total += weight * metric.goodness(result.value(task, metric.name))
        return total

    def state(self) -> dict[str, float]:
        """Return what must survive a restart: the reference of the mean gain, by task."""
        return dict(self._reference)

    def restore(self, state: Mapping[str, float]) -> None:
        """Take over what `state` returned."""
        self._reference = dict(state)

    def _mean_gain(self, result: EvaluationResult) -> float:
        """Return the mean over tasks, and remember the first evaluation that has any value."""
        values = {
            label.name: result.value(label.name, primary_metric(label.kind).name)
            for label in self._labels
        }
        if not self._reference:
            self._reference = {
                task: value for task, value in values.items() if not math.isnan(value)
            }
        gains = [
            relative_gain(
                values[label.name],
                self._reference.get(label.name, math.nan),
                higher_is_better=primary_metric(label.kind).higher_is_better,
            )
            for label in self._labels
        ]
        defined = [gain for gain in gains if math.isfinite(gain)]
        return math.fsum(defined) / len(defined) if defined else math.nan

    def _metric(self, name: str) -> type[Metric]:
        """Return the metric that a name such as "click.auc" means."""
        task, _, metric_name = name.rpartition(".")
        for label in self._labels:
            for metric in metrics_of(label.kind, of_means=label.scores_mean):
                if (label.name, metric.name) == (task, metric_name):
                    return metric
        raise ConfigError(
            f"{PLACE} must name a metric of a task, got {name!r}.",
            hint=did_you_mean(name, self._allowed()),
        )

    def _allowed(self) -> list[str]:
        """Return everything that can be watched."""
        named = [
            f"{label.name}.{metric.name}"
            for label in self._labels
            for metric in metrics_of(label.kind, of_means=label.scores_mean)
        ]
        return [*named, MEAN_GAIN]
