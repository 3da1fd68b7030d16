"""What is predicted, and how the tasks depend on each other."""

from paretorank.tasks.graph import TaskGraph
from paretorank.tasks.heads import HeadGroup, Heads
from paretorank.tasks.ranking import refuse_ranking_of_joint_events, refuse_scattered_requests
from paretorank.tasks.reads import refuse_unknown_durations
from paretorank.tasks.task import (
    BinaryTask,
    CountTask,
    DurationTask,
    OrdinalTask,
    RankingConfig,
    RegressionTask,
    Task,
    TaskConfig,
)

__all__ = [
    "BinaryTask",
    "CountTask",
    "DurationTask",
    "HeadGroup",
    "Heads",
    "OrdinalTask",
    "RankingConfig",
    "RegressionTask",
    "Task",
    "TaskConfig",
    "TaskGraph",
    "refuse_ranking_of_joint_events",
    "refuse_scattered_requests",
    "refuse_unknown_durations",
]
