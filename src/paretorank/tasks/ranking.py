"""What ranking losses need: the rows of a request together, and a loss to stand in."""

from collections.abc import Mapping

from paretorank.foundation.errors import ConfigError
from paretorank.tasks.binary import BinaryTask
from paretorank.tasks.task import TaskConfig


def refuse_scattered_requests(tasks: Mapping[str, TaskConfig], shuffle: str) -> None:
    """Refuse ranking losses on batches of single rows, which hold hardly any pair.

    Args:
        tasks: all tasks.
        shuffle: how rows come into batches, as training.loader.shuffle says.

    Raises:
        ConfigError: a task has a ranking loss, and rows are shuffled one by one.
    """
    if shuffle == "requests":
        return
    for name, task in tasks.items():
        if isinstance(task, BinaryTask) and task.ranking is not None:
            raise ConfigError(
                f"`tasks.{name}.ranking` compares rows of one request, but "
                f"training.loader.shuffle = {shuffle!r} scatters them over the batches.",
                hint='Set training.loader.shuffle = "requests", or remove `ranking`.',
            )


def refuse_dropped_losses(tasks: Mapping[str, TaskConfig], relation: str) -> None:
    """Refuse ranking losses and delays of tasks whose own loss a relation replaces.

    Args:
        tasks: all tasks.
        relation: the kind of the relation, which replaces the losses of tasks with parents.

    Raises:
        ConfigError: such a task has one, which would be dropped.
    """
    for name, task in tasks.items():
        if not (isinstance(task, BinaryTask) and task.parents):
            continue
        own = {"ranking": task.ranking, "delayed_feedback": task.delayed_feedback}
        for key in (key for key, value in own.items() if value is not None):
            raise ConfigError(
                f"`tasks.{name}.{key}` would have no effect: the relation {relation!r} learns "
                f"{name!r} together with its parents, with another loss.",
                hint=f"Remove `{key}` of this task, or choose another model.relations.",
            )
