"""Train from start to finish. This is the file to open first: it names every part of the house."""

import datetime as dt
import itertools
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import torch

from paretorank.balancing import (
    BalancedTasks,
    Balancer,
    RowBalancer,
    RowSection,
    find_segments,
)
from paretorank.config import RunConfig
from paretorank.data.loader import Loader
from paretorank.data.shard_reader import ShardSet
from paretorank.evaluation import EvaluationResult, Monitor
from paretorank.foundation.errors import DataError
from paretorank.foundation.files import atomic_path, clear_write_errors, make_folder, write_json
from paretorank.foundation.memory import keep_freed_memory
from paretorank.foundation.progress import Listener, silent
from paretorank.foundation.seeds import derive_seed
from paretorank.model import MultiTaskRanker, build_model, start_at_base_rates
from paretorank.schema import SplitName
from paretorank.training import FitReport, Logbook, Trainer
from paretorank.training.trainer import LAST
from paretorank.workflows.evaluate import evaluate_split, score_split
from paretorank.workflows.ingest import Prepared, log_digest, prepare
from paretorank.workflows.run_folder import RunFolder

_BASE_RATE_ROWS = 1_000_000


@dataclass(frozen=True)
class TrainedRun:
    """What a run came to; everything is in its folder too."""

    folder: RunFolder
    model: MultiTaskRanker
    report: FitReport
    result: EvaluationResult
    split: SplitName
    """Which rows the result is of: the test rows, or those of validation where there are none."""


def train_run(
    config: RunConfig,
    folder: RunFolder,
    *,
    prepared: Prepared | None = None,
    resume: bool = False,
    listener: Listener = silent,
) -> TrainedRun:
    """Prepare the data if need be, train, restore the best weights, evaluate on the test rows.

    Raises:
        RunError: another process is training in the folder, or the folder cannot be written to.
    """
    keep_freed_memory()
    with folder.locked():
        if not resume:  # whoever resumes after a kill must not find the state of an earlier run
            (folder.checkpoints / LAST).unlink(missing_ok=True)
        known = folder.recorded("prepared") if resume else ""
        target = Path(known) if known else None
        split = config.data.split
        has_valid = bool(split.valid) if split.by == "column" else split.valid_fraction > 0
        if prepared is None and not has_valid:  # no need to prepare anything to know that
            raise _no_validation()
        prepared = prepared or prepare(config, target, listener=listener)
        with prepared.in_use():
            return _train(config, folder, prepared, resume, listener)


def _train(
    config: RunConfig,
    folder: RunFolder,
    prepared: Prepared,
    resume: bool,
    listener: Listener,
) -> TrainedRun:
    prepared.check()
    names = list(config.tasks)
    train, valid = prepared.split("train", names), prepared.split("valid", names)
    if not len(valid):
        raise _no_validation()
    model, balancer = build(config, train)
    _name_segments(balancer, config, prepared)
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
        loader = Loader(train, batch_size=config.training.batch_size, config=config.training.loader)
        if resume:
            trainer.resume()
        trainer.check_length(loader)  # what is refused must leave the run as it was
        log = log_digest(config) if prepared.manifest.made_from else ""
        split_from = prepared.manifest.split_from
        folder.begin(config, train.layout, prepared.encoder_folder, log=log, split_from=split_from)
        report = trainer.fit(loader, lambda: evaluate_split(model, valid, config, n_resamples=0))
        split: SplitName = "test" if len(prepared.split("test")) else "valid"
        result = _evaluate_and_keep(model, prepared.split(split, names), config, folder, listener)
        logbook.record("test", report.n_steps, {"split": split, "report": vars(report)})
    return TrainedRun(folder, model, report, result, split)


def _no_validation() -> DataError:
    return DataError(
        "No row is left for validation, so nobody could tell which weights are the best.",
        hint="Give data.split a valid_fraction above 0, or name the `valid` values.",
    )


def build(config: RunConfig, train: ShardSet) -> tuple[MultiTaskRanker, Balancer]:
    """Build the model, started at the base rates of the training rows, and the balancer."""
    seed = config.training.seed
    model = build_model(config.model, train.layout, config.tasks, seed=seed)
    rows = train.read(0, min(len(train), _BASE_RATE_ROWS))
    numeric = torch.from_numpy(rows.numeric.copy())
    start_at_base_rates(model, torch.from_numpy(rows.labels.copy()), numeric)
    generator = torch.Generator().manual_seed(derive_seed(seed, "balancer"))
    tasks = BalancedTasks(model.task_names, model.heads.balance_factors, generator)
    return model, config.balancer.make(tasks)


def _name_segments(balancer: Balancer, config: RunConfig, prepared: Prepared) -> None:
    """Tell a balancer of rows by what the log is to tell its weights apart."""
    if isinstance(balancer, RowBalancer) and isinstance(config.balancer, RowSection):
        segment = config.balancer.segment
        balancer.segments = find_segments(segment, prepared.encoder()) if segment else None


def new_run_folder(config: RunConfig) -> RunFolder:
    """Make a fresh folder beside the configuration: runs/NAME-TIME; nobody else gets it too."""
    now = dt.datetime.now(tz=dt.UTC).strftime("%Y%m%d-%H%M%S")
    base = config.folder / "runs" / f"{config.path.stem}-{now}"
    with clear_write_errors(base):
        make_folder(base.parent)
        for number in itertools.count(1):
            folder = base if number == 1 else Path(f"{base}-{number}")
            with suppress(FileExistsError):
                folder.mkdir()
                break
    return RunFolder(folder)


def _evaluate_and_keep(
    model: MultiTaskRanker,
    split: ShardSet,
    config: RunConfig,
    folder: RunFolder,
    listener: Listener,
) -> EvaluationResult:
    scored = score_split(model, split, config, listener=listener)
    result = evaluate_split(model, split, config, scored=scored)
    columns = {"row": split.read(0, len(split)).row}
    columns |= {name: scored.scores[:, at] for at, name in enumerate(model.task_names)}
    with atomic_path(folder.scores_path) as temporary:
        pl.DataFrame(columns).write_parquet(temporary)
    write_json(folder.metrics_path, result.to_json())
    return result
