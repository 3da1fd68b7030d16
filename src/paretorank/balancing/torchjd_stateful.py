"""The weightings of TorchJD that remember earlier steps, by name.

Source: TorchJD 0.18, `torchjd.aggregation`; each configuration names the paper.
What a method remembers is kept here, for each task or pair of tasks, and handed to TorchJD's object
for the present tasks, then taken back. An absent task keeps what it has.
Shapes: T tasks, P present tasks.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt
from torch import Tensor
from torchjd import aggregation
from torchjd.aggregation import Weighting
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.gradient_balancer import PeriodicSection
from paretorank.balancing.guarded_balancer import (
    Guard,
    GuardedBalancer,
    ScaledGramian,
    new_seed,
)

NEAREST_TO_PARALLEL = 0.99  # of a target of GradVac: at 1, corrections have no bound


class StatefulConfig(PeriodicSection, ABC):
    """What the weightings with a memory have in common."""

    kind: str

    @override
    def make(self, tasks: BalancedTasks) -> GuardedBalancer:
        return self.remembering(tasks.names, seed=new_seed(tasks.generator))

    @abstractmethod
    def remembering(self, task_names: Sequence[str], *, seed: int) -> GuardedBalancer:
        """Return the balancer that keeps the state."""


class GradVacConfig(StatefulConfig):
    """GradVac: turns gradients until their cosines are what they were on average; adds up.

    Targets stay below 0.99: beyond, a correction has no bound.

    Source: Wang et al., Gradient Vaccine, ICLR 2021, algorithm 1.
    """

    kind: Literal["grad_vac"] = "grad_vac"
    beta: Annotated[float, Field(ge=0, le=1)] = 0.5
    """How fast targets follow; the paper uses 0.01, common code 0.5."""

    @override
    def remembering(self, task_names: Sequence[str], *, seed: int) -> "GradVac":
        return GradVac(self, task_names, seed=seed)


class GradVac(GuardedBalancer):
    """Remembers a target cosine for each pair of tasks."""

    targets: Tensor

    def __init__(self, config: GradVacConfig, task_names: Sequence[str], *, seed: int) -> None:
        guard = Guard(adds_up=True, leaves_out_zeros=True, draws=True)
        super().__init__(
            task_names, at=config.at, every_steps=config.every_steps, guard=guard, seed=seed
        )
        self.config = config
        n_tasks = len(self.task_names)
        self.register_buffer("targets", torch.zeros(n_tasks, n_tasks, dtype=torch.float64))

    @override
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        pairs = problem.tasks.unsqueeze(1), problem.tasks
        targets = self.targets[pairs].to(problem.gramian)
        weighting = aggregation.GradVacWeighting(beta=self.config.beta)
        _recall_(weighting, _phi_t=targets, _state_key=(len(targets), targets.dtype))
        weights: Tensor = weighting(problem.gramian)
        found = weighting.get_buffer("_phi_t").clamp(max=NEAREST_TO_PARALLEL)
        self.targets[pairs] = found.to(self.targets)
        return weights


class PCDConfig(StatefulConfig):
    """PCD: follows the gradient of one task, with a minimum of progress for each other one.

    Source: Priority-Constrained Descent for Hierarchical Multi-Objective Optimization, TMLR 2026,
        arXiv 2606.29521.
    """

    kind: Literal["pcd"] = "pcd"
    primary: str = ""
    """The task that is followed, the first where empty; where it is absent, the next."""
    tau: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Least progress of the other tasks, as a share of the progress along their own gradients."""
    beta: Annotated[float, Field(ge=0, lt=1)] = 0.999
    """How slowly the average squared lengths of gradients follow."""
    epsilon: NonNegativeFloat = 1e-16
    """Added to average squared lengths, which are small at a representation; the paper has 1e-8."""

    @override
    def remembering(self, task_names: Sequence[str], *, seed: int) -> "PCD":
        named = {self.primary: 1.0} if self.primary else {task_names[0]: 1.0}
        primary = by_task(named, task_names, key="primary", default=0.0).argmax()
        return PCD(self, task_names, primary=int(primary))


class PCD(GuardedBalancer):
    """Remembers how long each task's gradient is on average."""

    mean_squares: Tensor
    n_updates: Tensor

    def __init__(self, config: PCDConfig, task_names: Sequence[str], *, primary: int) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config
        self.primary = primary
        unknown = torch.full((len(self.task_names),), torch.nan, dtype=torch.float64)
        self.register_buffer("mean_squares", unknown)
        self.register_buffer("n_updates", torch.tensor(0))

    @override
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        config, n_updates = self.config, int(self.n_updates)
        order = (problem.tasks != self.primary).int().argsort(stable=True)
        gramian = problem.gramian[order][:, order] * problem.mean_square
        tasks = problem.tasks[order]
        known = self.mean_squares[tasks].to(gramian)
        # An average that a task does not have yet, or had no part in, stands at its mean so far.
        average = torch.where(known.isnan(), gramian.diagonal(), known)
        weighting = aggregation.PCDWeighting(config.tau, config.beta, config.epsilon)
        _recall_(
            weighting,
            _sq_norm_ema=average * (1 - config.beta**n_updates),
            _n_steps=torch.tensor(n_updates),
            _state_key=len(tasks),
        )
        weights = torch.zeros_like(average)
        weights[order] = weighting(gramian)
        found = weighting.get_buffer("_sq_norm_ema") / (1 - config.beta ** (n_updates + 1))
        self.mean_squares[tasks] = found.to(self.mean_squares)
        self.n_updates += 1
        return weights


