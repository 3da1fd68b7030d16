"""ESCM2: a task after others learns on its own rows, weighted as if all impressions had a label.

Source: Wang et al., ESCM2: Entire Space Counterfactual Multi-Task Model for Post-Click Conversion
    Rate Estimation, SIGIR 2022, both estimators (IPW and DR).
We deviate: any graph of binary tasks takes the place of click and conversion; guesses and losses
are learned apart, see below.

For a task with binary ancestors let o say whether all of them happened, e be its own loss on rows
with o = 1, and p the chance of all ancestors as the model sees it, held fixed and not below `clip`:

    ipw: R = mean(o e / p)        dr: R = mean(g + o (e - g) / p)

over the rows where the joint event is known, with g >= 0 a guess of e, learned by
mean(o (e - g)^2 / p). The task descends lambda_cvr R + lambda_global L with L as in ESMM. Nothing
in R reaches what makes p. Self-normalised, the weights o / p are divided by their mean over the
rows. The guess is held fixed in R and e in the loss of the guess, so that each learns its own only;
that loss counts lambda_cvr like R and, as an auxiliary loss, is not balanced.

Shapes: B rows, T tasks, J tasks with binary ancestors, H width of a hidden layer.
"""

from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat
from torch import Tensor, nn
from typing_extensions import override

from paretorank.blocks import uniform_parameter
from paretorank.relations.base import (
    Dependencies,
    Penalties,
    Related,
    RelationSection,
    RowLosses,
    Seen,
)
from paretorank.relations.entire_space import EntireSpace


class ESCM2Config(RelationSection):
    """Learn what comes after other tasks from its own rows, corrected for their selection."""

    kind: Literal["escm2"] = "escm2"
    estimator: Literal["ipw", "dr"] = "ipw"
    """ipw: rows count one over their chance to be there; dr: that, and guessed losses elsewhere,
    which varies less, but may be negative, so that balancers that need positive losses refuse."""
    clip: float = Field(default=0.05, gt=0, le=1)
    """Smallest chance of the parents that is believed; larger means less variance, more bias."""
    self_normalise: bool = False
    """Divide the weights of the rows by their mean over the batch."""
    lambda_cvr: NonNegativeFloat = 0.1
    """Share of the weighted loss in the loss of a task with parents."""
    lambda_global: NonNegativeFloat = 1.0
    """Share of the joint event's loss."""

    @property
    @override
    def replaces_losses(self) -> bool:
        return True

    def build(self, graph: Dependencies, *, in_dim: int, generator: torch.Generator) -> "ESCM2":
        """Return the relation with initial values drawn from `generator`."""
        return ESCM2(self, graph, in_dim, generator)


class ESCM2(EntireSpace):
    """Adds losses weighted by inverse propensity to those of joint events."""

    effective_rows: Tensor
    """(sum w)^2 / (sum w^2) of the weights w of each such task's rows among the last that the
    network was trained on; 0 before and without any."""

    def __init__(
        self, config: ESCM2Config, graph: Dependencies, in_dim: int, generator: torch.Generator
    ) -> None:
        super().__init__(graph, in_dim)
        self.config = config
        n_events = len(self.events)
        self.register_buffer("effective_rows", torch.zeros(n_events), persistent=False)
        if config.estimator == "dr" and n_events:
            self.guess_weight = uniform_parameter(
                n_events, in_dim, fan_in=in_dim, generator=generator
            )
            self.guess_bias = nn.Parameter(torch.zeros(n_events))

    def forward(self, hidden: Float[Tensor, "B T H"]) -> Related:
        """Return the hidden layers as they are, with guessed losses for `dr`."""
        if self.config.estimator == "ipw" or not len(self.events):
            return Related(hidden)
        own = hidden.index_select(1, self.events.tasks)
        guess = F.softplus((own * self.guess_weight).sum(dim=2) + self.guess_bias)
        return Related(hidden, self.events.replace(hidden.new_zeros(hidden.shape[:2]), guess))

    def row_losses(self, losses: Float[Tensor, "B T"], seen: Seen) -> RowLosses:
        """Return weighted losses plus joint losses for tasks with binary ancestors."""
        if not len(self.events):
            return RowLosses(losses, seen.observed)
        happened, known = self.events.labels(seen.labels, seen.observed)
        selected = self.events.all_above(seen.labels, seen.observed) & known
        weights = self._weights(seen, selected.to(losses.dtype), known.to(losses.dtype))
        # Own losses of other rows may be of any size; a weight of 0 must not meet infinity.
        own = torch.where(selected, self.events.own(losses), 0.0)
        corrected, penalties = weights * own, None
        if seen.imputed is not None:
            guess = self.events.own(seen.imputed)
            fixed = guess.detach()
            corrected = fixed + weights * (own - fixed)
            errors = weights * (own.detach() - guess).square()
            factor = self.config.lambda_cvr
            penalties = Penalties.of(errors, known, seen.weight, factor=factor)
        joint = self.events.losses(seen.logits, happened)
        combined = self.config.lambda_cvr * corrected + self.config.lambda_global * joint
        return RowLosses(
            self.events.replace(losses, combined),
            self.events.replace(seen.observed, known),
            penalties,
        )

    def watched(self) -> dict[str, Float[Tensor, " T"]]:
        """Return `effective_rows`, NaN for tasks without weights."""
        if not len(self.events):
            return {}
        rows = self.effective_rows.new_full((self.graph.n_tasks,), torch.nan)
        return {"effective_rows": rows.index_copy(0, self.events.tasks, self.effective_rows)}

    @torch.no_grad()
    def _weights(
        self, seen: Seen, selected: Float[Tensor, "B J"], known: Float[Tensor, "B J"]
    ) -> Float[Tensor, "B J"]:
        """Return o / p; also notes how many rows of equal weight these weights are worth."""
        chance = self.events.log_chance_above(seen.logits).exp()
        weights = selected / chance.clamp(min=self.config.clip)
        counted = weights * seen.weight.unsqueeze(1)
        total, squares = counted.sum(dim=0), counted.square().sum(dim=0)
        self.effective_rows = total.square() / torch.where(squares > 0, squares, 1.0)
        if self.config.self_normalise:
            rows = (known * seen.weight.unsqueeze(1)).sum(dim=0)
            weights = weights * rows / torch.where(total > 0, total, 1.0)
        return weights
