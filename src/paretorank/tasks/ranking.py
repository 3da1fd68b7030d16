"""Ranking losses need the rows of a request together."""

from collections.abc import Mapping

from paretorank.foundation.errors import ConfigError
from paretorank.tasks.task import BinaryTask, TaskConfig


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
