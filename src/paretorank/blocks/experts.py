"""Many experts of one shape, computed together.

The first layers of all experts that read the same input are one matrix product; every later layer,
and the first one where each expert reads an input of its own, is one batched product. There is no
loop over experts.
Shapes: B rows, D input width, E experts, H width of a layer.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from paretorank.blocks.activations import ACTIVATIONS, Activation
from paretorank.blocks.dropout import Dropout
from paretorank.blocks.expert_norm import ExpertNorm
from paretorank.blocks.grouped_rows import GroupedRows, Rows, linear
from paretorank.blocks.linear import uniform_parameter
from paretorank.blocks.padded_linear import padded_linear
from paretorank.blocks.relu_stack import relu_stack


@dataclass(frozen=True)
class ExpertLayers:
    """The parameters of some experts, layer by layer."""

    first_weight: Float[Tensor, "EH D"]
    first_bias: Float[Tensor, " EH"]
    weights: tuple[Tensor, ...]
    """Of the later layers, each [E, D, H]."""
    biases: tuple[Tensor, ...]
    """Of the later layers, each [E, 1, H]."""


def join_layers(parts: Sequence[ExpertLayers]) -> ExpertLayers:
    """Return the layers of all experts, part after part."""
    if len(parts) == 1:
        return parts[0]
    return ExpertLayers(
        torch.cat([part.first_weight for part in parts]),
        torch.cat([part.first_bias for part in parts]),
        tuple(torch.cat(each) for each in zip(*(part.weights for part in parts), strict=True)),
        tuple(torch.cat(each) for each in zip(*(part.biases for part in parts), strict=True)),
    )


class ExpertBank(nn.Module):
    """Multi-layer perceptrons beside each other; the initial values of no two experts agree."""

    def __init__(
        self,
        in_dim: int,
        hidden_dims: Sequence[int],
        n_experts: int,
        *,
        generator: torch.Generator,
        activation: Activation = "relu",
        dropout_rate: float = 0.0,
        normalized: bool = False,
    ) -> None:
        super().__init__()
        if not hidden_dims:
            raise ValueError("`hidden_dims` must name at least one layer, got none.")
        first, *later = hidden_dims
        stacked = n_experts * first
        self.first_weight = uniform_parameter(stacked, in_dim, fan_in=in_dim, generator=generator)
        """Rows `e * H ... (e + 1) * H` belong to expert `e`."""
        self.first_bias = uniform_parameter(stacked, fan_in=in_dim, generator=generator)
        self.weights = nn.ParameterList(
            uniform_parameter(n_experts, d, h, fan_in=d, generator=generator)
            for d, h in zip(hidden_dims[:-1], later, strict=True)
        )
        self.biases = nn.ParameterList(
            uniform_parameter(n_experts, 1, h, fan_in=d, generator=generator)
            for d, h in zip(hidden_dims[:-1], later, strict=True)
        )
        self.dropouts = nn.ModuleList(Dropout(dropout_rate) for _ in hidden_dims)
        self.norms = nn.ModuleList(ExpertNorm(n_experts, h) for h in hidden_dims if normalized)
        """Before each activation, if any."""
        self.activation = activation
        self.n_experts = n_experts
        self.out_dim = hidden_dims[-1]

    @override
    def forward(self, x: Rows | Float[Tensor, "E B D"]) -> Float[Tensor, "B E H"]:
        """Return the activations of every expert's last layer.

        In memory the result lies expert by expert: `result.transpose(0, 1)` is contiguous as soon
        as there are two layers.

        Args:
            x: the input of all experts, or one input for each expert.
        """
        return run_experts(
            x,
            self.layers(),
            n_experts=self.n_experts,
            activation=self.activation,
            dropouts=self.dropouts,
            norms=self.norms,
        )

    def layers(self) -> ExpertLayers:
        """Return the parameters of all layers but those of the norms."""
        return ExpertLayers(
            self.first_weight, self.first_bias, tuple(self.weights), tuple(self.biases)
        )


def run_experts(
    x: Rows | Float[Tensor, "E B D"],
    layers: ExpertLayers,
    *,
    n_experts: int,
    activation: Activation,
    dropouts: Iterable[nn.Module],
    norms: Iterable[nn.Module | None] = (),
) -> Float[Tensor, "B E H"]:
    """Return the activations of every expert's last layer; `norms` come before each activation."""
    activate = ACTIVATIONS[activation]
    first_dropout, *later_dropouts = dropouts
    first_norm, *later_norms = list(norms) or [None] * (1 + len(layers.weights))
    h = _first_layer(x, layers, n_experts)
    is_plain = activation == "relu" and first_norm is None and h.ndim == 2  # noqa: PLR2004
    if is_plain and layers.weights and not _drops(first_dropout):
        return relu_stack(h, layers.weights, layers.biases, n_experts).transpose(0, 1)
    if first_norm is not None:
        h = first_norm(_by_expert(h, n_experts))
    h_EBH = _by_expert(first_dropout(activate(h)), n_experts)
    for weight, bias, dropout, norm in zip(
        layers.weights, layers.biases, later_dropouts, later_norms, strict=True
    ):
        h_EBH = torch.baddbmm(bias, h_EBH, weight)
        h_EBH = dropout(activate(h_EBH if norm is None else norm(h_EBH)))
    return h_EBH.transpose(0, 1)


def _first_layer(x: Rows | Float[Tensor, "E B D"], layers: ExpertLayers, n_experts: int) -> Tensor:
    """Return the first layer, [B, E * H] of one input and [E, B, H] of many."""
    if isinstance(x, GroupedRows):
        return linear(x, layers.first_weight, layers.first_bias)
    if x.ndim == 2:  # noqa: PLR2004 - a matrix
        return padded_linear(x, layers.first_weight, layers.first_bias)
    weight = layers.first_weight.view(n_experts, -1, x.shape[2])
    return torch.baddbmm(layers.first_bias.view(n_experts, 1, -1), x, weight.mT)


def _drops(dropout: nn.Module) -> bool:
    return isinstance(dropout, Dropout) and dropout.training and dropout.rate > 0


def _by_expert(h: Tensor, n_experts: int) -> Float[Tensor, "E B H"]:
    if h.ndim == 3:  # noqa: PLR2004 - it is by expert already
        return h
    return h.view(len(h), n_experts, -1).transpose(0, 1)
