"""Whether calibration and fusion were fitted at another preference than scores are asked for at."""

from collections.abc import Mapping

from paretorank.config import RunConfig
from paretorank.workflows.calibrated import read_calibration
from paretorank.workflows.fusion_result import ReadyFusion
from paretorank.workflows.preference import Preferred
from paretorank.workflows.run_folder import RunFolder

_ROUNDING = 1e-6


def preference_notes(
    folder: RunFolder,
    asked: Preferred,
    *,
    is_calibrated: bool = True,
    fusion: ReadyFusion | None = None,
) -> list[str]:
    """Return what to warn of before a run scores rows.

    Args:
        folder: of the run.
        asked: the preference of the rows; None is the model's default.
        is_calibrated: whether scores pass through the run's calibration, if it has one.
        fusion: the formula that scores are fused by, if they are.

    Raises:
        RunError: the folder holds no run, or its calibration cannot be used.
    """
    config = folder.read_config()
    if config.model.preference is None:
        return []
    notes = []
    calibration = read_calibration(folder) if is_calibrated else None
    if calibration is not None and _is_other(config, calibration.preference, asked):
        notes.append(
            f"{folder.calibration_path} was fitted at {_in_words(calibration.preference)}, not at "
            f"{_in_words(asked)}: chances may be off; calibrate with --preference"
        )
    if fusion is not None and _is_other(config, fusion.preference, asked):
        notes.append(
            f"{folder.fusion_path} was searched at {_in_words(fusion.preference)}, not at "
            f"{_in_words(asked)}: fuse with --preference"
        )
    return notes


def _is_other(config: RunConfig, fitted: Mapping[str, float] | None, asked: Preferred) -> bool:
    if asked is not None and any(isinstance(share, str) for share in asked.values()):
        return True
    here, there = _shares(config, fitted), _shares(config, asked)
    return any(abs(here[task] - there[task]) > _ROUNDING for task in config.tasks)


def _shares(config: RunConfig, preference: Preferred) -> dict[str, float]:
    """Return the share of every task."""
    default = config.model.preference.default if config.model.preference else {}
    told = preference or default or dict.fromkeys(config.tasks, 1.0)
    shares = {task: float(told.get(task, 0.0)) for task in config.tasks}
    total = sum(shares.values()) or 1.0
    return {task: share / total for task, share in shares.items()}


def _in_words(preference: Preferred) -> str:
    if not preference:
        return "the default preference"
    return "preference " + ",".join(
        f"{task}={share if isinstance(share, str) else f'{share:g}'}"
        for task, share in preference.items()
    )
