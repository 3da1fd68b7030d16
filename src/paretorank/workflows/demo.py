"""Everything on built-in data: simulate, prepare, train, compare with the known truth."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from paretorank.architectures import (
    ArchitectureConfig,
    AttentionMMoEConfig,
    MMoEConfig,
    SharedBottomConfig,
)
from paretorank.balancing import BalancerConfig, EqualConfig, UncertaintyConfig
from paretorank.config import RunConfig, load_config
from paretorank.datasets import FeedConfig, write_feed
from paretorank.evaluation import EvaluationResult, ScoredRows, evaluate_rows
from paretorank.foundation.progress import Listener, Progress, silent
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run
from paretorank.workflows.twins import twin_config

_ROWS, _QUICK_ROWS = 200_000, 20_000
_EXPERT_DIMS = (64, 32)
TWINS = "single-task twins"
CEILING = "the truth (ceiling)"


@dataclass(frozen=True)
class DemoRow:
    """One line of the demo's table."""

    model: str
    balancer: str
    metrics: dict[str, float]
    """By "task.metric"."""
    seconds: float


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    config_path: Path
    tasks: tuple[str, ...]
    rows: tuple[DemoRow, ...]


def run_demo(folder: Path, *, quick: bool = False, listener: Listener = silent) -> Demo:
    """Simulate a feed, train ten models on it, and put them beside the known truth.

    Args:
        folder: where data and runs go; an earlier demo there is replaced.
        quick: a tenth of the rows, to see that everything works.
        listener: is told how far the work has come.
    """
    n_rows = _QUICK_ROWS if quick else _ROWS
    config_path = write_feed(folder, FeedConfig(n_rows=n_rows))
    config = load_config(config_path, ["training.tensorboard=false"])
    prepared = prepare(config, listener=listener)
    contests = list(_contests(config))
    n_runs = len(contests) + len(config.tasks)
    listener(Progress("models", 0, n_runs, "models"))
    rows = []
    for at, (name, contest) in enumerate(contests):
        run = RunFolder(folder / "runs" / f"{name}-{contest.balancer.kind}")
        rows.append(_train(name, contest, run, prepared))
        listener(Progress("models", at + 1, n_runs, "models"))
    twins = []
    for at, task in enumerate(config.tasks):
        run = RunFolder(folder / "runs" / f"twin-{task}")
        twins.append(_train(TWINS, twin_config(config, task), run, prepared))
        listener(Progress("models", len(contests) + at + 1, n_runs, "models"))
    merged = {name: value for twin in twins for name, value in twin.metrics.items()}
    together = DemoRow(TWINS, "-", merged, sum(twin.seconds for twin in twins))
    ceiling = DemoRow(CEILING, "-", _flat(_truth(folder, config, prepared)), 0.0)
    return Demo(config_path, tuple(config.tasks), (together, *rows, ceiling))


def _contests(config: RunConfig) -> Iterator[tuple[str, RunConfig]]:
    architectures: tuple[ArchitectureConfig, ...] = (
        SharedBottomConfig(hidden_dims=_EXPERT_DIMS),
        MMoEConfig(expert_dims=_EXPERT_DIMS),
        AttentionMMoEConfig(expert_dims=_EXPERT_DIMS),
    )
    balancers: tuple[BalancerConfig, ...] = (EqualConfig(), UncertaintyConfig())
    for architecture in architectures:
        for balancer in balancers:
            model = config.model.model_copy(update={"architecture": architecture})
            changes = {"model": model, "balancer": balancer}
            yield architecture.kind, config.model_copy(update=changes).at(config.path)


def _train(name: str, config: RunConfig, folder: RunFolder, prepared: Prepared) -> DemoRow:
    run = train_run(config, folder, prepared=prepared)
    return DemoRow(name, config.balancer.kind, _flat(run.result), run.report.seconds)


def _flat(result: EvaluationResult) -> dict[str, float]:
    """Return the metrics in each task's own sample space, which comes first in the table."""
    own = result.table.unique(["task", "metric"], keep="first", maintain_order=True)
    rows = own.drop_nans("value").iter_rows(named=True)
    return {f"{row['task']}.{row['metric']}": row["value"] for row in rows}


def _truth(folder: Path, config: RunConfig, prepared: Prepared) -> EvaluationResult:
    """Evaluate the true probabilities and expected values on the test rows."""
    test = prepared.split("test")
    rows = test.read(0, len(test))
    truth = pl.read_parquet(folder / "truth.parquet")[rows.row]
    names = {"watch": "expected_watch_s"}
    scores = [truth[names.get(task, f"p_{task}")].to_numpy() for task in config.tasks]
    scored = ScoredRows(
        tuple(config.label_specs()), np.stack(scores, axis=1), rows.labels, None, rows.user
    )
    return evaluate_rows(scored, n_resamples=0)
