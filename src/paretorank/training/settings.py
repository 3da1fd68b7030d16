"""How a model is trained."""

from typing import Literal

from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from paretorank.data.loader import LoaderConfig
from paretorank.foundation.section import Section


class EarlyStoppingConfig(Section):
    """When to stop, and which weights are the best."""

    monitor: str | dict[str, float] = "mean_gain"
    """A task's metric ("click.auc"), a weighted set ({"click.auc" = 0.7, "watch.mae" = 0.3}), or
    "mean_gain": the mean over tasks of the relative gain since the first validation. Whether more
    is better is known from the metric."""
    patience: NonNegativeInt = 2
    """Validations without a new best before training stops; 0 never stops early."""


class ScheduleConfig(Section):
    """The learning rate over the steps of a run, relative to its full value."""

    kind: Literal["constant", "linear", "cosine"] = "linear"
    """After warm-up: constant, or falling to `final_fraction` on a line or half a cosine."""
    warmup_fraction: float = Field(default=0.02, ge=0, lt=1)
    """Share of all steps in which the rate rises from zero."""
    final_fraction: float = Field(default=0.05, ge=0, le=1)
    """Where linear and cosine end."""


class TrainingConfig(Section):
    """Batches, epochs, learning rates, when to stop, when to save."""

    batch_size: PositiveInt = 1024
    """Rows of one step."""
    micro_batch_size: PositiveInt | None = None
    """Most rows of a batch that are in the network at one time, where memory is short. A step is
    that of the whole batch (its losses, its gradients, one balancing, one optimizer step) and costs
    a forward pass more, two with balancers that look at gradients. What is no mean over
    rows is that of one micro-batch at a time: batch normalisation (HoME), the load balance of
    gates, self-normalised weights of ESCM2, losses that compare the rows of a request."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the network's products in training. With bfloat16, weights, losses, optimizers and
    balancers stay in float32; no scaling of losses is needed. It pays on accelerators that have it;
    a CPU without it takes many times as long."""
    epochs: PositiveInt = 2
    """Passes over the training rows; production logs are usually passed once or twice."""
    learning_rate: PositiveFloat = 1e-3
    """Of Adam for the dense parameters."""
    embedding_optimizer: Literal["adagrad", "adam"] = "adam"
    """Row-wise optimizer of the tables: Adagrad with one accumulator per row, or Adam on the rows
    that a batch touches."""
    embedding_learning_rate: PositiveFloat = 1e-3
    """Of the embedding tables."""
    wide_learning_rate: PositiveFloat = 3e-3
    """Of the wide part's table."""
    balancer_learning_rate: PositiveFloat = 1e-2
    """Of the balancer's own parameters, if it has any."""
    weight_decay: NonNegativeFloat = 0.0
    """Decoupled decay of the dense weight matrices; never of biases, tables or balancers."""
    clip_norm: NonNegativeFloat = 10.0
    """Longest dense gradient; longer ones are shortened; 0 leaves every length alone."""
    schedule: ScheduleConfig = ScheduleConfig()
    """Warm-up and decay of all learning rates but the balancer's."""
    loader: LoaderConfig = LoaderConfig()
    """How rows are shuffled."""
    validations_per_epoch: PositiveInt = 1
    """How often the validation rows are scored."""
    early_stopping: EarlyStoppingConfig = EarlyStoppingConfig()
    """When to stop, and which weights are the best."""
    checkpoint_every_s: NonNegativeFloat = 300.0
    """Seconds between checkpoints inside an epoch; 0 saves at validations only."""
    log_every_steps: PositiveInt = 50
    """Steps between log entries."""
    diagnose_every_steps: NonNegativeInt = 200
    """Steps between looks at the gradients of single tasks: their lengths, their angles, and where
    they conflict. A look costs what a step with a balancer at all parameters costs and changes
    nothing in the training; 0 never looks."""
    seed: int = 1
    """Root of all random numbers of a run."""
    tensorboard: bool = True
    """Write event files for TensorBoard beside the log."""
