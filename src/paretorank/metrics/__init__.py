"""Numbers about how well scores fit labels: pure NumPy, streaming, mergeable."""

from paretorank.metrics.auc import AUC, RankedPairs, weighted_auc
from paretorank.metrics.auc_influence import auc_influence
from paretorank.metrics.base import Metric
from paretorank.metrics.catalog import METRICS, METRICS_BY_KIND, metric_by_name, primary_metric
from paretorank.metrics.ece import ExpectedCalibrationError
from paretorank.metrics.ece_equal_mass import EqualMassCalibrationError
from paretorank.metrics.gauc import GroupedAUC, UserAUC, UserWeighting, auc_per_user
from paretorank.metrics.log_loss import LogLoss
from paretorank.metrics.mae import MeanAbsoluteError
from paretorank.metrics.normalized_entropy import NormalizedEntropy
from paretorank.metrics.pcoc import PredictedOverObserved
from paretorank.metrics.rmse import RootMeanSquaredError
from paretorank.metrics.rows import Rows, observed_rows
from paretorank.metrics.sums import SumMetric
from paretorank.metrics.xauc import XAUC, PairCounts, count_pairs

__all__ = [
    "AUC",
    "METRICS",
    "METRICS_BY_KIND",
    "XAUC",
    "EqualMassCalibrationError",
    "ExpectedCalibrationError",
    "GroupedAUC",
    "LogLoss",
    "MeanAbsoluteError",
    "Metric",
    "NormalizedEntropy",
    "PairCounts",
    "PredictedOverObserved",
    "RankedPairs",
    "RootMeanSquaredError",
    "Rows",
    "SumMetric",
    "UserAUC",
    "UserWeighting",
    "auc_influence",
    "auc_per_user",
    "count_pairs",
    "metric_by_name",
    "observed_rows",
    "primary_metric",
    "weighted_auc",
]
