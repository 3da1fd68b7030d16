"""Metrics of several models on the same rows, with resamples that all of them share.

A resample draws users; every model and metric is then computed on the same draw, so that what they
have in common cancels where they are compared.
Source: Davison and Hinkley, Bootstrap Methods and their Application, 1997, section 3.8 (clusters).
Shapes: N models, K metrics, R resamples, C clusters (users, or rows without users), S columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int, Shaped

from paretorank.evaluation.intervals import resampling_counts
from paretorank.evaluation.resampling import Resampled, resampled
from paretorank.evaluation.rows import ScoredRows
from paretorank.evaluation.views import views_of
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.metrics import METRICS_BY_KIND, Metric, primary_metric
from paretorank.schema import LabelSpec

_CHUNK_CELLS = 4_000_000  # counts held at a time: 32 MB


@dataclass(frozen=True)
class TaskMetric:
    """A metric of a task in its own sample space."""

    task: str
    metric: type[Metric]

    @property
    def name(self) -> str:
        """What configurations and tables call it, such as "click.auc"."""
        return f"{self.task}.{self.metric.name}"


@dataclass(frozen=True)
class Measured:
    """The metrics of each model, on all rows and on every resample; NaN where undefined."""

    values: Float[np.ndarray, "N K"]
    draws: Float[np.ndarray, "R N K"]


@dataclass(frozen=True)
class _Prepared:
    value: float
    statistic: Resampled | None
    places: Int[np.ndarray, " C"]
    """Which of all users the clusters of the statistic are."""


def task_metrics(names: Sequence[str], labels: Sequence[LabelSpec]) -> list[TaskMetric]:
    """Return the metrics with these names; the primary one of every task if none is named.

    Raises:
        ConfigError: there is no such metric of such a task, or its best value is in the middle.
    """
    if not names:
        return [TaskMetric(label.name, primary_metric(label.kind)) for label in labels]
    known = {
        found.name: found
        for label in labels
        for found in (TaskMetric(label.name, metric) for metric in METRICS_BY_KIND[label.kind])
        if metric_has_a_direction(found.metric)
    }
    for name in names:
        if name not in known:
            raise ConfigError(
                f"An objective must be a metric of a task that has a direction, got {name!r}.",
                hint=did_you_mean(name, known),
            )
    return [known[name] for name in dict.fromkeys(names)]


def metric_has_a_direction(metric: type[Metric]) -> bool:
    """Return whether more, or less, is always better; PCOC is best at 1."""
    return metric.higher_is_better or metric.best == 0.0


def measure(
    models: Sequence[ScoredRows],
    wanted: Sequence[TaskMetric],
    *,
    n_resamples: int,
    generator: np.random.Generator,
) -> Measured:
    """Return the metrics of models that have scored the same rows; users are the first one's."""
    first = models[0]
    user = first.user if first.user is not None else np.arange(len(first))
    known = np.unique(user)
    prepared = [
        [_prepare(replace(model, user=user), one, known) for one in wanted] for model in models
    ]
    values = np.array([[one.value for one in row] for row in prepared])
    parts = [np.empty((0, *values.shape))]
    chunk = max(1, _CHUNK_CELLS // len(known))
    for start in range(0, n_resamples if len(known) > 1 else 0, chunk):
        n_draws = min(chunk, n_resamples - start)
        counts = resampling_counts(len(known), n_draws, generator)
        drawn = [[_draws(one, counts) for one in row] for row in prepared]
        parts.append(np.moveaxis(np.array(drawn), 2, 0))
    return Measured(values, np.concatenate(parts))


def _prepare(
    rows: ScoredRows, wanted: TaskMetric, known: Shaped[np.ndarray, " users"]
) -> _Prepared:
    view = next(view for view in views_of(rows) if view.task == wanted.task)
    part = view.rows()
    metric = wanted.metric()
    metric.update_rows(part)
    if metric.reason() is not None or part.group is None:
        return _Prepared(metric.result(), None, np.arange(0))
    here, cluster = np.unique(part.group, return_inverse=True)
    statistic = resampled(metric, part, cluster)
    return _Prepared(metric.result(), statistic, np.searchsorted(known, here))


def _draws(one: _Prepared, counts: Float[np.ndarray, "R users"]) -> Float[np.ndarray, " R"]:
    if one.statistic is None:
        return np.full(len(counts), np.nan)
    own = counts[:, one.places]
    return one.statistic.values(own, own @ one.statistic.columns)
