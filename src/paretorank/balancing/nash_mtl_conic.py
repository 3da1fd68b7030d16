"""Nash-MTL as its authors solve it: conic programs, from the weights of the last step on.

Source: Navon et al., Multi-Task Learning as a Bargaining Game, ICML 2022, algorithm 1.
The solver is that of TorchJD's `NashMTL`, and slow; `nash` solves the same equation exactly.
Tasks without any gradient have no say and get an equal weight. The remembered weights, where the
solver starts, are kept for each task; an absent task keeps its own. TorchJD hides that its solver
gave up; weights far from a solution count as a failure here.
Shapes: T tasks, P present tasks.
"""

import warnings
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import NonNegativeFloat, PositiveInt
from torch import Tensor
from torchjd.aggregation import NashMTL
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks
from paretorank.balancing.gradient_balancer import PeriodicSection
from paretorank.balancing.guarded_balancer import Guard, GuardedBalancer, ScaledGramian
from paretorank.balancing.optional_packages import require_packages

SOLVED = 0.1  # how far from 1 weights times products with the direction may be


class NashMTLConicConfig(PeriodicSection):
    """Hyper-parameters of Nash-MTL."""

    kind: Literal["nash_mtl_conic"] = "nash_mtl_conic"
    max_norm: NonNegativeFloat = 1.0
    """Largest length of the combined gradient; 0 for no limit."""
    n_iterations: PositiveInt = 20
    """Conic programs in each step, at most."""

    @override
    def make(self, tasks: BalancedTasks) -> "NashMTLConic":
        require_packages(self.kind, ("cvxpy", "ecos"))
        return NashMTLConic(self, tasks.names)


class NashMTLConic(GuardedBalancer):
    """Weighs each gradient by one over its product with the direction."""

    last: Tensor

    def __init__(self, config: NashMTLConicConfig, task_names: Sequence[str]) -> None:
        guard = Guard(leaves_out_zeros=True, power=-0.5)  # weights are one over a length
        super().__init__(task_names, at=config.at, every_steps=config.every_steps, guard=guard)
        self.config = config
        self.register_buffer("last", torch.ones(len(self.task_names), dtype=torch.float64))

    @override
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        n_present = len(problem.tasks)
        if n_present == 1:
            return self._limited(torch.ones_like(problem.gramian[0]), problem)
        values, vectors = torch.linalg.eigh(problem.gramian)
        root = vectors * values.clamp(min=0).sqrt()
        solver = NashMTL(n_present, max_norm=0.0, optim_niter=self.config.n_iterations).weighting
        solver.prvs_alpha = self.last[problem.tasks].cpu().double().numpy()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # cvxpy remarks on how it compiles
            weights: Tensor = solver(root)
        products = problem.gramian @ weights * weights
        if float((products - 1).abs().max()) > SOLVED:
            raise ArithmeticError
        self.last[problem.tasks] = weights.to(self.last)
        return self._limited(weights, problem)

    def _limited(self, weights: Float[Tensor, " P"], problem: ScaledGramian) -> Float[Tensor, " P"]:
        square = float((weights @ problem.gramian @ weights).clamp(min=0))
        limit, length = self.config.max_norm, square**0.5
        return weights * (limit / length) if 0 < limit < length else weights
