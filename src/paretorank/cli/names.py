"""Names of tasks and metrics, checked before torch is imported and before any row is read.

What these checks let through is checked again where it is used: a run whose configuration cannot
be read, or a configuration that is changed by --set, says nothing here.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean

if TYPE_CHECKING:
    from paretorank.metrics import Metric

IMPRESSIONS = "@impressions"
"""Ends the name of a metric on all impressions instead of the task's own rows."""


def task_kinds(paths: Sequence[Path]) -> dict[str, str]:
    """Return the kinds of all tasks of runs, of runs inside folders, or of TOML files; by name.

    It is empty if one of them cannot be read.
    """
    found: dict[str, str] = {}
    for path in paths:
        files = [path] if path.suffix == ".toml" else [path / "config.toml"]
        if not files[0].exists():
            files = sorted(path.glob("*/config.toml"))
        tasks = [_tasks(file) for file in files]
        if not tasks or not all(tasks):
            return {}
        for of_file in tasks:
            found |= of_file
    return found


def _tasks(file: Path) -> dict[str, str]:
    try:
        content: Any = tomllib.loads(file.read_text(encoding="utf-8"))
        return {str(name): str(task["kind"]) for name, task in content["tasks"].items()}
    except (OSError, ValueError, LookupError, AttributeError, TypeError, RecursionError):
        return {}  # whoever reads it in earnest will say what is wrong


def check_tasks(option: str, names: Iterable[str], kinds: Mapping[str, str]) -> None:
    """Refuse names that are no tasks.

    Raises:
        ConfigError: there is no such task.
    """
    for name in names:
        if kinds and name not in kinds:
            raise ConfigError(
                f"{option} must name a task, got {name!r}.", hint=did_you_mean(name, kinds)
            )


def check_metrics(
    option: str, names: Iterable[str], kinds: Mapping[str, str], *, with_direction: bool = False
) -> None:
    """Refuse names that are no metrics of tasks.

    Args:
        option: where they were given, for messages.
        names: such as "click.auc" or, without `with_direction`, "like.auc@impressions".
        kinds: of the tasks; nothing is known of them if it is empty.
        with_direction: whether more, or less, must always be better.

    Raises:
        ConfigError: there is no such metric of such a task.
    """
    given = list(names)
    if not kinds or not given:
        return
    known = [
        f"{task}.{metric.name}"
        for task, kind in kinds.items()
        for metric in _metrics_of(kind)
        if metric.higher_is_better or metric.best == 0.0 or not with_direction
    ]
    for name in given:
        bare = name if with_direction else name.removesuffix(IMPRESSIONS)
        if bare not in known:
            raise ConfigError(
                f"{option} must name a metric of a task"
                f"{' that has a direction' if with_direction else ''}, got {name!r}.",
                hint=did_you_mean(bare, known),
            )


def main_metrics(kinds: Mapping[str, str]) -> list[str]:
    """Return the main metric of every task."""
    return [f"{task}.{metric.name}" for task in kinds for metric in _metrics_of(kinds[task])[:1]]


def _metrics_of(kind: str) -> "tuple[type[Metric], ...]":
    from paretorank.metrics import METRICS_BY_KIND  # imports scipy; `--help` must not

    return {str(known): metrics for known, metrics in METRICS_BY_KIND.items()}.get(kind, ())


def check_objectives(option: str, names: Iterable[str], objectives: Sequence[str]) -> None:
    """Refuse names that are not among the objectives of a front.

    Raises:
        ConfigError: one is not.
    """
    for name in names:
        if objectives and name not in objectives:
            raise ConfigError(
                f"{option} must name objectives, got {name!r}.", hint=did_you_mean(name, objectives)
            )
