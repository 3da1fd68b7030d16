"""The scalarizers of TorchJD that learn a scale per task: `uw` and `imtl_l`, one object per task.

Source: uw: Kendall, Gal, Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
    Geometry and Semantics, CVPR 2018, section 3.2, with c = 1/2 for all tasks and no bound;
    `uncertainty` is the form to prefer. imtl_l: Liu et al., Towards Impartial Multi-task Learning,
    ICLR 2021, section 3.2.
Both are sums over tasks, so an object of TorchJD per task computes the same as one for all; but the
parameter of an absent task gets no gradient at all, and optimizers with momentum skip it.
Shapes: T tasks.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torchjd.scalarization import IMTLL, UW, Scalarizer
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer


class UWConfig(BalancerSection):
    """Uncertainty weighting as TorchJD has it: one factor for all kinds of tasks, no bound.

    Source: Kendall, Gal, Cipolla, Multi-Task Learning Using Uncertainty to Weigh Losses for Scene
        Geometry and Semantics, CVPR 2018, section 3.2, with c = 1/2 for all tasks.
    """

    kind: Literal["uw"] = "uw"

    @override
    def make(self, tasks: BalancedTasks) -> "LearnedScales":
        return LearnedScales(tasks.names, UW)


class IMTLLConfig(BalancerSection):
    """The loss balance of impartial multi-task learning: scaled losses all tend to 1.

    Source: Liu et al., Towards Impartial Multi-task Learning, ICLR 2021, section 3.2.
    """

    kind: Literal["imtl_l"] = "imtl_l"

    @override
    def make(self, tasks: BalancedTasks) -> "LearnedScales":
        return LearnedScales(tasks.names, IMTLL)


class LearnedScales(LossBalancer):
    """Adds up what a scalarizer per task makes of the losses of the present tasks."""

    def __init__(
        self, task_names: Sequence[str], scalarizer: Callable[[tuple[()]], Scalarizer]
    ) -> None:
        super().__init__(task_names)
        self.scales = nn.ModuleList(scalarizer(()) for _ in self.task_names)

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        tasks = present.nonzero().flatten().tolist()
        return torch.stack([self.scales[task](values[task]) for task in tasks]).sum()
