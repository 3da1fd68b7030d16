"""The scalarizers of TorchJD that keep no state and draw no random numbers, by name.

Source: TorchJD 0.18, `torchjd.scalarization`; each configuration names the paper.
Absent tasks are left out before TorchJD is called, together with their weights: a `mean` is one
over the present tasks, and preferences sum to 1 over them.
Shapes: T tasks, P present tasks.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal

from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat, PositiveFloat
from torch import Tensor
from torchjd import scalarization
from torchjd.scalarization import Scalarizer
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, BalancerSection, LossBalancer, by_task


class PresentTasks(LossBalancer):
    """Calls a scalarizer of TorchJD with the present tasks only."""

    weights: Tensor
    reference: Tensor

    def __init__(
        self,
        config: "ScalarizerConfig",
        task_names: Sequence[str],
        *,
        weights: Float[Tensor, " T"],
        reference: Float[Tensor, " T"],
    ) -> None:
        super().__init__(task_names)
        self.config = config
        self.register_buffer("weights", weights)
        self.register_buffer("reference", reference)

    @override
    def total(self, values: Float[Tensor, " T"], present: Bool[Tensor, " T"]) -> Float[Tensor, ""]:
        if self.config.needs_positive:
            self.refuse_non_positive(values)
        scalarizer = self.config.scalarizer(self.weights[present], self.reference[present])
        total: Tensor = scalarizer(values[present])
        return total


class ScalarizerConfig(BalancerSection):
    """What the stateless scalarizers have in common."""

    kind: str
    needs_positive: ClassVar[bool] = False
    """Whether losses of 0 or below are refused."""

    @abstractmethod
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        """Return TorchJD's object for the present tasks."""

    @abstractmethod
    def numbers(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        """Return weights and references by task name, as far as the method has them."""

    @override
    def make(self, tasks: BalancedTasks) -> PresentTasks:
        weights, reference = self.numbers()
        return PresentTasks(
            self,
            tasks.names,
            weights=by_task(weights, tasks.names, key="weights", default=1.0),
            reference=by_task(reference, tasks.names, key="reference", default=0.0),
        )


class _WithoutNumbers(ScalarizerConfig):
    @override
    def numbers(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        return {}, {}


class _WithPreference(ScalarizerConfig):
    weights: Mapping[str, PositiveFloat] = Field(default_factory=dict)
    """Preference per task; 1 where not named, then divided by the sum over the present tasks."""


class _WithReference(_WithPreference):
    reference: Mapping[str, float] = Field(default_factory=dict)
    """Best loss that is thought possible per task; 0 where not named."""

    @override
    def numbers(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        return self.weights, self.reference


class MeanConfig(_WithoutNumbers):
    """The mean of the losses; like `equal`, with gradients divided by the number of tasks.

    Source: Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018,
        section 3, equation 1 with all weights 1 / T.
    """

    kind: Literal["mean"] = "mean"

    @override
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        return scalarization.Mean()


class SumConfig(_WithoutNumbers):
    """The sum of the losses: the same as `equal`.

    Source: Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018,
        section 3, equation 1 with all weights 1.
    """

    kind: Literal["sum"] = "sum"

    @override
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        return scalarization.Sum()


class GeometricMeanConfig(_WithoutNumbers):
    """The geometric mean: equal relative progress.

    Source: Chennupati et al., MultiNet++, CVPR Workshops 2019, section 3.3.
    """

    kind: Literal["geometric_mean"] = "geometric_mean"
    needs_positive: ClassVar[bool] = True

    @override
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        return scalarization.GeometricMean()


class ConstantConfig(ScalarizerConfig):
    """A weighted sum: the same as `static`.

    Source: Sener and Koltun, Multi-Task Learning as Multi-Objective Optimization, NeurIPS 2018,
        section 3, equation 1.
    """

    kind: Literal["constant"] = "constant"
    weights: Mapping[str, NonNegativeFloat] = Field(default_factory=dict)
    """Weight per task; a task that is not named has weight 1."""

    @override
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        return scalarization.Constant(weights)

    @override
    def numbers(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        return self.weights, {}


class COSMOSConfig(_WithPreference):
    """A weighted sum that rewards losses in the direction of the preference.

    Source: Ruchte and Grabocka, Scalable Pareto Front Approximation for Deep Multi-Objective
        Learning, ICDM 2021, section IV.
    """

    kind: Literal["cosmos"] = "cosmos"
    cosine_penalty: NonNegativeFloat = 1.0
    """How much the angle counts; 0 is a weighted sum, the paper uses 0.01 to 8."""

    @override
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        return scalarization.COSMOS(self.cosine_penalty, weights / weights.sum())

    @override
    def numbers(self) -> tuple[Mapping[str, float], Mapping[str, float]]:
        return self.weights, {}


class PBIConfig(_WithReference):
    """The distance along the preference, plus a penalty on the distance from it.

    Source: Zhang and Li, MOEA/D, IEEE Transactions on Evolutionary Computation 2007, section II.C.
    """

    kind: Literal["pbi"] = "pbi"
    theta: NonNegativeFloat = 5.0
    """The penalty; the paper uses 5."""

    @override
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        return scalarization.PBI(self.theta, weights / weights.sum(), reference)


class STCHConfig(_WithReference):
    """The smooth maximum of the weighted distances to the reference.

    Source: Lin et al., Smooth Tchebycheff Scalarization for Multi-Objective Optimization,
        ICML 2024, section 3.
    """

    kind: Literal["stch"] = "stch"
    mu: PositiveFloat = 0.1
    """Smoothness: small is near the maximum; the paper tries 0.01 to 1."""

    @override
    def scalarizer(
        self, weights: Float[Tensor, " P"], reference: Float[Tensor, " P"]
    ) -> Scalarizer:
        return scalarization.STCH(self.mu, weights / weights.sum(), reference)
