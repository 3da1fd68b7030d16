"""Every metric of several runs on the same draws of users.

A user who is drawn three times counts three times in every run, task, sample space and metric: what
is hard about the users of a draw is hard for all runs, and drops out of their differences.

Shapes: N rows, M rows of a sample space, C clusters, R resamples, K runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from jaxtyping import Float, Int

from paretorank.evaluation.intervals import resampling_counts
from paretorank.evaluation.resampling import Resampled, resampled
from paretorank.evaluation.rows import ScoredRows
from paretorank.evaluation.views import View, views_of
from paretorank.foundation.errors import DataError
from paretorank.metrics import METRICS_BY_KIND, Metric, Rows
from paretorank.schema import LabelKind

LINEARISE_FROM: Final = 100_000
"""Rows of a sample space from which on AUC is linearised: exact, each draw sorts through them."""
LINEARISE_CLUSTERS: Final = 500
"""Clusters below which it never is."""
_CHUNK_CELLS: Final = 4_000_000
"""Counts held at a time: 32 MB."""
NO_TASK: Final = "not a task of this run"


@dataclass(frozen=True)
class PairedDraws:
    """One metric of one task in one sample space, for every run."""

    task: str
    space: str
    """As the first run that has the task calls it."""
    is_own: bool
    """Whether it is the task's own sample space, not that of all impressions."""
    is_main: bool
    """Whether the metric is the task's primary one."""
    metric: type[Metric]
    values: Float[np.ndarray, " K"]
    """NaN where it is undefined or the run lacks the task."""
    draws: Float[np.ndarray, "K R"]
    n_rows: int
    n_clusters: int
    notes: tuple[str | None, ...]
    """Why a run has no value, by run."""


def paired_draws(
    runs: Sequence[ScoredRows],
    *,
    n_resamples: int,
    generator: np.random.Generator,
    linearise_from: int = LINEARISE_FROM,
) -> list[PairedDraws]:
    """Return the metrics of every run on the same draws of users; tasks in their order.

    The runs have scored the same rows in the same order. Weights and users are those of the first
    run, labels must be the same in all.

    Raises:
        DataError: two runs mean different things by a task.
    """
    first = runs[0]
    runs = [replace(run, weight=first.weight, user=first.user) for run in runs]
    cluster = _cluster_of_row(first)
    places = [
        _Place(views, is_own, cluster, linearise_from) for is_own, views in _views_of_runs(runs)
    ]
    n_clusters = int(cluster.max(initial=-1)) + 1
    chunk = max(1, _CHUNK_CELLS // max(1, n_clusters))
    for start in range(0, n_resamples if n_clusters > 1 else 0, chunk):
        counts = resampling_counts(n_clusters, min(chunk, n_resamples - start), generator)
        for place in places:
            place.draw(counts)
    return [drawn for place in places for drawn in place.results(n_resamples)]


def _cluster_of_row(rows: ScoredRows) -> Int[np.ndarray, " N"]:
    """Number the users from 0, or the rows where users are not known."""
    if rows.user is None:
        return np.arange(len(rows))
    return np.unique(rows.user, return_inverse=True)[1]


def _views_of_runs(runs: Sequence[ScoredRows]) -> list[tuple[bool, list[View | None]]]:
    """Return for each task and sample space whether it is its own, and every run's view of it."""
    found: dict[str, dict[bool, list[View | None]]] = {}
    for at, run in enumerate(runs):
        seen: set[str] = set()
        for view in views_of(run):
            is_own = view.task not in seen
            seen.add(view.task)
            views = found.setdefault(view.task, {}).setdefault(is_own, [None] * len(runs))
            _refuse_another_task(view, next(filter(None, views), None))
            views[at] = view
    return [place for spaces in found.values() for place in spaces.items()]


def _refuse_another_task(view: View, known: View | None) -> None:
    """Refuse a view that has other labels than that of an earlier run."""
    if known is None:
        return
    hint = "Compare runs that define the task alike: label, kind, observed_when and parent."
    if view.kind != known.kind:
        raise DataError(
            f"The runs must mean the same by task {view.task}, got kind {known.kind} and "
            f"{view.kind}.",
            hint=hint,
        )
    same = (view.label == known.label) | (np.isnan(view.label) & np.isnan(known.label))
    if not same.all():
        raise DataError(
            f"The runs must mean the same by task {view.task}, but its labels differ on "
            f"{int((~same).sum()):,} of {len(same):,} rows ({known.space}; {view.space}).",
            hint=hint,
        )


class _Place:
    """One task in one sample space while the draws come in."""

    def __init__(
        self,
        views: list[View | None],
        is_own: bool,
        cluster: Int[np.ndarray, " N"],
        linearise_from: int,
    ) -> None:
        view = next(filter(None, views))
        kept = ~np.isnan(view.label)
        if view.weight is not None:
            kept &= view.weight > 0.0
        self._present, local = np.unique(cluster[kept], return_inverse=True)
        self._view, self._is_own, self._n_rows = view, is_own, len(local)
        self._n_all = int(cluster.max(initial=-1)) + 1
        is_large = self._n_rows >= linearise_from and len(self._present) >= LINEARISE_CLUSTERS
        self._runs = [
            None if each is None else _Measured(each.kind, each.rows(), local, linearised=is_large)
            for each in views
        ]

    def draw(self, counts: Float[np.ndarray, "R C"]) -> None:
        """Take in how often each cluster of the log was drawn."""
        if len(self._present) < self._n_all:
            counts = np.take(counts, self._present, axis=1)
        for run in self._runs:
            if run is not None:
                run.draw(counts)

    def results(self, n_resamples: int) -> list[PairedDraws]:
        """Return every metric of the place."""
        nothing = (np.nan, np.full(n_resamples, np.nan), NO_TASK)
        results = []
        for at, metric in enumerate(METRICS_BY_KIND[self._view.kind]):
            of_runs = [nothing if r is None else r.result(at, n_resamples) for r in self._runs]
            values, draws, notes = zip(*of_runs, strict=True)
            results.append(
                PairedDraws(
                    self._view.task,
                    self._view.space,
                    self._is_own,
                    at == 0,
                    metric,
                    np.array(values),
                    np.stack(draws),
                    self._n_rows,
                    len(self._present),
                    notes,
                )
            )
        return results


class _Measured:
    """The metrics of one run in one place."""

    def __init__(
        self, kind: LabelKind, rows: Rows, cluster: Int[np.ndarray, " M"], *, linearised: bool
    ) -> None:
        self._metrics = [metric() for metric in METRICS_BY_KIND[kind]]
        self._statistics: list[Resampled | None] = []
        self._parts: list[list[np.ndarray]] = [[] for _ in self._metrics]
        for metric in self._metrics:
            metric.update_rows(rows)
            is_known = metric.reason() is None
            statistic = (
                resampled(metric, rows, cluster, linearised=linearised) if is_known else None
            )
            self._statistics.append(statistic)

    def draw(self, counts: Float[np.ndarray, "R C"]) -> None:
        for statistic, parts in zip(self._statistics, self._parts, strict=True):
            if statistic is not None:
                parts.append(statistic.values(counts, counts @ statistic.columns))

    def result(self, at: int, n_resamples: int) -> tuple[float, np.ndarray, str | None]:
        """Return value, draws and, where there is no value, the reason."""
        metric, parts = self._metrics[at], self._parts[at]
        draws = np.concatenate(parts) if parts else np.full(n_resamples, np.nan)
        return metric.result(), draws, metric.reason()
