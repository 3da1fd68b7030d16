"""True probabilities and the feedback drawn from them.

    P(click)     = examination(position) · sigmoid(b + affinity)
    P(k | click) = sigmoid(b_k + affinity_k)            for long view, like, profile visit, follow
    P(k)         = P(click) · P(k | click) + (1 - P(click)) · off_click_rate · P(k | click)
    P(hate)      = (1 - 0.8·P(click)) · sigmoid(b + affinity), drawn as P(hate | click) = 0.2·h
                   and P(hate | no click) = h
    watch        = exp(b + affinity + 0.8·N(0, 1)) seconds after a click, else 0

The intercepts b make the mean probabilities of the log equal to the configured rates. Long view
and watch seconds share nine tenths of their noise, so that long views are watched longer than
the row's own chances say; a long view is nevertheless not defined by a threshold on the seconds.

Shapes: B rows, T tasks.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import expit, ndtr

from paretorank.datasets.feed_config import DELAYED, NESTED, TASKS, FeedConfig
from paretorank.foundation.errors import ConfigError

LOG_WATCH_STD = 0.8
_HATE_AFTER_CLICK = 0.2
_SHARED_NOISE = 0.9
_CALIBRATION_ROWS = 200_000
_BISECTION_STEPS = 50
_LOGIT_LIMIT = 40.0


@dataclass(frozen=True)
class Chances:
    """What is true about every row before anything is drawn."""

    examination: Float[np.ndarray, " B"]
    attractiveness: Float[np.ndarray, " B"]
    """P(click | examined)."""
    given_click: dict[str, Float[np.ndarray, " B"]]
    """P(task | click), for all rows, of the tasks after the click and of hate."""
    log_watch_mean: Float[np.ndarray, " B"]
    off_click_rate: float

    @property
    def click(self) -> Float[np.ndarray, " B"]:
        """P(click)."""
        return self.examination * self.attractiveness

    @property
    def watch_given_click_s(self) -> Float[np.ndarray, " B"]:
        """Expected seconds after a click."""
        return np.asarray(np.exp(self.log_watch_mean + np.float32(LOG_WATCH_STD**2 / 2)))

    def binary(self, task: str) -> Float[np.ndarray, " B"]:
        """Return P(task) of a binary task."""
        if task == "click":
            return self.click
        given = self.given_click[task]
        if task == "hate":
            return given * _hate_gate(self.click) / np.float32(_HATE_AFTER_CLICK)
        return given * _nested_gate(self.click, self.off_click_rate)


@dataclass(frozen=True)
class Outcomes:
    """What happened on every row, whether or not the log's end hides it."""

    happened: dict[str, Bool[np.ndarray, " B"]]
    watch_s: Float[np.ndarray, " B"]
    delay_ms: dict[str, Int[np.ndarray, " B"]]
    """Time from impression to label of the delayed tasks, on all rows."""


