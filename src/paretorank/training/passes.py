"""The forward passes of one step: one over the whole batch, or one over each micro-batch.

A loss of the step is a mean over all rows of the batch that count for its task. A micro-batch
contributes its own mean times its share of those rows' weight, so losses, gradients and inner
products add up to those of the whole batch, and balancers are asked once. No graph outlives its
micro-batch: a step runs over the rows once for the losses, once for gradients of single tasks
where a balancer wants them, and once to descend.
Shapes: B rows, T tasks, P present tasks, O outputs of all tasks.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from typing_extensions import override

from paretorank.balancing import Balancer, RowBalancer
from paretorank.data.batch import Batch
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.seeds import derive_seed
from paretorank.model.cut import Cut
from paretorank.model.ranker import MultiTaskRanker, TrainingLosses
from paretorank.relations import Penalties


@dataclass(frozen=True)
class Pass:
    """One forward pass whose losses wait for a balancer."""

    batch: Batch
    result: TrainingLosses
    """`losses` are the parts of the step's losses that these rows contribute."""

    @property
    def cut(self) -> Cut:
        """Return where the shared part ends."""
        if self.result.cut is None:
            raise ValueError("`result` must hold the cut, so ask for it in the forward pass.")
        return self.result.cut

    def weighted(self, weights: Float[Tensor, " T"]) -> Tensor:
        """Return what is descended: the weighted sum, and what gates add."""
        losses = torch.where(self.result.present, self.result.losses * weights, 0.0).sum()
        auxiliary = self.result.auxiliary
        return losses if auxiliary is None else losses + auxiliary

    def auxiliary_gradients(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the gradients of what is added as it is; 0 where nothing is. The graph is kept."""
        auxiliary = self.result.auxiliary
        if auxiliary is None or not auxiliary.requires_grad:
            return tuple(torch.zeros_like(tensor) for tensor in tensors)
        return torch.autograd.grad(
            auxiliary, tensors, retain_graph=True, allow_unused=True, materialize_grads=True
        )


class Passes(ABC):
    """All rows of a step; iterating gives passes that cover each row once, as often as asked."""

    model: MultiTaskRanker
    losses: Float[Tensor, " T"]
    """Of all rows; NaN for a task without any that counts. Without a graph."""
    present: Bool[Tensor, " T"]
    """Whether a task has any row that counts."""
    outputs: Float[Tensor, "B O"]
    """Of all rows, without a graph."""

    @abstractmethod
    def __iter__(self) -> Iterator[Pass]:
        """Yield passes with their graphs."""

    @property
    def tasks(self) -> Int[Tensor, " P"]:
        """Return the places of the present tasks."""
        return self.present.nonzero().flatten()

    def descend(self, weights: Float[Tensor, " T"]) -> None:
        """Leave the gradients of the weighted sum in the model."""
        for given in self:
            torch.autograd.backward(given.weighted(weights))


class WholeBatch(Passes):
    """One pass, made at once and kept."""

    def __init__(self, model: MultiTaskRanker, batch: Batch, *, with_cut: bool) -> None:
        self.model = model
        self.only = Pass(batch, model.training_losses(batch, with_cut=with_cut))
        self.losses = self.only.result.losses.detach()
        self.present = self.only.result.present
        self.outputs = self.only.result.outputs.detach()

    @override
    def __iter__(self) -> Iterator[Pass]:
        yield self.only


class MicroBatches(Passes):
    """A pass for every so many rows, made anew whenever it is asked for.

    Random parts draw the same again, and only the first run with gradients moves running
    statistics. What is no mean over rows is that of one micro-batch at a time: these statistics,
    the load balance of gates, self-normalised weights of ESCM2, losses that compare rows.
    """

    def __init__(
        self, model: MultiTaskRanker, batch: Batch, *, n_rows: int, seed: int, with_cut: bool
    ) -> None:
        self.model = model
        self._parts = batch.split(n_rows)
        self._seed = seed
        self._with_cut = with_cut
        self._has_run = False
        with torch.no_grad():
            found = [self._run(at, with_cut=False) for at in range(len(self._parts))]
        pairs = zip(found, self._parts, strict=True)
        mass = torch.stack([_mass(result, part) for result, part in pairs])
        self._shares = _shares(mass)
        penalties = [each.rows.penalties for each in found if each.rows.penalties is not None]
        masses = [each.masses for each in penalties]
        self._penalty_shares = _shares(torch.stack(masses)) if masses else None
        contributions = [self._contribution(at, result) for at, result in enumerate(found)]
        self.present = (mass > 0).any(dim=0)
        self.losses = torch.stack(contributions).sum(dim=0).where(self.present, torch.nan)
        self.outputs = torch.cat([result.outputs for result in found])

    @override
    def __iter__(self) -> Iterator[Pass]:
        moves, self._has_run = not self._has_run, True
        for at in range(len(self._parts)):
            # Kept until the pass is done with: its backward pass may still need them.
            with nullcontext() if moves else buffers_kept(self.model):
                yield self._pass(at)

    def _pass(self, at: int) -> Pass:
        part, result = self._parts[at], self._run(at, with_cut=self._with_cut)
        gates = None if result.gates is None else result.gates * len(part) / len(self.outputs)
        rows = replace(result.rows, penalties=self._penalties(at, result))
        losses = self._contribution(at, result)
        contributed = replace(result, losses=losses, present=self.present, gates=gates, rows=rows)
        return Pass(part, contributed)

    def _penalties(self, at: int, result: TrainingLosses) -> Penalties | None:
        """Return what a micro-batch adds to the means over the batch."""
        found = result.rows.penalties
        if found is None or self._penalty_shares is None:
            return found
        return replace(found, means=found.means * self._penalty_shares[at])

    def _contribution(self, at: int, result: TrainingLosses) -> Float[Tensor, " T"]:
        """Return what the losses of a micro-batch add to those of the batch."""
        return torch.where(result.present, result.losses * self._shares[at], 0.0)

    def _run(self, at: int, *, with_cut: bool) -> TrainingLosses:
        self.model.reseed(derive_seed(self._seed, "micro_batch", at))
        return self.model.training_losses(self._parts[at], with_cut=with_cut)


def passes_of(
    model: MultiTaskRanker, batch: Batch, *, micro_batch_size: int | None, seed: int, with_cut: bool
) -> Passes:
    """Return the passes of a step.

    Args:
        model: in training mode.
        batch: the rows.
        micro_batch_size: most rows of a pass; None is all.
        seed: of the random parts, where there are several passes.
        with_cut: whether gradients of single tasks will be taken where the shared part ends.
    """
    if micro_batch_size is None or micro_batch_size >= len(batch):
        return WholeBatch(model, batch, with_cut=with_cut)
    return MicroBatches(model, batch, n_rows=micro_batch_size, seed=seed, with_cut=with_cut)


def refuse_micro_batches(micro_batch_size: int | None, balancer: Balancer) -> None:
    """Refuse to cut batches for balancers that look at all rows of a step together.

    Raises:
        ConfigError: the balancer weighs row by row.
    """
    if micro_batch_size is not None and isinstance(balancer, RowBalancer):
        raise ConfigError(
            f"`training.micro_batch_size` = {micro_batch_size} cuts batches, but this balancer "
            "weighs the rows of a batch together.",
            hint="Remove training.micro_batch_size and lower training.batch_size, or choose "
            "another balancer.kind.",
        )


@contextmanager
def buffers_kept(model: nn.Module) -> Iterator[None]:
    """Put back what a forward pass in training moves, such as running statistics."""
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    yield
    for name, buffer in model.named_buffers():
        buffer.copy_(before[name])


def _shares(mass: Float[Tensor, "parts N"]) -> Float[Tensor, "parts N"]:
    """Return the share of each part in the mass of all; 0 where there is none."""
    total = mass.sum(dim=0)
    return mass / total.where(total > 0, 1.0)


def _mass(result: TrainingLosses, part: Batch) -> Float[Tensor, " T"]:
    """Return the weight of the rows that count for each task."""
    counted = torch.where(result.rows.observed, part.weight.unsqueeze(1), 0.0)
    return counted.sum(dim=0)
