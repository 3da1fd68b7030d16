"""Metrics of lists by name, such as `like.ndcg@10`, measured for many scores of the same rows.

    TASK.ndcg@K     mean NDCG of the first K places, over lists with a positive label
    TASK.gauc       AUC within the lists, weighted by their rows
    TASK.sum@K      labels of the first K places, discounted by place, mean over lists
    TASK.mean@K     mean label of the rows at the first K places: value per impression
    value@K         TASK.sum@K of a weighted sum of labels, which is called `value` and may stand
                    wherever a task may

Ties share the mean of their places. Rows do not have weights here.
Shapes: N rows, M metrics, R lists.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from jaxtyping import Float, Shaped

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.metrics import ListTerms, RankedLists, Ranking, logarithmic

ListMetricKind = Literal["ndcg", "gauc", "sum", "mean"]
VALUE: Final = "value"
"""What the weighted sum of labels is called."""
LARGEST_K: Final = 1_000_000
_METRIC = re.compile(r"(?P<kind>[^@]*)(?:@(?P<k>.*))?", re.DOTALL)


@dataclass(frozen=True)
class ListMetric:
    """One metric of one task."""

    task: str
    kind: ListMetricKind
    k: int | None = None
    """How many places count; None for gauc, where all do."""

    def __str__(self) -> str:
        return f"{self.task}.{self.kind}" + ("" if self.k is None else f"@{self.k}")


def parse_list_metric(text: str, tasks: Iterable[str], *, place: str) -> ListMetric:
    """Return the metric that a text names.

    Args:
        text: the metric.
        tasks: names that exist, `value` among them if there is one.
        place: where it was written, for messages.

    Raises:
        ConfigError: there is no such task or metric, or the number of places is wrong.
    """
    known = list(tasks)
    if re.fullmatch(VALUE + r"@\d+", text):
        text = f"{VALUE}.sum@{text.removeprefix(VALUE + '@')}"
    task, dot, rest = text.rpartition(".")
    if not dot:
        raise ConfigError(
            f"{place} {text}: a metric must be written TASK.METRIC, got {text!r}.",
            hint="Write for instance: like.ndcg@10 or like.gauc.",
        )
    if task not in known:
        hint = did_you_mean(task, known)
        if task == VALUE:
            hint = "Say what the labels are worth: --value click=1,like=5."
        raise ConfigError(f"{place} {text}: there is no task {task!r}.", hint=hint)
    found = _METRIC.fullmatch(rest)
    kind, k = (found["kind"], found["k"]) if found else (rest, None)
    if kind not in get_args(ListMetricKind):
        hint = did_you_mean(kind, get_args(ListMetricKind))
        raise ConfigError(f"{place} {text}: there is no metric of lists {kind!r}.", hint=hint)
    return ListMetric(task, kind, _places(kind, k, f"{place} {text}"))  # type: ignore[arg-type]


class ListMeasure:
    """Labels of lists, prepared for some metrics and measured for many scores.

    Args:
        request: code of the list of each row.
        labels: by task; NaN where a label was not observed.
        metrics: what is measured, in this order.

    Raises:
        ConfigError: a metric does not fit the labels of its task.
    """

    def __init__(
        self,
        request: Shaped[np.ndarray, " N"],
        labels: Mapping[str, Float[np.ndarray, " N"]],
        metrics: Sequence[ListMetric],
    ) -> None:
        self.metrics = tuple(metrics)
        for metric in self.metrics:
            _check_labels(metric, labels[metric.task])
        self._tasks = list(dict.fromkeys(metric.task for metric in self.metrics))
        columns = np.stack([labels[task] for task in self._tasks], axis=1)
        self._lists = RankedLists(request, columns)

    def values(self, score: Shaped[np.ndarray, " N"]) -> Float[np.ndarray, " M"]:
        """Return every metric of a score; NaN where it is undefined."""
        return np.array([terms.ratio() for terms in self.terms(score)])

    def terms(self, score: Shaped[np.ndarray, " N"]) -> list[ListTerms]:
        """Return what each list adds to every metric."""
        ranking = self._lists.rank(score)
        return [_terms(metric, ranking, self._tasks.index(metric.task)) for metric in self.metrics]

    def first_rows(self, metric: ListMetric) -> Shaped[np.ndarray, " R"]:
        """Return a row of each list, in the order of the terms of a metric."""
        return self._lists.first_rows(self._tasks.index(metric.task))


def _terms(metric: ListMetric, ranking: Ranking, task: int) -> ListTerms:
    k = LARGEST_K if metric.k is None else metric.k
    match metric.kind:
        case "ndcg":
            return ranking.ndcg_terms(task, k)
        case "gauc":
            return ranking.gauc_terms(task)
        case "sum":
            return ranking.value_terms(task, logarithmic(k))
        case "mean":
            return ranking.impression_terms(task, k)


def _places(kind: str, k: str | None, place: str) -> int | None:
    if kind == "gauc":
        if k is not None:
            raise ConfigError(
                f"{place}: gauc counts all places, got @{k}.", hint="Write TASK.gauc."
            )
        return None
    if k is None or not re.fullmatch(r"[0-9]{1,7}", k) or not 1 <= int(k) <= LARGEST_K:
        raise ConfigError(
            f"{place}: {kind} must say how many places count, from 1 to {LARGEST_K}, got "
            f"{'nothing' if k is None else repr(k)}.",
            hint=f"Write for instance: TASK.{kind}@10.",
        )
    return int(k)


def _check_labels(metric: ListMetric, label: Float[np.ndarray, " N"]) -> None:
    known = label[~np.isnan(label)]
    if metric.kind == "gauc" and not np.isin(known, (0.0, 1.0)).all():
        raise ConfigError(
            f"{metric}: labels must be 0 or 1 for gauc, got {known[~np.isin(known, (0, 1))][0]:g}.",
            hint=f"Take {metric.task}.ndcg@10.",
        )
    if metric.kind == "ndcg" and (known < 0.0).any():
        raise ConfigError(
            f"{metric}: labels must be at least 0 for ndcg, got {known.min():g}.",
            hint=f"Take {metric.task}.sum@{metric.k}, which may be negative.",
        )