def calibrate(
    config: FeedConfig,
    affinities: Float[np.ndarray, "B T"],
    examination: Float[np.ndarray, " B"],
) -> Float[np.ndarray, " T"]:
    """Return the intercepts with which the log has the configured rates.

    Raises:
        ConfigError: the clicks asked for are more than the examined places allow.
    """
    step = -(-len(affinities) // _CALIBRATION_ROWS)
    affinity = {task: affinities[::step, index] for index, task in enumerate(TASKS)}
    gate = examination[::step]
    intercepts = {"click": _intercept(affinity["click"], gate, config.task_rate("click"))}
    click = gate * expit(affinity["click"] + intercepts["click"])
    for task in NESTED:
        nested = _nested_gate(click, config.off_click_rate)
        intercepts[task] = _intercept(affinity[task], nested, config.task_rate(task))
    intercepts["hate"] = _intercept(affinity["hate"], _hate_gate(click), config.task_rate("hate"))
    mean_watch = np.average(np.exp(affinity["watch"] + LOG_WATCH_STD**2 / 2), weights=click)
    intercepts["watch"] = float(np.log(config.click_watch_s / mean_watch))
    return np.array([intercepts[task] for task in TASKS], dtype=np.float32)


def chances(
    config: FeedConfig,
    affinities: Float[np.ndarray, "B T"],
    intercepts: Float[np.ndarray, " T"],
    examination: Float[np.ndarray, " B"],
) -> Chances:
    """Return the true probabilities of every row."""
    logit = {task: affinities[:, k] + intercepts[k] for k, task in enumerate(TASKS)}
    given_click = {task: expit(logit[task]) for task in NESTED}
    given_click["hate"] = np.float32(_HATE_AFTER_CLICK) * expit(logit["hate"])
    return Chances(
        examination=examination,
        attractiveness=expit(logit["click"]),
        given_click=given_click,
        log_watch_mean=logit["watch"],
        off_click_rate=config.off_click_rate,
    )


def draw_outcomes(config: FeedConfig, chances: Chances, generator: np.random.Generator) -> Outcomes:
    """Draw the click, then what follows from it or from its absence."""
    n = len(chances.examination)
    click = _uniform(generator, n) < chances.click
    keenness = generator.standard_normal(n, dtype=np.float32)
    happened = {"click": click}
    off_click = np.where(click, np.float32(1), np.float32(config.off_click_rate))
    for task in NESTED:
        uniform = ndtr(-keenness) if task == "long_view" else _uniform(generator, n)
        happened[task] = uniform < off_click * chances.given_click[task]
    hate_factor = np.where(click, np.float32(1), np.float32(1 / _HATE_AFTER_CLICK))
    happened["hate"] = _uniform(generator, n) < hate_factor * chances.given_click["hate"]
    own = generator.standard_normal(n, dtype=np.float32)
    noise = _SHARED_NOISE * keenness + np.sqrt(1 - _SHARED_NOISE**2) * own
    watch_s = np.where(click, np.exp(chances.log_watch_mean + LOG_WATCH_STD * noise), 0)
    delay_ms = {
        task: (config.delay_h(task) * 3_600_000 * generator.standard_exponential(n)).astype(
            np.int64
        )
        for task in DELAYED
    }
    return Outcomes(happened=happened, watch_s=watch_s.astype(np.float32), delay_ms=delay_ms)


def _intercept(
    affinity: Float[np.ndarray, " B"], gate: Float[np.ndarray, " B"], rate: float
) -> float:
    """Return b with mean(gate · sigmoid(b + affinity)) = rate, by bisection."""
    low, high = -_LOGIT_LIMIT, _LOGIT_LIMIT
    if float(gate.mean()) <= rate:
        raise ConfigError(
            f"`rates` ask for feedback on a share {rate} of the impressions, but only a share"
            f" {float(gate.mean()):.4f} of them can have it.",
            hint="Lower the rate, or lower `position_bias`.",
        )
    for _ in range(_BISECTION_STEPS):
        middle = (low + high) / 2
        mean = float((gate * expit(affinity + np.float32(middle))).mean(dtype=np.float64))
        low, high = (middle, high) if mean < rate else (low, middle)
    return (low + high) / 2


def _nested_gate(click: Float[np.ndarray, " B"], off_click_rate: float) -> Float[np.ndarray, " B"]:
    """Return P(task) / P(task | click)."""
    if off_click_rate == 0:
        return click
    return np.asarray(click + np.float32(off_click_rate) * (1 - click))


def _hate_gate(click: Float[np.ndarray, " B"]) -> Float[np.ndarray, " B"]:
    """Return P(hate) / P(hate | no click)."""
    return np.asarray(1 - np.float32(1 - _HATE_AFTER_CLICK) * click)


def _uniform(generator: np.random.Generator, n: int) -> Float[np.ndarray, " n"]:
    return generator.random(n, dtype=np.float32)
