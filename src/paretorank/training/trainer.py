"""The loop: epochs of steps, validations in between, the best weights kept."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from paretorank.balancing import Balancer, RowBalancer
from paretorank.data.batch import Batch
from paretorank.data.loader import Loader
from paretorank.evaluation import EvaluationResult, Monitor
from paretorank.foundation.errors import RunError
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.foundation.seeds import derive_seed
from paretorank.model import MultiTaskRanker
from paretorank.training.checkpoint import (
    Checkpoint,
    load_checkpoint,
    prefixed,
    save_checkpoint,
)
from paretorank.training.diagnosis import diagnose
from paretorank.training.gate_watch import watched_gates
from paretorank.training.gradient_places import refuse_nothing_shared
from paretorank.training.logbook import Logbook
from paretorank.training.meter import Meter
from paretorank.training.optimizers import build_optimizers
from paretorank.training.passes import passes_of, refuse_micro_batches
from paretorank.training.row_weights import row_weight_facts
from paretorank.training.schedules import rate_at
from paretorank.training.settings import TrainingConfig
from paretorank.training.step import StepResult, backward_step

LAST = "last.safetensors"
BEST = "best.safetensors"


@dataclass
class Position:
    """Where a run stands; everything in it is in the checkpoint."""

    epoch: int = 0
    step: int = 0
    """Steps done in this epoch."""
    best_score: float = -math.inf
    best_step: int = 0
    n_worse: int = 0
    """Validations since the best one."""
    monitor: dict[str, Any] = field(default_factory=dict)
    finished: bool = False
    n_steps: int = 0
    """Steps of an epoch."""


@dataclass(frozen=True)
class FitReport:
    """What training came to."""

    n_steps: int
    best_step: int
    best_score: float
    stopped_early: bool
    seconds: float
    rows_per_s: float


class Trainer:
    """Trains one model; `checkpoints` holds the last state and the best weights."""

    def __init__(
        self,
        config: TrainingConfig,
        model: MultiTaskRanker,
        balancer: Balancer,
        *,
        static_weights: Tensor,
        monitor: Monitor,
        logbook: Logbook,
        checkpoints: Path,
        listener: Listener = silent,
    ) -> None:
        self.config = config
        self.model = model
        self.balancer = balancer
        self.static_weights = static_weights
        self.monitor = monitor
        self.logbook = logbook
        self.checkpoints = checkpoints
        self.listener = listener
        refuse_nothing_shared(balancer, model)
        refuse_micro_batches(config.micro_batch_size, balancer)
        model.training_precision = getattr(torch, config.precision)
        if isinstance(balancer, RowBalancer):
            balancer.begin(model.in_dim)
        self.optimizers = build_optimizers(config, model, balancer)
        self.position = Position()
        self._meter = Meter(model.task_names, config.batch_size)

    def fit(self, loader: Loader, validate: Callable[[], EvaluationResult]) -> FitReport:
        """Train to the end, or until no validation gets better, and restore the best weights.

        Raises:
            RunError: the state was saved on other data, or with another batch size.
        """
        self.check_length(loader)
        started, first = time.monotonic(), self._done(loader)
        total = loader.n_steps * self.config.epochs
        self.logbook.rewind(first)
        while not self.position.finished and self.position.epoch < self.config.epochs:
            self._run_epoch(loader, validate, total)
        self.restore_best()
        seconds = time.monotonic() - started
        steps = self._done(loader) - first
        return FitReport(
            n_steps=self._done(loader),
            best_step=self.position.best_step,
            best_score=self.position.best_score,
            stopped_early=self.position.finished,
            seconds=seconds,
            rows_per_s=min(steps * self.config.batch_size, steps * len(loader.shards)) / seconds,
        )

    def resume(self) -> None:
        """Take up the state of the last checkpoint, if there is one.

        Raises:
            RunError: a checkpoint is damaged, or belongs to another model, balancer or optimizer.
        """
        path = self.checkpoints / LAST
        if not path.exists():
            return
        checkpoint = load_checkpoint(path)
        try:
            self.position = Position(**checkpoint.facts["position"])
        except (KeyError, TypeError):
            raise RunError(
                f"{path} is not the state of a training.", hint="Was it copied? Train again."
            ) from None
        if self.position.best_step:
            self._load_model(BEST)  # what is no good must not come to light at the end only
        self._load_model(LAST, checkpoint)
        self.optimizers.load_state(checkpoint.part("optimizer"))
        self._meter.restore(checkpoint.part("meter"))
        self.monitor.restore(self.position.monitor)

    def restore_best(self) -> None:
        """Put the best weights into the model."""
        self._load_model(BEST)
        self.model.eval()

    def _load_model(self, name: str, whole: Checkpoint | None = None) -> None:
        """Put saved weights into the model and, of a whole state, into the balancer too."""
        path = self.checkpoints / name
        checkpoint = whole or load_checkpoint(path)
        try:
            self.model.load_state_dict(checkpoint.part("model"))
            if whole is not None:
                self.balancer.load_state_dict(checkpoint.part("balancer"))
        except RuntimeError as error:
            raise RunError(
                f"{path} does not fit this configuration: {str(error)[:200]}",
                hint="Resume with the run's own config.toml; only [training] may differ.",
            ) from None
        saved = checkpoint.facts.get("optimizers", self.optimizers.kinds)
        if saved != self.optimizers.kinds:
            raise RunError(
                f"{path} holds the state of {', '.join(saved.values())}, but training is to go on "
                f"with {', '.join(self.optimizers.kinds.values())}.",
                hint="Resume with the same training.embedding_optimizer, or train anew.",
            )

    def _run_epoch(
        self, loader: Loader, validate: Callable[[], EvaluationResult], total: int
    ) -> None:
        position, meter, saved = self.position, self._meter, time.monotonic()
        checks = self._validation_steps(loader.n_steps)
        batches = loader.shuffled(
            seed=self.config.seed, epoch=position.epoch, first_step=position.step
        )
        for batch in batches:
            done = self._done(loader)
            meter.add(self._watched_step(batch, done, total))
            position.step += 1
            done += 1
            if done % self.config.log_every_steps == 0 or done == total:
                self.logbook.record("train", done, meter.facts() | self._watched())
                if (spread := row_weight_facts(self.balancer)) is not None:
                    self.logbook.record("row_weights", done, spread)
                facts = meter.progress(time.monotonic())
                self.listener(Progress("train", done, total, "steps", facts))
            if position.step in checks:
                with watched_gates(self.model.architecture, self.model.task_names) as watch:
                    result = validate()
                self._validate(result, done)
                if (gates := watch.facts()) is not None:
                    self.logbook.record("gates", done, gates)
                self._save(loader)
                if position.finished:
                    return
            elif 0 < self.config.checkpoint_every_s < time.monotonic() - saved:
                self._save(loader)
                saved = time.monotonic()
        position.epoch, position.step = position.epoch + 1, 0

    def _watched_step(self, batch: Batch, done: int, total: int) -> StepResult:
        every = self.config.diagnose_every_steps
        if not every or (done + 1) % every or len(self.model.task_names) == 1:
            return self._step(batch, done, total)
        seed = self._begin(done)
        diagnosis = diagnose(
            self.model, batch, micro_batch_size=self.config.micro_batch_size, seed=seed
        )
        result = self._step(batch, done, total)
        self.logbook.record("gradients", done + 1, diagnosis.facts(result.weights))
        return result

    def _step(self, batch: Batch, done: int, total: int) -> StepResult:
        seed = self._begin(done)
        self.optimizers.zero_grad()
        size = self.config.micro_batch_size
        place = f"step {done + 1} (epoch {self.position.epoch + 1})"
        result = backward_step(
            self.model,
            self.balancer,
            self.static_weights,
            batch,
            place=place,
            micro_batch_size=size,
            seed=seed,
        )
        self.optimizers.set_rate(rate_at(self.config.schedule, done, total))
        self.optimizers.step(self.config.clip_norm)
        if self.balancer.uses_losses_after_step:
            with torch.no_grad():
                after = passes_of(
                    self.model, batch, micro_batch_size=size, seed=seed, with_cut=False
                )
            self.balancer.after_step(after.losses)
        return result

    def _begin(self, done: int) -> int:
        """Get ready for a step; return the seed of its random parts."""
        seed = derive_seed(self.config.seed, "dropout", done)
        self.model.train()
        self.model.reseed(seed)
        return seed

    def _watched(self) -> dict[str, dict[str, float]]:
        """Return what the relation says about the last batch, of the tasks that it concerns."""
        return {
            key: {
                name: value
                for name, value in zip(self.model.task_names, values.tolist(), strict=True)
                if not math.isnan(value)
            }
            for key, values in self.model.relation.watched().items()
        }

    def _validate(self, result: EvaluationResult, done: int) -> None:
        position = self.position
        score = self.monitor.score(result)
        position.monitor = self.monitor.state()
        is_best = score > position.best_score or not position.best_step
        if is_best:
            # Any number beats an undefined score.
            position.best_score = -math.inf if math.isnan(score) else score
            position.best_step, position.n_worse = done, 0
            tensors = prefixed("model", self.model.state_dict())
            facts = {"step": done, "score": score}
            save_checkpoint(self.checkpoints / BEST, Checkpoint(tensors, facts))
        else:
            position.n_worse += 1
            patience = self.config.early_stopping.patience
            position.finished = 0 < patience <= position.n_worse
        metrics: dict[str, dict[str, float]] = {}
        for row in result.table.iter_rows(named=True):
            metrics.setdefault(row["task"], {}).setdefault(row["metric"], row["value"])
        found = {"score": score, "is_best": is_best, "metrics": metrics}
        self.logbook.record("validate", done, found)

    def _save(self, loader: Loader) -> None:
        position = self.position
        tensors = {
            **prefixed("model", self.model.state_dict()),
            **prefixed("balancer", self.balancer.state_dict()),
            **prefixed("optimizer", self.optimizers.state()),
            **prefixed("meter", self._meter.state()),
        }
        at_end = position.step == loader.n_steps
        place = {"epoch": position.epoch + 1, "step": 0} if at_end else {}
        facts = {"position": {**vars(position), **place}, "optimizers": self.optimizers.kinds}
        self.logbook.sync()
        save_checkpoint(self.checkpoints / LAST, Checkpoint(tensors, facts))

    def check_length(self, loader: Loader) -> None:
        """Take over how many steps an epoch has; a RunError if the saved state has others."""
        position = self.position
        if position.n_steps not in {0, loader.n_steps}:
            raise RunError(
                f"{self.checkpoints / LAST} was saved in epochs of {position.n_steps} steps, but "
                f"an epoch has {loader.n_steps} steps now.",
                hint="Resume with the same data and the same training.batch_size, or train anew.",
            )
        position.n_steps = loader.n_steps

    def _validation_steps(self, n_steps: int) -> set[int]:
        times = self.config.validations_per_epoch
        return {math.ceil(n_steps * k / times) for k in range(1, times + 1)}

    def _done(self, loader: Loader) -> int:
        return self.position.epoch * loader.n_steps + self.position.step
