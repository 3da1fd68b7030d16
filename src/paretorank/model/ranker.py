"""The network: bank -> interaction -> architecture -> towers -> relation -> outputs.

A wide part stands beside it and adds to the logits.

Shapes: B rows, D input width, T tasks, H width of a representation, O outputs of all tasks (one per
task, its logit, unless a task's loss needs more).
"""

from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from paretorank.architectures import Architecture
from paretorank.blocks import Extras, OutputBank, Rows, TowerBank, whole_rows
from paretorank.blocks.dropout import reseed_dropout
from paretorank.data.batch import Batch
from paretorank.embedding import FeatureBank, Interaction, Wide
from paretorank.losses import Requests, fill_unobserved, reduce_losses
from paretorank.model.cut import Cut
from paretorank.model.position_bias import PositionBias
from paretorank.model.preference import Preference
from paretorank.relations import Relation, RowLosses, Seen
from paretorank.tasks import Heads


@dataclass(frozen=True)
class TrainingLosses:
    """What one batch costs."""

    outputs: Float[Tensor, "B O"]
    losses: Float[Tensor, " T"]
    """Mean over the rows that count; NaN for a task without any."""
    present: Bool[Tensor, " T"]
    """Whether a task has any row that counts."""
    gates: Float[Tensor, ""] | None
    """What gates add to the balanced total."""
    rows: RowLosses
    """The losses that were averaged, and what the relation adds."""
    cut: Cut | None = None
    """Where the shared part ended, if it was asked for."""

    @property
    def auxiliary(self) -> Float[Tensor, ""] | None:
        """Return what is added to the balanced total as it is."""
        terms = [term for term in (self.rows.auxiliary, self.gates) if term is not None]
        return torch.stack(terms).sum() if terms else None


@dataclass(frozen=True)
class _Forward:
    outputs: Float[Tensor, "B O"]
    imputed: Float[Tensor, "B T"] | None
    cut: Cut | None