class SimplexConfig(StatefulConfig, ABC):
    """What methods have in common whose weights themselves go on from step to step."""

    memory: ClassVar[str]
    """Where TorchJD's object keeps its weights."""
    sees_lengths: ClassVar[bool]
    """Whether it matters how long gradients are."""

    @abstractmethod
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        """Return TorchJD's object, without memory."""


class SDMGradConfig(SimplexConfig):
    """SDMGrad: the shortest combination near a preference, found by some steps in each step.

    The proofs ask for inner products of gradients on two batches; here, both are the same.

    Source: Xiao et al., Direction-oriented Multi-objective Learning, NeurIPS 2023, algorithm 1.
    """

    kind: Literal["sdmgrad"] = "sdmgrad"
    memory: ClassVar[str] = "_w"
    sees_lengths: ClassVar[bool] = False
    learning_rate: PositiveFloat = 10.0
    """Of the weights."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """Of the weights."""
    n_iterations: PositiveInt = 20
    """Steps of the weights in each step of training."""
    pull: NonNegativeFloat = 0.3
    """Towards the preference; the paper calls it lambda."""
    preference: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """Share per task; 1 where not named, then divided by the sum over the present tasks."""

    @override
    def remembering(self, task_names: Sequence[str], *, seed: int) -> "SimplexWeights":
        wished = by_task(self.preference, task_names, key="preference", default=1.0)
        return SimplexWeights(self, task_names, preference=wished)

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.SDMGradWeighting(
            self.learning_rate, self.momentum, self.n_iterations, self.pull, preference
        )


class MoDoConfig(SimplexConfig):
    """MoDo: the shortest combination of gradients, approached by one step in each step.

    The proofs ask for inner products of gradients on two batches; here, both are the same.

    Source: Chen et al., Three-Way Trade-Off in Multi-Objective Learning, JMLR 2024, algorithm 1.
    """

    kind: Literal["modo"] = "modo"
    memory: ClassVar[str] = "_lambda"
    sees_lengths: ClassVar[bool] = True
    gamma: PositiveFloat = 0.1
    """Learning rate of the weights: as large as one over the squared length of gradients."""
    rho: NonNegativeFloat = 0.1
    """Pull towards equal weights."""

    @override
    def remembering(self, task_names: Sequence[str], *, seed: int) -> "SimplexWeights":
        return SimplexWeights(self, task_names, preference=torch.ones(len(task_names)))

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.MoDoWeighting(gamma=self.gamma, rho=self.rho)


class SimplexWeights(GuardedBalancer):
    """Remembers weights that go on from step to step; present tasks share what they have."""

    preference: Tensor
    mixture: Tensor

    def __init__(
        self,
        config: SimplexConfig,
        task_names: Sequence[str],
        *,
        preference: Float[Tensor, " T"],
    ) -> None:
        super().__init__(task_names, at=config.at, every_steps=config.every_steps)
        self.config = config
        equal = torch.full((len(self.task_names),), 1 / len(self.task_names), dtype=torch.float64)
        self.register_buffer("preference", preference)
        self.register_buffer("mixture", equal)

    @override
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        gramian = problem.gramian
        if self.config.sees_lengths:
            gramian = gramian * problem.mean_square
        wished = self.preference.to(gramian)[problem.tasks]
        weighting = self.config.weighting(wished / wished.sum())
        start = _on_simplex(self.mixture[problem.tasks].to(gramian))
        key = (len(gramian), gramian.dtype, gramian.device)
        _recall_(weighting, **{self.config.memory: start, "_state_key": key})
        weights = _on_simplex(weighting(gramian))
        found = _on_simplex(weighting.get_buffer(self.config.memory))
        self.mixture[problem.tasks] = found.to(self.mixture)
        return weights


def _recall_(weighting: Weighting, **state: object) -> None:
    """Give TorchJD's object what it would remember if it had seen these tasks before.

    Raises:
        AttributeError: this version of TorchJD keeps its state under other names.
    """
    for name, value in state.items():
        getattr(weighting, name)
        setattr(weighting, name, value)


def _on_simplex(weights: Float[Tensor, " P"]) -> Float[Tensor, " P"]:
    total = weights.sum()
    return weights / total if total > 0 else torch.full_like(weights, 1 / len(weights))
