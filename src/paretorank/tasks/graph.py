"""Which task can only happen after which other one."""

from collections.abc import Mapping
from dataclasses import dataclass

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.tasks.task import BinaryTask, TaskConfig


@dataclass(frozen=True)
class TaskGraph:
    """A forest over the tasks; the order of `names` is the order of every task axis."""

    names: tuple[str, ...]
    parents: tuple[int | None, ...]
    """Index of each task's parent; None for a task that depends on no other."""

    @staticmethod
    def from_tasks(tasks: Mapping[str, TaskConfig]) -> "TaskGraph":
        """Build the graph in the order of declaration.

        Raises:
            ConfigError: There is no task, or a parent is unknown, not binary, or its own ancestor.
        """
        if not tasks:
            raise ConfigError("There is no task.", hint="Add a section such as [tasks.click].")
        for name, task in tasks.items():
            _check_parent(name, task, tasks)
        names = tuple(tasks)
        parents = (task.parent for task in tasks.values())
        return TaskGraph(names, tuple(None if p is None else names.index(p) for p in parents))

    @property
    def n_tasks(self) -> int:
        """The length of the task axis."""
        return len(self.names)

    def ancestors(self, task: int) -> tuple[int, ...]:
        """Return what must happen before `task`, the nearest first."""
        parent = self.parents[task]
        return () if parent is None else (parent, *self.ancestors(parent))

    def topological_order(self) -> tuple[int, ...]:
        """Return all tasks, parents before children, otherwise in the order of declaration."""
        return tuple(sorted(range(self.n_tasks), key=lambda task: len(self.ancestors(task))))


def _check_parent(name: str, task: TaskConfig, tasks: Mapping[str, TaskConfig]) -> None:
    chain = [name]
    while task.parent is not None:
        if task.parent not in tasks:
            raise ConfigError(
                f"`tasks.{chain[-1]}.parent` must be a task, got {task.parent!r}.",
                hint=did_you_mean(task.parent, tasks),
            )
        chain.append(task.parent)
        if task.parent in chain[:-1]:
            cycle = " -> ".join(chain[chain.index(task.parent) :])
            raise ConfigError(
                f"`tasks.{chain[-2]}.parent` must not lead back to itself, got {cycle}.",
                hint="Remove one of these parents; a task that depends on no other has none.",
            )
        task = tasks[task.parent]
        if not isinstance(task, BinaryTask):
            raise ConfigError(
                f"`tasks.{chain[-2]}.parent` must be a binary task, got {chain[-1]!r} of kind "
                f"{task.kind!r}.",
                hint="Only something that happens or not can be a condition.",
            )
