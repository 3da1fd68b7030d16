"""What is predicted, and how the tasks depend on each other."""

from paretorank.tasks.base import Task
from paretorank.tasks.binary import BinaryTask, DelayConfig, RankingConfig
from paretorank.tasks.graph import TaskGraph
from paretorank.tasks.heads import HeadGroup, Heads
from paretorank.tasks.ranking import refuse_dropped_losses, refuse_scattered_requests
from paretorank.tasks.reads import refuse_unknown_durations
from paretorank.tasks.task import (
    CountTask,
    DurationTask,
    OrdinalTask,
    RegressionTask,
    TaskConfig,
)

__all__ = [
    "BinaryTask",
    "CountTask",
    "DelayConfig",
    "DurationTask",
    "HeadGroup",
    "Heads",
    "OrdinalTask",
    "RankingConfig",
    "RegressionTask",
    "Task",
    "TaskConfig",
    "TaskGraph",
    "refuse_dropped_losses",
    "refuse_scattered_requests",
    "refuse_unknown_durations",
]
