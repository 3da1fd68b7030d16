"""Which metrics a task gets, and how a metric is found by its name."""

from typing import Final

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.metrics.auc import AUC
from paretorank.metrics.base import Metric
from paretorank.metrics.ece import ExpectedCalibrationError
from paretorank.metrics.ece_equal_mass import EqualMassCalibrationError
from paretorank.metrics.gauc import GroupedAUC
from paretorank.metrics.log_loss import LogLoss
from paretorank.metrics.mae import MeanAbsoluteError
from paretorank.metrics.normalized_entropy import NormalizedEntropy
from paretorank.metrics.pcoc import PredictedOverObserved
from paretorank.metrics.rmse import RootMeanSquaredError
from paretorank.metrics.xauc import XAUC
from paretorank.schema import LabelKind

METRICS_BY_KIND: Final[dict[LabelKind, tuple[type[Metric], ...]]] = {
    "binary": (
        AUC,
        GroupedAUC,
        LogLoss,
        NormalizedEntropy,
        PredictedOverObserved,
        ExpectedCalibrationError,
    ),
    "regression": (MeanAbsoluteError, RootMeanSquaredError, XAUC, PredictedOverObserved),
    "duration": (XAUC, MeanAbsoluteError, RootMeanSquaredError, PredictedOverObserved),
    "count": (XAUC, MeanAbsoluteError, RootMeanSquaredError, PredictedOverObserved),
    "ordinal": (XAUC, MeanAbsoluteError, RootMeanSquaredError, PredictedOverObserved),
}
"""The metrics of each kind of label; the first one is the primary metric."""

_ALL: Final[tuple[type[Metric], ...]] = (
    *METRICS_BY_KIND["binary"],
    *METRICS_BY_KIND["regression"],
    EqualMassCalibrationError,
)

METRICS: Final[dict[str, type[Metric]]] = {metric.name: metric for metric in _ALL}
"""All metrics by name."""


def metrics_of(kind: LabelKind, *, of_means: bool = True) -> tuple[type[Metric], ...]:
    """Return the metrics of a task.

    Args:
        kind: of its label.
        of_means: whether its scores estimate means; where not, sums of scores mean nothing.
    """
    found = METRICS_BY_KIND[kind]
    return found if of_means else tuple(m for m in found if m is not PredictedOverObserved)


def primary_metric(kind: LabelKind) -> type[Metric]:
    """Return the metric that speaks for a task when one number has to."""
    return METRICS_BY_KIND[kind][0]


def metric_by_name(name: str) -> type[Metric]:
    """Return the metric that tables call by this name.

    Raises:
        ConfigError: there is no such metric.
    """
    if name not in METRICS:
        raise ConfigError(
            f"A metric must be one that exists, got {name!r}.", hint=did_you_mean(name, METRICS)
        )
    return METRICS[name]
