"""The weightings of TorchJD that keep no state, by name.

Source: TorchJD 0.18, `torchjd.aggregation`; each configuration names the paper.
TorchJD is given the inner products of the present tasks only, divided by their mean squared
length, which changes no weights but takes absolute thresholds out of play. Preferences sum to 1
over the present tasks. Weights sum to about 1 where nothing conflicts, unless it says otherwise.
Shapes: T tasks, P present tasks.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from jaxtyping import Float
from pydantic import Field, NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from torchjd import aggregation
from torchjd.aggregation import Weighting
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.cagrad import ExactCAGrad
from paretorank.balancing.dual_cone import ExactProjector
from paretorank.balancing.gradient_balancer import PeriodicSection
from paretorank.balancing.guarded_balancer import (
    Guard,
    GuardedBalancer,
    ScaledGramian,
    new_seed,
)
from paretorank.foundation.errors import ConfigError


class PresentWeights(GuardedBalancer):
    """Calls a weighting of TorchJD with the present tasks only."""

    preference: Tensor

    def __init__(
        self,
        config: "WeightingConfig",
        task_names: Sequence[str],
        *,
        preference: Float[Tensor, " T"],
        seed: int,
    ) -> None:
        super().__init__(
            task_names,
            at=config.at,
            every_steps=config.every_steps,
            guard=config.guard(),
            seed=seed,
        )
        self.config = config
        self.register_buffer("preference", preference)

    @override
    def solve(self, problem: ScaledGramian) -> Float[Tensor, " P"]:
        wished = self.preference.to(problem.gramian)[problem.tasks]
        weights: Tensor = self.config.weighting(wished / wished.sum())(problem.gramian)
        return weights


class WeightingConfig(PeriodicSection):
    """What the stateless weightings have in common."""

    kind: str

    @abstractmethod
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        """Return what finds the weights of as many tasks as the preference has."""

    @abstractmethod
    def guard(self) -> Guard:
        """Return what is peculiar to the method."""

    @abstractmethod
    def preferences(self) -> Mapping[str, float]:
        """Return the preference by task name, as far as the method has one."""

    @abstractmethod
    def refuse_few_tasks(self, n_tasks: int) -> None:
        """Stop where the method needs more tasks."""

    @override
    def make(self, tasks: BalancedTasks) -> PresentWeights:
        self.refuse_few_tasks(len(tasks.names))
        wished = by_task(self.preferences(), tasks.names, key="preference", default=1.0)
        return PresentWeights(self, tasks.names, preference=wished, seed=new_seed(tasks.generator))


class _ForAnyNumber(WeightingConfig):
    @override
    def refuse_few_tasks(self, n_tasks: int) -> None:
        pass


class _WithoutPreference(_ForAnyNumber):
    @override
    def preferences(self) -> Mapping[str, float]:
        return {}


class _Plain(_WithoutPreference):
    @override
    def guard(self) -> Guard:
        return Guard()


class _WithPreference(_ForAnyNumber):
    preference: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """Share per task; 1 where not named, then divided by the sum over the present tasks."""

    @override
    def preferences(self) -> Mapping[str, float]:
        return self.preference

    @override
    def guard(self) -> Guard:
        return Guard()


class AlignedMTLConfig(_WithPreference):
    """Aligned-MTL: makes gradients orthogonal and equally long before they are added up.

    Source: Senushkin et al., Independent Component Alignment for Multi-Task Learning, CVPR 2023,
        algorithm 1.
    """

    kind: Literal["aligned_mtl"] = "aligned_mtl"
    scale_mode: Literal["min", "median", "rmse"] = "min"
    """Which eigenvalue gives the common length; the authors' code takes the mean: `rmse`."""

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.AlignedMTLWeighting(preference, self.scale_mode)


class CAGradConfig(_WithoutPreference):
    """CAGrad: helps the worst task most, within a ball around the mean gradient.

    Source: Liu et al., Conflict-Averse Gradient Descent for Multi-task Learning, NeurIPS 2021,
        algorithm 1.
    We deviate from TorchJD: the weights are exact to rounding, rather than to 1e-4, and need no
    solver of conic programs.
    """

    kind: Literal["cagrad"] = "cagrad"
    c: NonNegativeFloat = 0.4
    """Radius of the ball, in lengths of the mean; 0 is the mean, the paper uses 0.2 to 0.5."""

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return ExactCAGrad(self.c)

    @override
    def guard(self) -> Guard:
        return Guard(leaves_out_zeros=True)  # a task without gradient cannot be helped


