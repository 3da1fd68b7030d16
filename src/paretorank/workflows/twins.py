"""Single-task twins: the same data, inputs and settings, with one task alone."""

from paretorank.architectures import SharedBottomConfig
from paretorank.balancing import EqualConfig
from paretorank.config import RunConfig


def twin_config(config: RunConfig, task: str) -> RunConfig:
    """Return the configuration of one task's twin.

    A single task has nobody to share with and nothing to balance, so the architecture is the
    bottom alone, as wide as the experts of the multi-task run.
    """
    model = config.model.model_copy(update={"architecture": _bottom(config)})
    alone = config.tasks[task].model_copy(update={"parent": None, "observed_when": None})
    early = config.training.early_stopping.model_copy(update={"monitor": "mean_gain"})
    training = config.training.model_copy(update={"early_stopping": early})
    changes = {
        "tasks": {task: alone},
        "model": model,
        "balancer": EqualConfig(),
        "training": training,
    }
    return config.model_copy(update=changes).at(config.path)


def _bottom(config: RunConfig) -> SharedBottomConfig:
    architecture = config.model.architecture
    if isinstance(architecture, SharedBottomConfig):
        return architecture
    return SharedBottomConfig(
        hidden_dims=architecture.expert_dims,
        activation=architecture.activation,
        dropout_rate=architecture.dropout_rate,
    )
