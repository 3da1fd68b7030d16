"""What can be set about the simulated feed."""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from paretorank.foundation.section import Section
from paretorank.foundation.suggestions import did_you_mean

TASKS = (
    "click",
    "long_view",
    "like",
    "profile_enter",
    "follow",
    "hate",
    "watch",
)
"""Order of the task axis in every array of the simulator."""
NESTED = ("long_view", "like", "profile_enter", "follow")
"""Binary tasks that follow a click."""
DELAYED = ("profile_enter", "follow")
"""Nested tasks whose label comes later than the impression."""
PASSIVE = ("click", "long_view", "watch")
"""Tasks of attention."""
ACTIVE = ("like", "profile_enter", "follow")
"""Tasks of engagement."""
LABEL_COLUMNS = {
    "click": "is_click",
    "long_view": "long_view",
    "like": "is_like",
    "profile_enter": "is_profile_enter",
    "follow": "is_follow",
    "hate": "is_hate",
    "watch": "watch_s",
}
"""Column of the log that holds each task's label."""

Rate = Annotated[float, Field(gt=0, lt=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class FeedRates(Section):
    """Share of the impressions on which each feedback happens; KuaiRand's by default."""

    click: Rate = 0.44
    long_view: Rate = 0.31
    like: Rate = 0.017
    profile_enter: Rate = 0.018
    follow: Rate = 0.0013
    hate: Rate = 0.0008
    """Negative feedback such as "not interested"."""

    @model_validator(mode="after")
    def _clicks_come_first(self) -> "FeedRates":
        for task in NESTED:
            if getattr(self, task) >= self.click:
                raise ValueError(f"`rates.{task}` must be below `rates.click` ({self.click})")
        return self


class FeedConfig(Section):
    """Size, rates and dials of a simulated short-video feed."""

    n_rows: PositiveInt = 200_000
    """Impressions."""
    n_users: PositiveInt = 2_000
    """Users; their activity is log-normal, so the log may lack the rarest."""
    n_items: PositiveInt = 5_000
    """Videos."""
    n_authors: PositiveInt = 800
    """Authors; how many videos each has is itself skewed."""
    n_tags: PositiveInt = 30
    """Topics; an author mostly keeps to one."""
    n_days: PositiveInt = 14
    """Days that the log covers."""
    request_size: PositiveInt = 8
    """Impressions per request, or their mean before the cut at half of `pool_size`."""
    request_sizes: Literal["fixed", "geometric"] = "fixed"
    """Whether every request has `request_size` impressions or a geometric number of them."""
    pool_size: PositiveInt = 32
    """Videos, drawn by popularity, among which the logging policy picks those of a request."""
    seed: int = 0
    """Seed of everything."""
    rates: FeedRates = FeedRates()
    """Share of the impressions with each feedback, before delay and missing labels."""
    click_watch_s: PositiveFloat = 25.0
    """Mean seconds watched after a click."""
    relatedness: Annotated[float, Field(ge=-0.9, le=0.9)] = 0.3
    """Cosine of every passive task's direction (click, long_view, watch) with every active one's
    (like, profile_enter, follow); negative is conflict."""
    group_cosine: Annotated[float, Field(gt=0, lt=1)] = 0.9
    """Cosine of two task directions of one group; at least |relatedness|."""
    popularity_exponent: NonNegativeFloat = 0.9
    """Exponent of the Zipf law of the items' popularity."""
    selection_strength: NonNegativeFloat = 1.0
    """How much the logging policy prefers what it believes will be clicked; 0 shows the pool at
    random."""
    policy_noise: NonNegativeFloat = 0.7
    """Standard deviation of the policy's error about the click logit (which has about 1.1)."""
    position_bias: NonNegativeFloat = 0.15
    """The place p = 0, 1, ... of a list is examined with probability (1 + p)^-position_bias."""
    drift_per_day: NonNegativeFloat = 0.03
    """Angle in radians by which the appeal of every item turns per day."""
    follow_delay_h: NonNegativeFloat = 6.0
    """Mean hours from the impression to the follow (exponential); 0 is at once."""
    profile_enter_delay_h: NonNegativeFloat = 0.2
    """Mean hours from the impression to the profile visit (exponential); 0 is at once."""
    off_click_rate: Share = 0.0
    """P(feedback | no click) as a share of P(feedback | click), for the tasks after the click;
    0 means that they cannot happen without one."""
    missing_rates: dict[str, Share] = Field(default_factory=dict)
    """Share of the rows, drawn at random, on which a task's label is null; by task."""
    history_length: Annotated[int, Field(ge=0)] = 0
    """Adds a list of the user's last so many clicks before the request; 0 adds no column."""

    @model_validator(mode="after")
    def _fits_together(self) -> "FeedConfig":
        if self.group_cosine < abs(self.relatedness):
            raise ValueError(
                f"`group_cosine` must be at least |relatedness| = {abs(self.relatedness)},"
                f" got {self.group_cosine}"
            )
        if self.pool_size < 2 * self.request_size:
            raise ValueError(
                f"`pool_size` must be at least twice `request_size` = {self.request_size},"
                f" got {self.pool_size}"
            )
        for task in self.missing_rates:
            if task not in TASKS:
                raise ValueError(
                    f"`missing_rates.{task}` is no task of the feed. {did_you_mean(task, TASKS)}"
                )
        return self

    def task_rate(self, task: str) -> float:
        """Return the share of the impressions with the feedback of a binary task."""
        return float(getattr(self.rates, task))

    def delay_h(self, task: str) -> float:
        """Return the mean hours between impression and label; 0 for tasks without delay."""
        return float(getattr(self, f"{task}_delay_h")) if task in DELAYED else 0.0
