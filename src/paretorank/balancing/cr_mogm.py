"""CR-MOGM: the weights of another method, averaged over steps.

Source: Zhou et al., On the Convergence of Stochastic Multi-Objective Gradient Manipulation and
    Beyond, NeurIPS 2022, algorithm 1.
The weights are those of TorchJD's `CRMOGMWeighting`. The average is kept for each task: one that is
absent keeps its own, and a new one starts with the weight that it gets.
Shapes: T tasks, P present tasks.
"""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks
from paretorank.balancing.gradient_balancer import (
    GramianBalancer,
    PeriodicSection,
    SeenGradients,
)
from paretorank.balancing.torchjd_stateful import (
    GradVacConfig,
    MoDoConfig,
    PCDConfig,
    SDMGradConfig,
)
from paretorank.balancing.torchjd_weightings import (
    AlignedMTLConfig,
    CAGradConfig,
    DualProjConfig,
    FairGradConfig,
    IMTLGConfig,
    KrumConfig,
    MGDAFrankWolfeConfig,
    PCGradConfig,
)
from paretorank.balancing.upgrad import UPGradConfig

AveragedConfig = Annotated[
    AlignedMTLConfig
    | CAGradConfig
    | DualProjConfig
    | FairGradConfig
    | GradVacConfig
    | IMTLGConfig
    | KrumConfig
    | MGDAFrankWolfeConfig
    | MoDoConfig
    | PCDConfig
    | PCGradConfig
    | SDMGradConfig
    | UPGradConfig,
    Field(discriminator="kind"),
]


class CRMOGMConfig(PeriodicSection):
    """Hyper-parameters of CR-MOGM."""

    kind: Literal["cr_mogm"] = "cr_mogm"
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.9
    """Share of the former average; the paper lets it grow while the learning rate falls."""
    of: AveragedConfig = Field(default_factory=UPGradConfig)
    """Whose weights are averaged; where gradients are taken, and how often, is said outside."""

    @field_validator("of")
    @classmethod
    def _places_are_said_outside(cls, of: PeriodicSection) -> PeriodicSection:
        if of.at != PeriodicSection.model_fields["at"].default or of.every_steps > 1:
            raise ValueError("`at` and `every_steps` belong to cr_mogm itself, not into `of`")
        return of

    @override
    def make(self, tasks: BalancedTasks) -> "CRMOGM":
        inner = self.of.make(tasks)
        return CRMOGM(self, tasks.names, inner)


class CRMOGM(GramianBalancer):
    """Moves slowly from the weights it had to those of another balancer."""

    averages: Tensor

    def __init__(
        self, config: CRMOGMConfig, task_names: Sequence[str], inner: GramianBalancer
    ) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config
        self.inner = inner
        self.first_weight = inner.first_weight
        unknown = torch.full((len(self.task_names),), torch.nan, dtype=torch.float64)
        self.register_buffer("averages", unknown)

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        new = self.inner.weigh(seen)
        known = self.averages[seen.tasks].to(new)
        former = torch.where(known.isnan(), new, known)
        weights = self.config.alpha * former + (1 - self.config.alpha) * new
        self.averages[seen.tasks] = weights.to(self.averages)
        return weights
