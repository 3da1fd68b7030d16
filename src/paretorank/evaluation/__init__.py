"""Scored rows in, one tidy table out."""

from paretorank.evaluation.evaluate import evaluate_rows
from paretorank.evaluation.intervals import Interval, bootstrap_intervals
from paretorank.evaluation.monitor import MEAN_GAIN, Monitor
from paretorank.evaluation.multitask_gain import multitask_gain, relative_gain
from paretorank.evaluation.paired import Measured, TaskMetric, measure, task_metrics
from paretorank.evaluation.result import EVERYTHING, EvaluationResult
from paretorank.evaluation.rows import ScoredRows
from paretorank.evaluation.views import View, views_of

__all__ = [
    "EVERYTHING",
    "MEAN_GAIN",
    "EvaluationResult",
    "Interval",
    "Measured",
    "Monitor",
    "ScoredRows",
    "TaskMetric",
    "View",
    "bootstrap_intervals",
    "evaluate_rows",
    "measure",
    "multitask_gain",
    "relative_gain",
    "task_metrics",
    "views_of",
]
