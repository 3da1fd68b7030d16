"""DSelect-k: a gate that learns, by gradients alone, to rest on at most k experts.

Source: Hazimeh et al., DSelect-k: Differentiable Selection in the Mixture of Experts with
    Applications to Multi-Task Learning, NeurIPS 2021.
Each of k selectors writes the number of an expert in binary; each bit is a smooth step of a score,
so it becomes exactly 0 or 1, and a softmax weighs the selectors. An entropy term pushes the
selectors to a decision.
We deviate: the number of experts must be a power of two, instead of a penalty on numbers without an
expert; all experts are computed, also those that got no weight; no bias in the scores.
There is no `gates` section: a selector has no softmax over experts whose temperature or dropout
could be set, and balancing the load would work against leaving experts out. What helps instead is
a wider step: a bit outside of it has no gradient, and a wider one is left later.
Shapes: B rows, T tasks, K selectors, M bits, D input width, E experts, H expert width.
"""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures.base import Architecture, Represented
from paretorank.architectures.experts_config import ExpertsConfig
from paretorank.architectures.gate_health import Remedies
from paretorank.blocks import NO_EXTRAS, Extras, Penalized, Rows, linear, mix_experts

EPSILON = 1e-6  # guards the logarithm of an expert that a selector has ruled out
START = 0.01  # spread of the scores at the start, in units of the step's width


class DSelectKConfig(ExpertsConfig):
    """Hyper-parameters of DSelect-k."""

    kind: Literal["dselect_k"] = "dselect_k"
    n_selected: PositiveInt = 2
    """The k of the name: most experts that a task ends up with."""
    per_row: bool = True
    """Whether each row selects; otherwise a task selects once for all rows."""
    step_width: PositiveFloat = 1.0
    """Width of the scores between a bit of 0 and one of 1 (gamma); smaller decides sooner."""
    entropy: NonNegativeFloat = 0.0
    """Factor of the entropy of the selectors, which is added to the loss; more decides sooner."""

    @model_validator(mode="after")
    def _experts_are_numbered_in_binary(self) -> "DSelectKConfig":
        if self.n_experts < 2 or self.n_experts & (self.n_experts - 1):  # noqa: PLR2004 - one bit
            raise ValueError(f"n_experts must be 2, 4, 8 or so on, got {self.n_experts}")
        return self

    def build(self, *, in_dim: int, n_tasks: int, generator: torch.Generator) -> "DSelectK":
        """Return the network with initial values drawn from `generator`."""
        return DSelectK(self, in_dim=in_dim, n_tasks=n_tasks, generator=generator)


class DSelectK(Architecture):
    """Every task mixes at most k of the same experts, once its selectors have decided."""

    gate_remedies: ClassVar[Remedies] = Remedies(
        dead="set model.architecture.step_width to 2.0, so that selectors decide later, with a "
        "lower model.architecture.entropy if it is not 0; or set model.architecture.n_selected "
        "higher or model.architecture.n_experts lower",
        polarised=None,
    )

    def __init__(
        self, config: DSelectKConfig, *, in_dim: int, n_tasks: int, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.experts = config.build_experts(in_dim=in_dim, generator=generator)
        self.gates = SelectorBank(config, in_dim, n_tasks, generator=generator)
        self.out_dim = self.experts.out_dim

    @override
    def forward(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T H"]:
        return self.represent(x, extras).h

    @override
    def represent(self, x: Rows, extras: Extras = NO_EXTRAS) -> Represented:
        weights, experts = self.gates(x), self.experts(x)
        return Represented(mix_experts(weights, experts), experts, weights)

    @override
    def shared_parameters(self) -> list[nn.Parameter]:
        return list(self.experts.parameters())

    @override
    @torch.no_grad()
    def gate_weights(self, x: Rows, extras: Extras = NO_EXTRAS) -> Float[Tensor, "B T E"]:
        return self.gates.weights(x)[0]


class SelectorBank(Penalized):
    """The selectors of all tasks."""

    codes: Tensor

    def __init__(
        self, config: DSelectKConfig, in_dim: int, n_tasks: int, *, generator: torch.Generator
    ) -> None:
        super().__init__()
        n_bits = (config.n_experts - 1).bit_length()
        read = (in_dim,) if config.per_row else ()
        spread = START * config.step_width
        self.bits = nn.Parameter(
            torch.empty(n_tasks * config.n_selected * n_bits, *read).normal_(
                0, spread, generator=generator
            )
        )
        """Scores of the bits of every selector, or what maps the input to them."""
        self.shares = nn.Parameter(
            torch.empty(n_tasks * config.n_selected, *read).normal_(0, START, generator=generator)
        )
        """Logits of the selectors, or what maps the input to them."""
        powers = 2 ** torch.arange(n_bits)
        codes = (torch.arange(config.n_experts).unsqueeze(1) & powers) > 0
        self.register_buffer("codes", codes, persistent=False)
        self.config = config

    @override
    def forward(self, x: Rows) -> Float[Tensor, "B T E"]:
        """Return weights that sum to 1, and leave the penalty behind while training."""
        weights, choices = self.weights(x)
        if self.training:
            entropy = -(choices * (choices + EPSILON).log()).sum(dim=3).mean()
            self.penalty = self.config.entropy * entropy if self.config.entropy else None
        return weights

    def weights(self, x: Rows) -> tuple[Float[Tensor, "B T E"], Float[Tensor, "N T K E"]]:
        """Return the weights, and what each selector chooses (once if not by row)."""
        bits, shares = self.bits.unsqueeze(0), self.shares.unsqueeze(0)
        if self.config.per_row:
            bits, shares = linear(x, self.bits), linear(x, self.shares)
        n_selected, n_bits = self.config.n_selected, self.codes.shape[1]
        is_one = smooth_step(bits, self.config.step_width)
        is_one = is_one.view(len(bits), -1, n_selected, 1, n_bits)
        choices = torch.where(self.codes, is_one, 1 - is_one).prod(dim=4)
        share = shares.view(len(shares), -1, n_selected).softmax(dim=2)
        weights = (share.unsqueeze(3) * choices).sum(dim=2)
        return weights.expand(len(x), -1, -1), choices


def smooth_step(scores: Float[Tensor, "*any"], width: float) -> Float[Tensor, "*any"]:
    """Return the cubic that rises from exactly 0 at `-width / 2` to exactly 1 at `width / 2`."""
    t = (scores / width).clamp(-0.5, 0.5)
    return 0.5 + 1.5 * t - 2 * t**3
