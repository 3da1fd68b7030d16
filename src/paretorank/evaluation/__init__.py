"""Scored rows in, one tidy table out."""

from paretorank.evaluation.evaluate import evaluate_rows
from paretorank.evaluation.intervals import Interval, bootstrap_intervals
from paretorank.evaluation.monitor import MEAN_GAIN, Monitor
from paretorank.evaluation.multitask_gain import multitask_gain, relative_gain
from paretorank.evaluation.result import EVERYTHING, EvaluationResult
from paretorank.evaluation.rows import ScoredRows
from paretorank.evaluation.views import View, views_of

__all__ = [
    "EVERYTHING",
    "MEAN_GAIN",
    "EvaluationResult",
    "Interval",
    "Monitor",
    "ScoredRows",
    "View",
    "bootstrap_intervals",
    "evaluate_rows",
    "multitask_gain",
    "relative_gain",
    "views_of",
]
