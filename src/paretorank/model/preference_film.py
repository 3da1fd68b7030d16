"""The preference scales and shifts the representations before the towers.

Source: Dosovitskiy and Djolonga, You Only Train Once: Loss-Conditional Training of Deep Networks,
    ICLR 2020, section 2.2; Perez et al., FiLM, AAAI 2018, section 2.1.
We deviate: one layer is modulated, that of the representations, so that everything shared below is
computed once for all preferences. It starts as the identity.
Shapes: B rows, T tasks, H width, R rows of preferences: B or 1.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.blocks import MLP, Linear
from paretorank.model.preference import Preference, PreferenceSection


class FiLMPreferenceConfig(PreferenceSection):
    """A small network turns the preference into a factor and a summand per unit."""

    kind: Literal["film"] = "film"
    hidden_dims: tuple[PositiveInt, ...] = (32,)
    """Hidden widths of that network."""

    @override
    def build(
        self,
        default: Float[Tensor, " T"],
        *,
        width: int,
        hidden_width: int,
        n_outputs: Sequence[int],
        generator: torch.Generator,
    ) -> "FiLMPreference":
        return FiLMPreference(default, width, self.hidden_dims, generator=generator)


class FiLMPreference(Preference):
    """Scale and shift of every unit of every task's representation."""

    is_read: ClassVar[bool] = True

    def __init__(
        self,
        default: Float[Tensor, " T"],
        width: int,
        hidden_dims: Sequence[int],
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(default)
        self.body = MLP(len(default), hidden_dims, generator=generator)
        self.last = starts_at_zero(self.body.out_dim, 2 * len(default) * width, generator=generator)

    @override
    def at_representation(
        self, h: Float[Tensor, "B T H"], r: Float[Tensor, "R T"]
    ) -> Float[Tensor, "B T H"]:
        change = self.last(self.body(r)).view(len(r), 2, *h.shape[1:])
        return h * (1 + change[:, 0]) + change[:, 1]


def starts_at_zero(in_dim: int, out_dim: int, *, generator: torch.Generator) -> Linear:
    """Return a layer whose output is 0 until it has learned."""
    layer = Linear(in_dim, out_dim, generator=generator)
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer
