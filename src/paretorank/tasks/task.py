"""What is predicted: the configuration of one task."""

from typing import Annotated, Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from typing_extensions import override

from paretorank.losses import (
    D2Q,
    Cread,
    HeteroscedasticLogNormal,
    Huber,
    LogNormal,
    Loss,
    NegativeBinomial,
    Ordinal,
    Poisson,
    ProgressiveTree,
    Quantile,
    SquaredError,
    Tweedie,
    WeightedLogistic,
    ZeroInflatedLogNormal,
)
from paretorank.schema.labels import LabelKind, LabelSpec
from paretorank.tasks.base import Task
from paretorank.tasks.binary import BinaryTask


class RegressionTask(Task):
    """Any number; scores are expected values (squared), robust centres (huber) or quantiles."""

    kind: Literal["regression"] = "regression"
    loss: Literal["squared", "huber", "quantile"] = "squared"
    """squared: the mean matters; huber: outliers pull no more than `huber_delta`; quantile: the
    score is the quantile `quantile`, and no expected value."""
    huber_delta: PositiveFloat = 1.0
    """Distance from the label, in its unit, beyond which huber grows linearly."""
    quantile: float = Field(default=0.5, gt=0, lt=1)
    """Share of the labels that should lie below the score (quantile); 0.5 is the median."""

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @property
    @override
    def scores_mean(self) -> bool:
        return self.loss != "quantile"

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        match self.loss:
            case "squared":
                return SquaredError()
            case "huber":
                return Huber(self.huber_delta)
            case "quantile":
                return Quantile(self.quantile)

    @override
    def loss_key(self) -> tuple[str | float, ...]:
        own = {"squared": (), "huber": (self.huber_delta,), "quantile": (self.quantile,)}
        return (self.loss, *own[self.loss])


class DurationTask(Task):
    """Seconds, at least 0; scores are expected seconds."""

    kind: Literal["duration"] = "duration"
    loss: Literal[
        "lognormal",
        "lognormal_heteroscedastic",
        "zero_inflated_lognormal",
        "weighted_logistic",
        "tweedie",
        "cread",
        "tpm",
        "d2q",
    ] = "lognormal"
    """lognormal: models the logarithm, so relative errors count alike; lognormal_heteroscedastic:
    with a spread of each row's own; zero_inflated_lognormal: the chance of any, and how much if so;
    weighted_logistic: odds are the mean duration, without assuming a distribution; tweedie: the
    mean, with a variance that grows as its power; cread: chances to last beyond each of `n_steps`
    thresholds; tpm: a tree of `tree_depth` questions; d2q: the rank among rows of items about as
    long, and the score is near the median, no expected value."""
    shift_s: PositiveFloat = 1.0
    """Seconds added before the logarithm, so that zero durations are allowed (lognormal and
    lognormal_heteroscedastic)."""
    tweedie_power: float = Field(default=1.5, gt=1, lt=2)
    """Near 1 long durations matter more, near 2 relative errors do (tweedie)."""
    n_steps: PositiveInt = Field(default=16, le=256)
    """Thresholds, each with an output of its own (cread)."""
    tree_depth: PositiveInt = Field(default=4, le=8)
    """Questions on the way to a leaf; there are 2^depth - 1 outputs (tpm)."""
    duration_feature: str | None = None
    """Numeric feature that says how long the item is (d2q)."""
    n_groups: PositiveInt = Field(default=20, le=1000)
    """Groups of rows by the duration of the item, of equal size on the training rows (d2q)."""

    @model_validator(mode="after")
    def _d2q_knows_how_long_items_are(self) -> "DurationTask":
        if self.loss == "d2q" and self.duration_feature is None:
            raise ValueError(
                'loss = "d2q" needs `duration_feature`, the numeric feature that says how long the '
                "item is"
            )
        return self

    @property
    @override
    def reads(self) -> str | None:
        return self.duration_feature if self.loss == "d2q" else None

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @property
    @override
    def scores_mean(self) -> bool:
        return self.loss != "d2q"

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        match self.loss:
            case "lognormal":
                return LogNormal(n_tasks, shift=self.shift_s)
            case "lognormal_heteroscedastic":
                return HeteroscedasticLogNormal(n_tasks, shift=self.shift_s)
            case "zero_inflated_lognormal":
                return ZeroInflatedLogNormal(n_tasks)
            case "weighted_logistic":
                return WeightedLogistic(n_tasks)
            case "tweedie":
                return Tweedie(n_tasks, power=self.tweedie_power)
            case "cread":
                return Cread(n_tasks, n_steps=self.n_steps)
            case "tpm":
                return ProgressiveTree(n_tasks, depth=self.tree_depth)
            case "d2q":
                return D2Q(n_tasks, n_groups=self.n_groups)

    @override
    def loss_key(self) -> tuple[str | float, ...]:
        own: dict[str, float] = {
            "lognormal": self.shift_s,
            "lognormal_heteroscedastic": self.shift_s,
            "tweedie": self.tweedie_power,
            "cread": float(self.n_steps),
            "tpm": float(self.tree_depth),
            "d2q": float(self.n_groups),
        }
        return (self.loss, own[self.loss]) if self.loss in own else (self.loss,)


class CountTask(Task):
    """0, 1, 2, ...; scores are expected counts."""

    kind: Literal["count"] = "count"
    loss: Literal["poisson", "negative_binomial"] = "poisson"
    """poisson: the variance is taken to equal the mean; negative_binomial: it is larger, by what
    the task learns."""

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        return NegativeBinomial(n_tasks) if self.loss == "negative_binomial" else Poisson()

    @override
    def loss_key(self) -> tuple[str | float, ...]:
        return (self.loss,)


class OrdinalTask(Task):
    """Levels that have an order, such as stars; scores are expected levels."""

    kind: Literal["ordinal"] = "ordinal"
    n_levels: int = Field(ge=2, le=256)
    """Labels are 0, 1, ..., n_levels - 1; one to five stars are six levels, of which the lowest
    never occurs, and costs nothing."""

    @property
    @override
    def label_kind(self) -> LabelKind:
        return self.kind

    @override
    def build_loss(self, *, n_tasks: int) -> Loss:
        return Ordinal(n_tasks, self.n_levels)

    @override
    def label_spec(self, name: str) -> LabelSpec:
        return super().label_spec(name).model_copy(update={"n_levels": self.n_levels})

    @override
    def loss_key(self) -> tuple[str | float, ...]:
        return (self.kind, float(self.n_levels))


TaskConfig = Annotated[
    BinaryTask | RegressionTask | DurationTask | CountTask | OrdinalTask,
    Field(discriminator="kind"),
]
