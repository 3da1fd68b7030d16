"""Scored rows in, one tidy table out."""

from paretorank.evaluation.comparison import Comparison, MeanGain, compare_rows
from paretorank.evaluation.correction import Correction, corrected
from paretorank.evaluation.difference import Difference, Estimate, Verdict
from paretorank.evaluation.evaluate import evaluate_rows
from paretorank.evaluation.gate import GateConfig
from paretorank.evaluation.intervals import Interval, bootstrap_intervals
from paretorank.evaluation.list_bounds import Bound, parse_bound
from paretorank.evaluation.list_metrics import VALUE, ListMeasure, ListMetric, parse_list_metric
from paretorank.evaluation.monitor import MEAN_GAIN, Monitor
from paretorank.evaluation.multitask_gain import multitask_gain, relative_gain
from paretorank.evaluation.paired import Measured, TaskMetric, measure, task_metrics
from paretorank.evaluation.paired_lists import PairedLists
from paretorank.evaluation.result import EVERYTHING, EvaluationResult
from paretorank.evaluation.rows import ScoredRows
from paretorank.evaluation.seesaw import Seesaw, in_words, seesaw
from paretorank.evaluation.views import View, views_of

__all__ = [
    "EVERYTHING",
    "MEAN_GAIN",
    "VALUE",
    "Bound",
    "Comparison",
    "Correction",
    "Difference",
    "Estimate",
    "EvaluationResult",
    "GateConfig",
    "Interval",
    "ListMeasure",
    "ListMetric",
    "MeanGain",
    "Measured",
    "Monitor",
    "PairedLists",
    "ScoredRows",
    "Seesaw",
    "TaskMetric",
    "Verdict",
    "View",
    "bootstrap_intervals",
    "compare_rows",
    "corrected",
    "evaluate_rows",
    "in_words",
    "measure",
    "multitask_gain",
    "parse_bound",
    "parse_list_metric",
    "relative_gain",
    "seesaw",
    "task_metrics",
    "views_of",
]