class DualProjConfig(_WithPreference):
    """Dual projection: the mean gradient, projected so that it hurts no task.

    Source: Lopez-Paz and Ranzato, Gradient Episodic Memory for Continual Learning, NeurIPS 2017,
        equation 11.
    """

    kind: Literal["dual_proj"] = "dual_proj"

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.DualProjWeighting(preference, projector=ExactProjector())


class FairGradConfig(_WithoutPreference):
    """FairGrad: alpha-fair progress of the tasks; the longer gradients, the smaller weights.

    Source: Ban and Ji, Fair Resource Allocation in Multi-Task Learning, ICML 2024, equation 4.
    """

    kind: Literal["fair_grad"] = "fair_grad"
    alpha: NonNegativeFloat = 1.0
    """0: equal weights; 1: proportional fairness, as `nash`; large: the least progress counts."""

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.FairGradWeighting(alpha=self.alpha)

    @override
    def guard(self) -> Guard:
        # G w = w^(-1/alpha): gradients s times as long have weights s^(-2 alpha / (1 + alpha)).
        return Guard(leaves_out_zeros=True, power=-self.alpha / (1 + self.alpha))


class IMTLGConfig(_WithoutPreference):
    """IMTL-G: all gradients have the same projection; weights may be negative.

    Source: Liu et al., Towards Impartial Multi-task Learning, ICLR 2021, section 3.1; linearly
        dependent gradients as in arXiv 2406.16232.
    """

    kind: Literal["imtl_g"] = "imtl_g"

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.IMTLGWeighting()

    @override
    def guard(self) -> Guard:
        return Guard(refuses_zeros=True)  # what TorchJD returns where there is no such direction


class KrumConfig(WeightingConfig):
    """Krum: takes the gradients that are nearest to the others, and no other.

    Source: Blanchard et al., Machine Learning with Adversaries: Byzantine Tolerant Gradient
        Descent, NeurIPS 2017, section 4.
    """

    kind: Literal["krum"] = "krum"
    n_byzantine: NonNegativeInt = 0
    """Gradients that may be wrong; there must be 3 more tasks. Less where tasks are absent."""
    n_selected: PositiveInt = 1
    """Gradients that are averaged; at most all tasks."""

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        n_present = len(preference)
        if n_present < 3:  # noqa: PLR2004  # no majority
            return aggregation.MeanWeighting()
        return aggregation.KrumWeighting(
            min(self.n_byzantine, n_present - 3), min(self.n_selected, n_present)
        )

    @override
    def preferences(self) -> Mapping[str, float]:
        return {}

    @override
    def guard(self) -> Guard:
        return Guard()

    @override
    def refuse_few_tasks(self, n_tasks: int) -> None:
        if n_tasks < max(self.n_byzantine + 3, self.n_selected):
            raise ConfigError(
                f'balancer.kind = "krum" needs 3 tasks more than `balancer.n_byzantine`, '
                f"and as many as `balancer.n_selected`; there are {n_tasks}.",
                hint='balancer.kind = "upgrad" takes any number of tasks.',
            )


class MGDAFrankWolfeConfig(_Plain):
    """MGDA: the shortest combination, approximately; `mgda` solves for it exactly.

    Source: Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018,
        algorithm 2.
    """

    kind: Literal["mgda_frank_wolfe"] = "mgda_frank_wolfe"
    epsilon: Annotated[float, Field(gt=0, lt=1)] = 0.001
    """Length of a step below which the solver stops."""
    max_iterations: PositiveInt = 100
    """Steps after which the solver stops."""

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.MGDAWeighting(self.epsilon, self.max_iterations)


class PCGradConfig(_WithoutPreference):
    """PCGrad: takes from each gradient what conflicts with another, in random order; adds up.

    Source: Yu et al., Gradient Surgery for Multi-Task Learning, NeurIPS 2020, algorithm 1.
    """

    kind: Literal["pcgrad"] = "pcgrad"

    @override
    def weighting(self, preference: Float[Tensor, " P"]) -> Weighting:
        return aggregation.PCGradWeighting()

    @override
    def guard(self) -> Guard:
        return Guard(adds_up=True, draws=True)
