"""Which task can only happen after which other ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.tasks.binary import BinaryTask
from paretorank.tasks.task import TaskConfig


@dataclass(frozen=True)
class TaskGraph:
    """Tasks and their parents, without a cycle; `names` has the order of every task axis."""

    names: tuple[str, ...]
    parents: tuple[tuple[int, ...], ...]
    """Indices of each task's parents, all of which must happen before it."""

    @staticmethod
    def from_tasks(tasks: Mapping[str, TaskConfig]) -> "TaskGraph":
        """Build the graph in the order of declaration.

        Raises:
            ConfigError: There is no task, or a parent is unknown, named twice, not binary, or its
                own ancestor.
        """
        if not tasks:
            raise ConfigError("There is no task.", hint="Add a section such as [tasks.click].")
        for name, task in tasks.items():
            _check_parents(name, task, tasks)
        _check_cycles(tasks)
        names = tuple(tasks)
        places = {name: place for place, name in enumerate(names)}
        parents = (tuple(places[name] for name in task.parents) for task in tasks.values())
        return TaskGraph(names, tuple(parents))

    @property
    def n_tasks(self) -> int:
        """The length of the task axis."""
        return len(self.names)

    def ancestors(self, task: int) -> tuple[int, ...]:
        """Return what must happen before `task`, the nearest first."""
        found: dict[int, None] = dict.fromkeys(self.parents[task])
        nearest = list(found)
        while nearest:
            above = [far for near in nearest for far in self.parents[near]]
            nearest = [far for far in dict.fromkeys(above) if far not in found]
            found.update(dict.fromkeys(nearest))
        return tuple(found)

    def topological_order(self) -> tuple[int, ...]:
        """Return all tasks, parents before children, otherwise in the order of declaration."""
        return tuple(sorted(range(self.n_tasks), key=lambda task: len(self.ancestors(task))))


def _check_parents(name: str, task: TaskConfig, tasks: Mapping[str, TaskConfig]) -> None:
    place = f"`tasks.{name}.parent`"
    for above in task.parents:
        if above not in tasks:
            raise ConfigError(
                f"{place} must be a task, got {above!r}.", hint=did_you_mean(above, tasks)
            )
        if not isinstance(tasks[above], BinaryTask):
            raise ConfigError(
                f"{place} must be a binary task, got {above!r} of kind {tasks[above].kind!r}.",
                hint="Only something that happens or not can be a condition.",
            )
    if len(set(task.parents)) < len(task.parents):
        raise ConfigError(
            f"{place} must name every task once, got {list(task.parents)}.",
            hint="Remove the repetition.",
        )


def _check_cycles(tasks: Mapping[str, TaskConfig]) -> None:
    """Refuse the first task that is its own ancestor; all parents must exist."""
    finished: set[str] = set()
    for start in tasks:
        chain, waiting = [start], [list(tasks[start].parents)]
        while chain:
            if not waiting[-1]:
                finished.add(chain.pop())
                waiting.pop()
                continue
            above = waiting[-1].pop(0)
            if above in chain:
                cycle = " -> ".join([*chain[chain.index(above) :], above])
                raise ConfigError(
                    f"`tasks.{chain[-1]}.parent` must not lead back to itself, got {cycle}.",
                    hint="Remove one of these parents; a task that depends on no other has none.",
                )
            if above not in finished:
                chain.append(above)
                waiting.append(list(tasks[above].parents))
