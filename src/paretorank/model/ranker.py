"""The network: bank -> interaction -> architecture -> towers -> logits, with a wide part beside it.

Shapes: B rows, D input width, T tasks, H width of a representation.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.architectures import Architecture
from paretorank.blocks import TowerBank, whole_rows
from paretorank.blocks.dropout import reseed_dropout
from paretorank.data.batch import Batch
from paretorank.embedding import FeatureBank, Interaction, Wide
from paretorank.tasks import Heads


class MultiTaskRanker(nn.Module):
    """Scores rows for every task; the task axis has the order of `task_names`."""

    def __init__(
        self,
        task_names: tuple[str, ...],
        *,
        bank: FeatureBank,
        architecture: Architecture,
        towers: TowerBank,
        heads: Heads,
        wide: Wide | None,
        interaction: Interaction | None = None,
    ) -> None:
        super().__init__()
        self.task_names = task_names
        self.bank = bank
        self.architecture = architecture
        self.towers = towers
        self.heads = heads
        self.wide = wide
        self.interaction = interaction

    def forward(self, batch: Batch) -> Float[Tensor, "B T"]:
        """Return one logit per row and task."""
        x, extras = self.bank.inputs(batch)
        if self.interaction is not None:
            x = self.interaction(whole_rows(x))
        logits: Tensor = self.towers(self.architecture(x, extras))
        return logits if self.wide is None else logits + self.wide(batch)

    def task_losses(self, batch: Batch) -> Float[Tensor, " T"]:
        """Return the mean loss of each task over its observed rows; NaN for a task without any."""
        return self.heads.task_losses(self(batch), batch.labels, batch.observed, batch.weight)

    @torch.no_grad()
    def scores(self, batch: Batch) -> Float[Tensor, "B T"]:
        """Return probabilities and expected values."""
        return self.heads.scores(self(batch))

    def embedding_parameters(self) -> list[nn.Parameter]:
        """Return the embedding tables, whose gradients are sparse."""
        return list(self.bank.embedding_parameters().values())

    def wide_parameters(self) -> list[nn.Parameter]:
        """Return the wide part's table, whose gradient is sparse."""
        return [] if self.wide is None else [self.wide.table.weight]

    def reseed(self, seed: int) -> None:
        """Restart every random part, so that a step can be repeated exactly."""
        reseed_dropout(self, seed)
