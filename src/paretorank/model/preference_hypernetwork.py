"""A network whose output is a part of the weights of another: here, of the last layer of each task.

Source: Navon et al., Learning the Pareto Front with Hypernetworks, ICLR 2021, section 4.
We deviate: their network makes all weights; ours makes what is added to the last layer, which
starts at 0, so that its size does not depend on the rest of the model.
Shapes: B rows, T tasks, H width of the last hidden layer, O outputs of all tasks, K outputs of the
task with the most, R rows of preferences: B or 1.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.blocks import MLP
from paretorank.model.preference import Preference, PreferenceSection
from paretorank.model.preference_film import starts_at_zero


class HypernetworkPreferenceConfig(PreferenceSection):
    """A small network turns the preference into a change of the last layer of every task."""

    kind: Literal["hypernetwork"] = "hypernetwork"
    hidden_dims: tuple[PositiveInt, ...] = (64, 64)
    """Hidden widths of that network; the paper uses three layers of 100."""

    @override
    def build(
        self,
        default: Float[Tensor, " T"],
        *,
        width: int,
        hidden_width: int,
        n_outputs: Sequence[int],
        generator: torch.Generator,
    ) -> "HypernetworkPreference":
        return HypernetworkPreference(
            default, hidden_width, n_outputs, self.hidden_dims, generator=generator
        )


class HypernetworkPreference(Preference):
    """Adds what weights and biases made from the preference give."""

    is_read: ClassVar[bool] = True
    kept: Tensor

    def __init__(
        self,
        default: Float[Tensor, " T"],
        hidden_width: int,
        n_outputs: Sequence[int],
        hidden_dims: Sequence[int],
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(default)
        most = max(n_outputs)
        self.shape = (len(n_outputs), hidden_width + 1, most)
        """Of the weights, the bias below them."""
        kept = [task * most + at for task, n in enumerate(n_outputs) for at in range(n)]
        self.register_buffer("kept", torch.tensor(kept), persistent=False)
        self.body = MLP(len(default), hidden_dims, generator=generator)
        n_weights = len(n_outputs) * (hidden_width + 1) * most
        self.last = starts_at_zero(self.body.out_dim, n_weights, generator=generator)

    @override
    def at_output(
        self,
        outputs: Float[Tensor, "B O"],
        hidden: Float[Tensor, "B T H"],
        r: Float[Tensor, "R T"],
    ) -> Float[Tensor, "B O"]:
        made = self.last(self.body(r)).view(len(r), *self.shape)
        added = torch.matmul(hidden.unsqueeze(2), made[:, :, :-1]) + made[:, :, -1:]
        return outputs + added.squeeze(2).flatten(1).index_select(1, self.kept)
