"""Single-task twins: the same data, inputs and settings, with one task alone."""

from paretorank.architectures import (
    CrossStitchConfig,
    HoMEConfig,
    PEPNetConfig,
    SharedBottomConfig,
)
from paretorank.balancing import EqualConfig
from paretorank.config import RunConfig
from paretorank.schema import StatisticConfig


def twin_config(config: RunConfig, task: str) -> RunConfig:
    """Return the configuration of one task's twin.

    A single task has nobody to share with and nothing to balance, so the architecture is the
    bottom alone, as wide as the experts of the multi-task run. It keeps its rows: a sample space
    that names another task becomes a condition on that task's column.
    """
    model = config.model.model_copy(update={"architecture": _bottom(config), "preference": None})
    space = {"parent": None, "observed_when": _condition(config, config.tasks[task].observed_when)}
    alone = config.tasks[task].model_copy(update=space)
    early = config.training.early_stopping.model_copy(update={"monitor": "mean_gain"})
    training = config.training.model_copy(update={"early_stopping": early})
    changes = {
        "tasks": {task: alone},
        "statistics": {name: _counting(task, s) for name, s in config.statistics.items()},
        "model": model,
        "balancer": EqualConfig(),
        "training": training,
    }
    return config.model_copy(update=changes).at(config.path)


def _bottom(config: RunConfig) -> SharedBottomConfig:
    architecture = config.model.architecture
    if isinstance(architecture, SharedBottomConfig):
        return architecture
    if isinstance(architecture, PEPNetConfig | CrossStitchConfig):
        hidden_dims = architecture.hidden_dims
    else:
        hidden_dims = architecture.expert_dims
    return SharedBottomConfig(
        hidden_dims=hidden_dims,
        activation="silu" if isinstance(architecture, HoMEConfig) else architecture.activation,
        dropout_rate=architecture.dropout_rate,
    )


def _condition(config: RunConfig, space: str | None) -> str | None:
    if space not in config.tasks:
        return space
    other = config.tasks[space]
    upper = _condition(config, other.observed_when)
    return f"{other.label} == 1" + (f" and ({upper})" if upper else "")


def _counting(task: str, statistic: StatisticConfig) -> StatisticConfig:
    """Return a statistic that names no other task; the fitted encoder still holds them all."""
    names = None if statistic.tasks is None else tuple({task} & set(statistic.tasks))
    return statistic.model_copy(update={"tasks": names})
