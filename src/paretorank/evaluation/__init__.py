"""Scored rows in, one tidy table out."""

from paretorank.evaluation.evaluate import evaluate_rows
from paretorank.evaluation.intervals import Interval, bootstrap_intervals
from paretorank.evaluation.list_bounds import Bound, parse_bound
from paretorank.evaluation.list_metrics import VALUE, ListMeasure, ListMetric, parse_list_metric
from paretorank.evaluation.monitor import MEAN_GAIN, Monitor
from paretorank.evaluation.multitask_gain import multitask_gain, relative_gain
from paretorank.evaluation.paired_lists import PairedLists
from paretorank.evaluation.result import EVERYTHING, EvaluationResult
from paretorank.evaluation.rows import ScoredRows
from paretorank.evaluation.views import View, views_of

__all__ = [
    "EVERYTHING",
    "MEAN_GAIN",
    "VALUE",
    "Bound",
    "EvaluationResult",
    "Interval",
    "ListMeasure",
    "ListMetric",
    "Monitor",
    "PairedLists",
    "ScoredRows",
    "View",
    "bootstrap_intervals",
    "evaluate_rows",
    "multitask_gain",
    "parse_bound",
    "parse_list_metric",
    "relative_gain",
    "views_of",
]