class MultiTaskRanker(nn.Module):
    """Scores rows for every task; the task axis has the order of `task_names`."""

    def __init__(
        self,
        task_names: tuple[str, ...],
        *,
        bank: FeatureBank,
        architecture: Architecture,
        towers: TowerBank,
        relation: Relation,
        output: OutputBank,
        heads: Heads,
        wide: Wide | None,
        interaction: Interaction | None = None,
        position: PositionBias | None = None,
        preference: Preference | None = None,
    ) -> None:
        super().__init__()
        self.task_names = task_names
        self.bank = bank
        self.architecture = architecture
        self.towers = towers
        self.relation = relation
        self.output = output
        self.heads = heads
        self.wide = wide
        self.interaction = interaction
        self.position = position
        self.training_precision = torch.float32
        """Of the products of the network in training; scores are always made in float32."""
        even = torch.full((len(task_names),), 1.0 / len(task_names))
        self.preference = preference or Preference(even)

    @property
    def in_dim(self) -> int:
        """Return the width of the architecture's input."""
        return self.bank.out_dim if self.interaction is None else self.interaction.out_dim

    def forward(self, batch: Batch) -> Float[Tensor, "B O"]:
        """Return the outputs of all tasks: one logit each, or as many as their losses need."""
        return self._run(batch).outputs

    def training_losses(self, batch: Batch, *, with_cut: bool = False) -> TrainingLosses:
        """Return the loss of each task over the rows that count for it.

        Args:
            batch: the rows.
            with_cut: whether gradients of single tasks will be taken where the shared part ends.
        """
        done = self._run(batch, with_cut=with_cut)
        outputs, logits = done.outputs, self.output.logits(done.outputs)
        if self.position is not None:
            logits = logits + self.position(batch)
            outputs = self.output.with_logits(outputs, logits)
        filled = fill_unobserved(batch.labels, batch.observed)
        counted = batch.observed & (batch.weight > 0).unsqueeze(1)
        own = self.heads.losses(outputs, filled, Requests(batch.request, counted), batch.numeric)
        seen = Seen(logits, batch.labels, batch.observed, batch.weight, done.imputed)
        rows = self.relation.row_losses(own, seen)
        waiting = self.heads.waiting(batch.numeric, batch.observed)
        rows = replace(rows, observed=rows.observed | waiting)
        present = (rows.observed & (batch.weight > 0).unsqueeze(1)).any(dim=0)
        losses = reduce_losses(rows.losses, rows.observed, batch.weight)
        gates = self.architecture.auxiliary_loss()
        return TrainingLosses(outputs, losses, present, gates, rows, done.cut)

    def task_losses(self, batch: Batch) -> Float[Tensor, " T"]:
        """Return the mean loss of each task over the rows that count; NaN without any."""
        return self.training_losses(batch).losses

    @torch.no_grad()
    def scores(self, batch: Batch) -> Float[Tensor, "B T"]:
        """Return probabilities and expected values."""
        outputs = self(batch)
        scores = self.heads.scores(outputs, batch.numeric)
        return self.relation.scores(self.output.logits(outputs), scores)

    def _run(self, batch: Batch, *, with_cut: bool = False) -> _Forward:
        if not self.training or self.training_precision == torch.float32:
            return self._run_in_full(batch, with_cut=with_cut)
        with torch.autocast(batch.numeric.device.type, self.training_precision):
            done = self._run_in_full(batch, with_cut=with_cut)
        imputed = None if done.imputed is None else done.imputed.float()
        return replace(done, outputs=done.outputs.float(), imputed=imputed)

    def _run_in_full(self, batch: Batch, *, with_cut: bool) -> _Forward:
        batch = batch if self.position is None else self.position.hide(batch)
        preferred = self.preference.of(batch)
        x, extras = self.bank.inputs(batch)
        if self.interaction is not None:
            x = self.interaction(whole_rows(x))
        x, extras = self.preference.at_input(x, extras, preferred)
        h, cut = self._represent(x, extras) if with_cut else (self.architecture(x, extras), None)
        h = self.preference.at_representation(h, preferred)
        related = self.relation(self.towers(h))
        outputs: Tensor = self.output(related.hidden)
        outputs = self.preference.at_output(outputs, related.hidden, preferred)
        logits = self.output.logits(outputs)
        if self.wide is not None:
            logits = logits + self.wide(batch)
        logits = self.relation.relate_logits(logits)
        return _Forward(self.output.with_logits(outputs, logits), related.imputed, cut)

    def _represent(self, x: Rows, extras: Extras) -> tuple[Float[Tensor, "B T H"], Cut]:
        x = whole_rows(x)
        if not x.requires_grad:
            x = x.requires_grad_()  # nothing below learns, but gradients may be taken here
        found = self.architecture.represent(x, extras)
        # Tasks that read one and the same tensor would have one gradient; each gets a copy.
        h = found.h.contiguous() if found.h.stride(1) == 0 else found.h
        return h, Cut(x, h, self.relation.is_separable, found.experts, found.mixing)

    def shared_parameters(self) -> list[nn.Parameter]:
        """Return what the losses of several tasks reach, but for embedding tables."""
        tables = {id(table) for table in self.embedding_parameters()}
        below = [self.bank] if self.interaction is None else [self.bank, self.interaction]
        dense = [p for part in below for p in part.parameters() if id(p) not in tables]
        return [*dense, *self.architecture.shared_parameters()]

    def embedding_parameters(self) -> list[nn.Parameter]:
        """Return the embedding tables, whose gradients are sparse."""
        return list(self.bank.embedding_parameters().values())

    def wide_parameters(self) -> list[nn.Parameter]:
        """Return the wide part's table, whose gradient is sparse."""
        return [] if self.wide is None else [self.wide.table.weight]

    def reseed(self, seed: int) -> None:
        """Restart every random part, so that a step can be repeated exactly."""
        reseed_dropout(self, seed)
