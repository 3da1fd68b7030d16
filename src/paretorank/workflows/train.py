"""Train from start to finish. This is the file to open first: it names every part of the house."""

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch

from paretorank.balancing import LossBalancer
from paretorank.config import RunConfig
from paretorank.data.loader import Loader
from paretorank.data.shard_reader import ShardSet
from paretorank.evaluation import EvaluationResult, Monitor
from paretorank.foundation.errors import DataError
from paretorank.foundation.files import atomic_path, write_json
from paretorank.foundation.progress import Listener, silent
from paretorank.foundation.seeds import derive_seed
from paretorank.model import MultiTaskRanker, build_model, start_at_base_rates
from paretorank.training import FitReport, Logbook, Trainer
from paretorank.workflows.evaluate import evaluate_split, score_split
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder

_BASE_RATE_ROWS = 1_000_000


@dataclass(frozen=True)
class TrainedRun:
    """What a run came to; everything is in its folder too."""

    folder: RunFolder
    model: MultiTaskRanker
    report: FitReport
    result: EvaluationResult


def train_run(
    config: RunConfig,
    folder: RunFolder,
    *,
    prepared: Prepared | None = None,
    resume: bool = False,
    listener: Listener = silent,
) -> TrainedRun:
    """Prepare the data if need be, train, restore the best weights, evaluate on the test rows."""
    prepared = prepared or prepare(config, listener=listener)
    names = list(config.tasks)
    train, valid = prepared.split("train", names), prepared.split("valid", names)
    if not len(valid):
        raise DataError(
            "No row is left for validation, so nobody could tell which weights are the best.",
            hint="Give data.split a valid_fraction above 0, or name the `valid` values.",
        )
    model, balancer = build(config, train)
    with Logbook(folder.path, tensorboard=config.training.tensorboard) as logbook:
        trainer = Trainer(
            config.training,
            model,
            balancer,
            static_weights=torch.tensor([task.weight for task in config.tasks.values()]),
            monitor=Monitor(config.training.early_stopping.monitor, config.label_specs()),
            logbook=logbook,
            checkpoints=folder.checkpoints,
            listener=listener,
        )
        if resume:
            trainer.resume()
        folder.begin(config, train.layout, prepared.encoder_folder)
        loader = Loader(train, batch_size=config.training.batch_size, config=config.training.loader)
        report = trainer.fit(loader, lambda: evaluate_split(model, valid, config, n_resamples=0))
        result = _evaluate_and_keep(model, prepared, config, folder, listener)
        logbook.record("test", report.n_steps, {"report": vars(report)})
    return TrainedRun(folder, model, report, result)


def build(config: RunConfig, train: ShardSet) -> tuple[MultiTaskRanker, LossBalancer]:
    """Build the model, started at the base rates of the training rows, and the balancer."""
    seed = config.training.seed
    model = build_model(config.model, train.layout, config.tasks, seed=seed)
    labels = train.read(0, min(len(train), _BASE_RATE_ROWS)).labels
    start_at_base_rates(model, torch.from_numpy(labels.copy()))
    balancer = config.balancer.build(
        task_names=model.task_names,
        balance_factors=model.heads.balance_factors,
        generator=torch.Generator().manual_seed(derive_seed(seed, "balancer")),
    )
    return model, balancer


def new_run_folder(config: RunConfig) -> RunFolder:
    """Return a fresh folder beside the configuration: runs/NAME-TIME."""
    now = dt.datetime.now(tz=dt.UTC).strftime("%Y%m%d-%H%M%S")
    base = config.folder / "runs" / f"{config.path.stem}-{now}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = Path(f"{base}-{number}")
    return RunFolder(folder)


def _evaluate_and_keep(
    model: MultiTaskRanker,
    prepared: Prepared,
    config: RunConfig,
    folder: RunFolder,
    listener: Listener,
) -> EvaluationResult:
    """Evaluate on the test rows, or on the validation rows where there is no test."""
    split = prepared.split("test", model.task_names)
    split = split if len(split) else prepared.split("valid", model.task_names)
    scored = score_split(model, split, config, listener=listener)
    result = evaluate_split(model, split, config, scored=scored)
    columns = {"row": split.read(0, len(split)).row}
    columns |= {name: scored.scores[:, at] for at, name in enumerate(model.task_names)}
    with atomic_path(folder.scores_path) as temporary:
        pl.DataFrame(columns).write_parquet(temporary)
    write_json(folder.metrics_path, result.to_json())
    return result
