"""The root of a configuration: every section belongs to the package that uses it."""

from pathlib import Path

from pydantic import Field, NonNegativeInt, PrivateAttr

from paretorank.balancing import BalancerConfig, EqualConfig
from paretorank.foundation.section import Section
from paretorank.model import ModelConfig
from paretorank.schema import DataConfig, FeatureConfig, LabelSpec, StatisticConfig
from paretorank.tasks import TaskConfig
from paretorank.training import TrainingConfig


class EvaluationConfig(Section):
    """How metrics and their intervals are computed."""

    n_resamples: NonNegativeInt = 200
    """Bootstrap samples of users behind each interval; 0 gives no intervals."""
    confidence: float = Field(default=0.95, gt=0, lt=1)
    """Coverage of the intervals."""


class RunConfig(Section):
    """Everything that a run needs to know."""

    data: DataConfig
    """The log, its side tables, its keys and its splits."""
    features: dict[str, FeatureConfig]
    """Inputs of the model, by name."""
    statistics: dict[str, StatisticConfig] = Field(default_factory=dict)
    """Leak-free rates and counts of past labels, by name."""
    tasks: dict[str, TaskConfig]
    """What is predicted, by name; the order is that of every table."""
    model: ModelConfig = ModelConfig()
    """Embeddings, architecture, towers and the wide part."""
    balancer: BalancerConfig = EqualConfig()
    """How much each task counts in one step."""
    training: TrainingConfig = TrainingConfig()
    """Batches, epochs, learning rates, when to stop, when to save."""
    evaluation: EvaluationConfig = EvaluationConfig()
    """Metrics and their intervals."""

    _path: Path = PrivateAttr(default=Path("paretorank.toml"))

    @property
    def path(self) -> Path:
        """The file this was read from."""
        return self._path

    @property
    def folder(self) -> Path:
        """Where relative paths begin: the folder of the file."""
        return self._path.parent

    def at(self, path: Path) -> "RunConfig":
        """Return the same configuration as if it stood in another file."""
        copy = self.model_copy()
        copy._path = path  # noqa: SLF001 - of its own class
        return copy

    def label_specs(self) -> list[LabelSpec]:
        """Return what the data preparation has to know about the tasks."""
        return [task.label_spec(name) for name, task in self.tasks.items()]
