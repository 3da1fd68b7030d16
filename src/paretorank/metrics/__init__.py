"""Numbers about how well scores fit labels: pure NumPy, streaming, mergeable."""

from paretorank.metrics.auc import AUC, RankedPairs, weighted_auc
from paretorank.metrics.auc_influence import auc_influence
from paretorank.metrics.base import Metric
from paretorank.metrics.catalog import (
    METRICS,
    METRICS_BY_KIND,
    metric_by_name,
    metrics_of,
    primary_metric,
)
from paretorank.metrics.ece import ExpectedCalibrationError
from paretorank.metrics.ece_equal_mass import EqualMassCalibrationError
from paretorank.metrics.gauc import GroupedAUC, UserAUC, UserWeighting, auc_per_user
from paretorank.metrics.log_loss import LogLoss
from paretorank.metrics.mae import MeanAbsoluteError
from paretorank.metrics.normalized_entropy import NormalizedEntropy
from paretorank.metrics.pcoc import PredictedOverObserved
from paretorank.metrics.ranked_lists import (
    Discount,
    ListTerms,
    RankedLists,
    Ranking,
    logarithmic,
    top,
)
from paretorank.metrics.request_lists import RequestLists, Standing
from paretorank.metrics.rmse import RootMeanSquaredError
from paretorank.metrics.rows import Rows, observed_rows
from paretorank.metrics.sums import SumMetric
from paretorank.metrics.xauc import XAUC, PairCounts, count_pairs

__all__ = [
    "AUC",
    "METRICS",
    "METRICS_BY_KIND",
    "XAUC",
    "Discount",
    "EqualMassCalibrationError",
    "ExpectedCalibrationError",
    "GroupedAUC",
    "ListTerms",
    "LogLoss",
    "MeanAbsoluteError",
    "Metric",
    "NormalizedEntropy",
    "PairCounts",
    "PredictedOverObserved",
    "RankedLists",
    "RankedPairs",
    "Ranking",
    "RequestLists",
    "RootMeanSquaredError",
    "Rows",
    "Standing",
    "SumMetric",
    "UserAUC",
    "UserWeighting",
    "auc_influence",
    "auc_per_user",
    "count_pairs",
    "logarithmic",
    "metric_by_name",
    "metrics_of",
    "observed_rows",
    "primary_metric",
    "top",
    "weighted_auc",
]
