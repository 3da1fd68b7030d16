"""Cross-stitch: a network per task, and after each layer a learned exchange between them.

Source: Misra et al., Cross-stitch Networks for Multi-task Learning, CVPR 2016: the
    new activations of a task are a linear combination of those of all tasks.
We deviate: rows of the combination start with `own_share` on the diagonal and the rest spread
evenly, so they sum to 1 for any number of tasks. Coefficients have a higher learning rate, as in
the paper, whose factors of 10 and more are those of plain gradient steps: Adam's do not shrink with
the gradient, so that ours is a small one. Weight decay would pull them to 0, and leaves them alone.
Shapes: B rows, T tasks (S of them read from), D input width, H width of a layer.
"""

from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, ArchitectureSection
from paretorank.blocks import NO_EXTRAS, Activation, ExpertBank, Extras, Rows


class CrossStitchConfig(ArchitectureSection):
    """Hyper-parameters of cross-stitch networks."""

    kind: Literal["cross_stitch"] = "cross_stitch"
    hidden_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 128)
    """Widths of the layers of each task; the last one is what the towers read."""
    activation: Activation = "relu"
    """Applied after each layer."""
    dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the units of each layer that are dropped while training."""
    own_share: Annotated[float, Field(ge=0.0, le=1.0)] = 0.9
    """What a task takes from its own layer at the start; 1 starts without exchange."""
    granularity: Literal["layer", "unit"] = "layer"
    """layer: one coefficient per pair of tasks and layer; unit: one for each unit."""
    rate_factor: PositiveFloat = 10.0
    """Learning rate of the coefficients in that of the network."""

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "CrossStitch":
        """Return the network with initial values drawn from `generator`."""
        return CrossStitch(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class CrossStitch(Architecture):
    """Networks of tasks beside each other that exchange their activations after each layer."""

    def __init__(
        self, config: CrossStitchConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            ExpertBank(
                below,
                (width,),
                n_tasks,
                generator=generator,
                activation=config.activation,
                dropout_rate=config.dropout_rate,
            )
            for below, width in zip(
                (in_dim, *config.hidden_dims[:-1]), config.hidden_dims, strict=True
            )
        )
        start = _near_identity(n_tasks, config.own_share)
        self.stitches = nn.ParameterList(
            start.clone()
            if config.granularity == "layer"
            else start.unsqueeze(2).repeat(1, 1, width)
            for width in config.hidden_dims
        )
        """Entry [t, s] is what task t takes from task s."""
        self.out_dim = config.hidden_dims[-1]
        self.rate_factor = config.rate_factor

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        h: Rows | Tensor = x
        for layer, stitch in zip(self.layers, self.stitches, strict=True):
            h = exchange(layer(h).transpose(0, 1), stitch)
        assert isinstance(h, Tensor)  # noqa: S101 - there is at least one layer
        return h.transpose(0, 1)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        last = self.stitches[-1]  # its rows belong to one task each
        return [parameter for parameter in self.parameters() if parameter is not last]

    @override
    def rate_factors(self) -> list[tuple[nn.Parameter, float]]:
        return [(stitch, self.rate_factor) for stitch in self.stitches]

    @override
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> None:
        return None


def exchange(
    h: Float[Tensor, "S B H"], stitch: Float[Tensor, "T S"] | Float[Tensor, "T S H"]
) -> Float[Tensor, "T B H"]:
    """Return for every task the combination of the activations of all tasks."""
    if stitch.ndim == 2:  # noqa: PLR2004 - one coefficient per pair
        return (stitch @ h.flatten(1)).view(-1, *h.shape[1:])
    return torch.einsum("tsh,sbh->tbh", stitch, h)


def _near_identity(n_tasks: int, own_share: float) -> Float[Tensor, "T T"]:
    if n_tasks == 1:
        return torch.ones(1, 1)
    others = (1 - own_share) / (n_tasks - 1)
    return torch.full((n_tasks, n_tasks), others).fill_diagonal_(own_share)
