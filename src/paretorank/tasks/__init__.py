"""What is predicted, and how the tasks depend on each other."""

from paretorank.tasks.graph import TaskGraph
from paretorank.tasks.heads import HeadGroup, Heads
from paretorank.tasks.task import (
    BinaryTask,
    CountTask,
    DurationTask,
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
    "RegressionTask",
    "Task",
    "TaskConfig",
    "TaskGraph",
]
