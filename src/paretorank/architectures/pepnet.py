"""PEPNet: what is known about user, item and domain steers gates on embeddings and hidden units.

Source: Chang et al., PEPNet: Parameter and Embedding Personalized Network for Infusing with
    Personalized Prior Information, KDD 2023 (Gate Neural Unit, EPNet, PPNet).
A gate is 2 * sigmoid of a network with one hidden layer; a gate of all ones changes nothing.
EPNet multiplies the input of the row with a gate that reads the domain features and the input.
PPNet multiplies every hidden layer of each task with a gate that reads the prior and the gated
input. No gate sends a gradient into the inputs that it reads beside prior and domain.
The layers are those of the tasks themselves, so that `model.tower_dims = []` (a linear head right
after them) is the network of the paper; towers after them are allowed.
We deviate: EPNet gates the whole input, numbers and pooled histories included; every layer has a
gate network of its own for all tasks.
Shapes: B rows, T tasks, D input width, P width of the prior, I width that a gate reads, H width of
a layer, O outputs of a gate.
"""

from collections.abc import Sequence
from typing import Annotated, Literal, cast

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, ArchitectureSection, Needs
from paretorank.blocks import (
    ACTIVATIONS,
    NO_EXTRAS,
    Activation,
    Dropout,
    Extras,
    Linear,
    Rows,
    uniform_parameter,
    whole_rows,
)

GAMMA = 2.0  # so that an undecided gate (0) passes its input on unchanged


class PEPNetConfig(ArchitectureSection):
    """Hyper-parameters of PEPNet."""

    kind: Literal["pepnet"] = "pepnet"
    prior: Annotated[tuple[str, ...], Field(min_length=1)]
    """Features or statistics that steer the gates on the hidden layers: who the user is, what the
    item and its author are."""
    domain: tuple[str, ...] = ()
    """Features that steer the gate on the input, such as the page or the country; those of `prior`
    where empty."""
    hidden_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (128, 64)
    """Widths of the layers of each task; the last one is what the towers read."""
    gate_dim: PositiveInt = 64
    """Width of the hidden layer of each gate."""
    activation: Activation = "relu"
    """Applied after each layer of a task."""
    dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the units of each layer that are dropped while training."""

    @property
    @override
    def needs(self) -> Needs:
        return Needs(prior=(*self.domain, *self.prior))

    def build(
        self, *, in_dim: int, n_tasks: int, prior_dims: Sequence[int], generator: torch.Generator
    ) -> "PEPNet":
        """Return the network with initial values drawn from `generator`.

        Args:
            in_dim: width of the input.
            n_tasks: number of tasks.
            prior_dims: widths of the features that `needs.prior` names, in its order.
            generator: where the initial values come from.
        """
        return PEPNet(
            self, in_dim=in_dim, n_tasks=n_tasks, prior_dims=prior_dims, generator=generator
        )


class GateUnit(nn.Module):
    """Gate Neural Unit: factors between 0 and 2 from two layers."""

    def __init__(
        self, in_dim: int, hidden_dim: int, out_dim: int, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.hidden = Linear(in_dim, hidden_dim, generator=generator)
        self.out = Linear(hidden_dim, out_dim, generator=generator)

    def forward(
        self, known: Float[Tensor, "B P"], gated: Float[Tensor, "B D"]
    ) -> Float[Tensor, "B O"]:
        """Return factors from what is known and, without gradient, what will be gated."""
        hidden: Tensor = self.hidden(torch.cat([known, gated.detach()], dim=1))
        return GAMMA * torch.sigmoid(self.out(F.relu(hidden)))


class PEPNet(Architecture):
    """Layers of each task under gates that the prior steers."""

    def __init__(
        self,
        config: PEPNetConfig,
        *,
        in_dim: int,
        n_tasks: int,
        prior_dims: Sequence[int],
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._domain_dim = sum(prior_dims[: len(config.domain)])
        prior_dim = sum(prior_dims) - self._domain_dim
        self.embedding_gate = GateUnit(
            (self._domain_dim or prior_dim) + in_dim, config.gate_dim, in_dim, generator=generator
        )
        self.gates = nn.ModuleList(
            GateUnit(prior_dim + in_dim, config.gate_dim, n_tasks * width, generator=generator)
            for width in config.hidden_dims
        )
        in_dims = (in_dim, *config.hidden_dims)
        self.weights = nn.ParameterList(
            uniform_parameter(n_tasks, d, h, fan_in=d, generator=generator)
            for d, h in zip(in_dims[:-1], config.hidden_dims, strict=True)
        )
        self.biases = nn.ParameterList(
            uniform_parameter(n_tasks, 1, h, fan_in=d, generator=generator)
            for d, h in zip(in_dims[:-1], config.hidden_dims, strict=True)
        )
        self.dropouts = nn.ModuleList(Dropout(config.dropout_rate) for _ in config.hidden_dims)
        self.activation = config.activation
        self.n_tasks = n_tasks
        self.out_dim = in_dims[-1]

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        if extras.prior is None:
            raise ValueError("`extras.prior` must hold the inputs of the prior, got None.")
        domain, prior = extras.prior[:, : self._domain_dim], extras.prior[:, self._domain_dim :]
        whole = whole_rows(x)
        gated = whole * self.embedding_gate(domain if self._domain_dim else prior, whole)
        activate = ACTIVATIONS[self.activation]
        h_TBH = gated.expand(self.n_tasks, -1, -1)
        for weight, bias, gate, dropout in zip(
            self.weights, self.biases, self.gates, self.dropouts, strict=True
        ):
            h_TBH = activate(torch.baddbmm(bias, h_TBH, weight))
            factors = gate(prior, gated).unflatten(1, (self.n_tasks, -1))
            h_TBH = dropout(h_TBH * factors.transpose(0, 1))
        return h_TBH.transpose(0, 1)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        """Return the gate on the input and the hidden layers of the other gates."""
        hidden = [cast("GateUnit", gate).hidden for gate in self.gates]
        return [p for part in (self.embedding_gate, *hidden) for p in part.parameters()]

    @override
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> None:
        return None
