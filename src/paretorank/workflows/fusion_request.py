"""What a search of fusion weights was asked for: texts in, parsed wishes out."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from paretorank.evaluation import VALUE, Bound, ListMetric, parse_bound, parse_list_metric
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.fusion import WeightRange
from paretorank.fusion.preset import PresetName

SamplerChoice = Literal["auto", "tpe", "cmaes", "nsga2", "nsga3"]
Pick = Literal["knee", "least_misery"]
MANY_VALUES: Final = 3
"""Beyond that, NSGA-III spreads its points better than NSGA-II."""


@dataclass(frozen=True)
class FuseRequest:
    """What to search, as it was written."""

    maximise: tuple[str, ...]
    """Metrics of lists, such as "long_view.ndcg@10"; several lead to a front."""
    at_least: tuple[str, ...] = ()
    """Bounds, such as "like.ndcg@10=-0.5%"."""
    formula: str | None = None
    """With `$weights`; None takes the preset."""
    preset: PresetName = "weighted_product"
    """Over all tasks."""
    ranges: tuple[str, ...] = ()
    """Where to look for a weight, such as "w=0:3"."""
    value: str | None = None
    """What labels are worth, such as "click=1,like=5"."""
    also: tuple[str, ...] = ()
    """Metrics that are reported and no more."""
    baseline: str | None = None
    """Formula of today's order; None takes the first task."""
    baseline_column: str | None = None
    """Column of the log that sorted the lists, its largest value first."""
    sampler: SamplerChoice = "auto"
    n_trials: int = 200
    seed: int = 0
    pick: Pick = "knee"
    """Which point of a front is chosen."""
    n_resamples: int | None = None
    """Draws of users behind intervals; None takes the run's."""
    preference: Mapping[str, float] | None = None
    """What the model is told to prefer; its default where absent."""


@dataclass(frozen=True)
class Wishes:
    """The metrics of a request."""

    maximise: tuple[ListMetric, ...]
    bounds: tuple[Bound, ...]
    also: tuple[ListMetric, ...]
    worth: Mapping[str, float]
    """Of the labels that make up the value."""

    @property
    def searched(self) -> tuple[ListMetric, ...]:
        """What has to be known of every trial, each once."""
        return tuple(dict.fromkeys([*self.maximise, *(bound.metric for bound in self.bounds)]))

    @property
    def reported(self) -> tuple[ListMetric, ...]:
        """What is known of the result, each once."""
        return tuple(dict.fromkeys([*self.searched, *self.also]))


def parse_wishes(request: FuseRequest, tasks: Sequence[str]) -> Wishes:
    """Return the metrics of a request.

    Raises:
        ConfigError: one is not written as it should be, or nothing shall be made large.
    """
    worth = parse_worth(request.value, tasks) if request.value is not None else {}
    names = [*tasks, VALUE] if worth else list(tasks)
    if not request.maximise:
        raise ConfigError(
            "--maximise must be given once or more, got none.",
            hint=f"Write for instance: --maximise {tasks[0]}.ndcg@10.",
        )
    maximise = [parse_list_metric(text, names, place="--maximise") for text in request.maximise]
    bounds = [parse_bound(text, names, place="--at-least") for text in request.at_least]
    _refuse_twice("--maximise", maximise)
    _refuse_twice("--at-least", [bound.metric for bound in bounds])
    also = [parse_list_metric(text, names, place="--also") for text in request.also]
    return Wishes(tuple(maximise), tuple(bounds), tuple(also), worth)


def sampler_of(
    choice: SamplerChoice, n_values: int, n_weights: int
) -> Literal["tpe", "cmaes", "nsga2", "nsga3"]:
    """Return the sampler, chosen by the number of values where it was left open.

    Raises:
        ConfigError: CMA-ES cannot search this.
    """
    if choice == "auto":
        if n_values == 1:
            return "tpe"
        return "nsga2" if n_values <= MANY_VALUES else "nsga3"
    if choice == "cmaes" and (n_values > 1 or n_weights == 1):
        raise ConfigError(
            f"--sampler cmaes must have one metric to maximise and two weights or more, got "
            f"{n_values} and {n_weights}.",
            hint="Take tpe for one weight, nsga2 for several metrics.",
        )
    return choice


def parse_ranges(texts: Sequence[str]) -> dict[str, WeightRange]:
    """Return the ranges of weights written "w=low:high"; the start is 1, or the end next to it.

    Raises:
        ConfigError: a text is not of this form.
    """
    found = {}
    for text in texts:
        name, _, written = text.rpartition("=")
        low, _, high = written.partition(":")
        ends = _number(low), _number(high)
        if not name or ends[0] is None or ends[1] is None:
            raise ConfigError(
                f"--range {text}: a range must have a weight and two numbers.",
                hint="Write for instance: --range w_like=0:20.",
            )
        start = min(max(1.0, ends[0]), ends[1])
        found[name.removeprefix("$").strip("`")] = WeightRange(ends[0], ends[1], start)
    return found


def parse_worth(text: str, tasks: Sequence[str]) -> dict[str, float]:
    """Return what the labels of tasks are worth, written "click=1,like=5".

    Raises:
        ConfigError: the text is not of this form, or a task does not exist.
    """
    if VALUE in tasks:
        raise ConfigError(
            f"--value {text}: a task is called {VALUE!r} already.", hint="Rename the task."
        )
    found: dict[str, float] = {}
    for part in text.split(","):
        name, _, written = (word.strip() for word in part.rpartition("="))
        worth = _number(written)
        if worth is None or not name:
            raise ConfigError(
                f"--value {text}: a task must have a number behind =, got {part!r}.",
                hint="Write for instance: --value click=1,like=5.",
            )
        if name not in tasks:
            raise ConfigError(
                f"--value {text}: there is no task {name!r}.", hint=did_you_mean(name, tasks)
            )
        if name in found:
            raise ConfigError(
                f"--value {text}: a task must be given once, got {name!r} twice.",
                hint="Leave one of them out.",
            )
        found[name] = worth
    return found


def _number(text: str) -> float | None:
    """Return a finite number; None for any other text."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _refuse_twice(place: str, metrics: Sequence[ListMetric]) -> None:
    for at, metric in enumerate(metrics):
        if metric in metrics[:at]:
            raise ConfigError(
                f"{place} must name a metric once, got {metric} twice.",
                hint="Leave one of them out.",
            )
