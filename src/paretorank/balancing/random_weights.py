"""Random loss weighting: new weights in every step.

Source: Lin et al., Reasonable Effectiveness of Random Weighting, TMLR 2022, section 3, algorithm 2
    (softmax of standard normal numbers).
TorchJD's `Random` draws from the global generator; here the numbers are a function of a seed and
the count of steps, so that a resumed run repeats them. The weights of the present tasks sum to 1.
Shapes: T tasks.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer
from paretorank.foundation.seeds import derive_seed

LARGEST_SEED = 2**62


class RandomConfig(BalancerSection):
    """Random weights have nothing to set."""

    kind: Literal["random"] = "random"

    @override
    def make(self, tasks: BalancedTasks) -> "RandomWeights":
        seed = int(torch.randint(LARGEST_SEED, (), generator=tasks.generator))
        return RandomWeights(tasks.names, seed=seed)


class RandomWeights(LossBalancer):
    """Adds up the losses with random weights that change at every call."""

    seed: Tensor
    n_calls: Tensor

    def __init__(self, task_names: Sequence[str], *, seed: int) -> None:
        super().__init__(task_names)
        self.register_buffer("seed", torch.tensor(seed))
        self.register_buffer("n_calls", torch.tensor(0))

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        seed = derive_seed(int(self.seed), "weights", int(self.n_calls))
        self.n_calls += 1
        generator = torch.Generator().manual_seed(seed)
        normal = torch.randn(len(values), generator=generator).to(values)
        return (normal[present].softmax(dim=0) * values[present]).sum()
