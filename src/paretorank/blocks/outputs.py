"""The last linear map of every task, all computed together.

Shapes: B rows, T tasks, H width of the hidden layer, O outputs of all tasks side by side.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.blocks.linear import uniform_parameter


class OutputBank(nn.Module):
    """Turns each task's hidden layer into its outputs; the first output of a task is its logit."""

    def __init__(
        self, in_dim: int, n_outputs: Sequence[int], *, generator: torch.Generator
    ) -> None:
        super().__init__()
        n_tasks, most = len(n_outputs), max(n_outputs)
        self.logit_weight = uniform_parameter(
            n_tasks, in_dim, most, fan_in=in_dim, generator=generator
        )
        kept = [task * most + at for task, n in enumerate(n_outputs) for at in range(n)]
        self.logit_bias = nn.Parameter(torch.zeros(len(kept)))
        """Task by task, the outputs of a task side by side."""
        firsts = torch.tensor([0, *n_outputs[:-1]]).cumsum(0)
        self.register_buffer("kept", torch.tensor(kept), persistent=False)
        self.register_buffer("firsts", firsts, persistent=False)
        self._is_plain = most == 1

    kept: Tensor
    firsts: Tensor
    """Where each task's logit stands among the outputs."""

    def forward(self, hidden: Float[Tensor, "B T H"]) -> Float[Tensor, "B O"]:
        """Return the outputs of all tasks, task by task."""
        outputs_TBK = torch.bmm(hidden.transpose(0, 1), self.logit_weight)
        if self._is_plain:
            return outputs_TBK.squeeze(2).t() + self.logit_bias
        outputs = outputs_TBK.transpose(0, 1).flatten(1)
        return outputs.index_select(1, self.kept) + self.logit_bias

    def logits(self, outputs: Float[Tensor, "B O"]) -> Float[Tensor, "B T"]:
        """Return the first output of each task."""
        return outputs if self._is_plain else outputs.index_select(1, self.firsts)

    def with_logits(
        self, outputs: Float[Tensor, "B O"], logits: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B O"]:
        """Return the outputs with other logits in the place of their own."""
        return logits if self._is_plain else outputs.index_copy(1, self.firsts, logits)

    def set_bias(self, values: Float[Tensor, " O"]) -> None:
        """Set the biases, such as to the outputs of the best constant model."""
        if values.shape != self.logit_bias.shape:
            expected, got = tuple(self.logit_bias.shape), tuple(values.shape)
            raise ValueError(f"`values` must have shape {expected}, got {got}.")
        with torch.no_grad():
            self.logit_bias.copy_(values)
