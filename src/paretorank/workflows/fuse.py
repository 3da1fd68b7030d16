"""Search of fusion weights: on the validation rows, confirmed on test rows it did not see."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from paretorank.config import RunConfig
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.foundation.lock import folder_lock
from paretorank.foundation.progress import Listener, silent
from paretorank.fusion.trials import Measured
from paretorank.schema import SplitName
from paretorank.workflows.calibrated import calibration_digest, score_as_served, weights_digest
from paretorank.workflows.fusion_contest import Rival, Scale
from paretorank.workflows.fusion_formulas import Formulas, formulas_of, log_columns
from paretorank.workflows.fusion_report import Hunt, Splits, report_of
from paretorank.workflows.fusion_request import FuseRequest, Wishes, parse_wishes, sampler_of
from paretorank.workflows.fusion_result import Fusion
from paretorank.workflows.fusion_rows import fusion_rows
from paretorank.workflows.fusion_settings import TRIALS_FILE, keep_settings, search_settings
from paretorank.workflows.run_folder import RunFolder


def fuse_run(
    folder: RunFolder,
    request: FuseRequest,
    *,
    out: Path | None = None,
    listener: Listener = silent,
) -> Fusion:
    """Search the weights of a formula for a finished run, and write trials and result.

    A search that was interrupted goes on; more trials than before continue it. Today's formula,
    every task alone and the start of the weights compete as well.

    Args:
        folder: of the run.
        request: what to search.
        out: where trials and result go; RUN/fusion where absent.
        listener: hears of progress.

    Raises:
        ConfigError: the request cannot be understood, or Optuna is not installed.
        DataError: a metric is undefined on the validation rows.
        RunError: the folder holds another search, or another process is searching there.
    """
    _require_packages()
    config = folder.read_config()
    wishes = parse_wishes(request, tuple(config.tasks))
    formulas = formulas_of(request, config, log_columns(config, split_from=folder.split_from))
    splits = _read(folder, request, wishes, formulas, listener)
    target = out or folder.fusion_path.parent
    return fuse_splits(request, config, splits, formulas, target, listener=listener)


def fuse_splits(
    request: FuseRequest,
    config: RunConfig,
    splits: Splits,
    formulas: Formulas,
    target: Path,
    *,
    listener: Listener = silent,
) -> Fusion:
    """Search weights on rows that are scored already; the rest is that of `fuse_run`."""
    wishes = parse_wishes(request, formulas.tasks)
    free = formulas.searched(wishes, splits.valid.means())
    scale = Scale(splits.valid, wishes, formulas.baseline)
    _refuse_undefined(scale, splits)
    settings = search_settings(request, wishes, formulas, free, splits.valid)
    settings |= {"calibration": splits.calibration, "weights": splits.weights}
    hunt = Hunt(request, config, wishes, splits, free, scale, settings)
    with folder_lock(target, what="The folder", hint="Wait, or choose another one with --out."):
        fixed = [scale.rival(name, formula) for name, formula in formulas.fixed().items()]
        found = report_of(hunt, [*fixed, *_search(hunt, target, listener)])
        found.write(target)
    return found


def _search(hunt: Hunt, target: Path, listener: Listener) -> list[Rival]:
    """Try weights; a formula without any is measured once."""
    from paretorank.fusion.search import Search  # needs Optuna, which may be absent

    free, scale, request = hunt.free, hunt.scale, hunt.request
    if not free.weights:
        return [scale.rival("formula", free)]
    n_values = len(hunt.wishes.maximise)
    sampler = sampler_of(request.sampler, n_values, len(free.weights))
    keep_settings(target, hunt.settings)
    fused = hunt.splits.valid.fused(free)

    def measure(weights: Mapping[str, float]) -> Measured:
        return scale.measured(scale.metrics(fused(weights)))

    search = Search(free, n_values, sampler, request.seed)
    trials = search.run(measure, request.n_trials, target / TRIALS_FILE, listener)
    return [
        Rival(
            f"trial {number}" if number else "start",
            free.with_weights(trial.weights),
            trial.measured,
            trial.weights,
        )
        for number, trial in enumerate(trials)
    ]


def _read(
    folder: RunFolder,
    request: FuseRequest,
    wishes: Wishes,
    formulas: Formulas,
    listener: Listener,
) -> Splits:
    keys = folder.read_config().data.keys
    if keys.request is None and keys.user is None:
        raise ConfigError(
            "data.keys must say which rows are sorted together, got neither request nor user.",
            hint="Name the column of the request, or that of the user.",
        )
    names: tuple[SplitName, SplitName] = ("valid", "test")
    valid, test = (
        fusion_rows(
            score_as_served(
                folder,
                split=split,
                columns=formulas.log_columns,
                preference=request.preference,
                listener=listener,
            ),
            by_request=keys.request is not None,
            worth=wishes.worth,
            split=split,
        )
        for split in names
    )
    lists, owners = str(keys.request or keys.user), str(keys.user or keys.request)
    return Splits(valid, test, lists, owners, calibration_digest(folder), weights_digest(folder))


def _refuse_undefined(scale: Scale, splits: Splits) -> None:
    counts = splits.valid.counts()
    if counts["lists"] == counts["lists of one row"]:
        raise DataError(
            f"{splits.lists}: a list must have two rows or more to be sorted, and no list of the "
            "validation rows has.",
            hint="Does data.keys.request name the request? Without it, users are the lists.",
        )
    for metric, value in scale.today.items():
        if not np.isfinite(value):
            raise DataError(
                f"{metric} is undefined on the validation rows: no list has what it needs.",
                hint="Take a task with more positive labels, or more validation rows.",
            )


def _require_packages() -> None:
    for name in ("optuna", "cmaes", "moocore"):
        if find_spec(name) is None:
            raise ConfigError(
                f"A search of weights needs the package {name}, which is not installed.",
                hint='pip install "paretorank[tune]"',
            )
