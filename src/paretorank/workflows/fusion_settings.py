"""What the trials of a search depend on, written beside them so that no other search goes on."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from paretorank.foundation.errors import RunError
from paretorank.foundation.files import read_json, write_json
from paretorank.fusion import Formula
from paretorank.workflows.fusion_formulas import Formulas
from paretorank.workflows.fusion_request import FuseRequest, Wishes
from paretorank.workflows.fusion_rows import FusionRows

TRIALS_FILE: Final = "trials.jsonl"
SETTINGS_FILE: Final = "settings.json"
_HINT: Final = "Give the same settings to go on, or another folder with --out."


def search_settings(
    request: FuseRequest, wishes: Wishes, formulas: Formulas, free: Formula, rows: FusionRows
) -> dict[str, Any]:
    """Return everything that a trial depends on; how many there are is not among it."""
    return {
        "formula": str(free),
        "ranges": {name: asdict(range_) for name, range_ in free.ranges.items()},
        "baseline": str(formulas.baseline),
        "maximise": [str(metric) for metric in wishes.maximise],
        "at_least": [str(bound) for bound in wishes.bounds],
        "value": dict(wishes.worth),
        "sampler": request.sampler,
        "seed": request.seed,
        "preference": None if request.preference is None else dict(request.preference),
        "rows": rows.digest(),
    }


def keep_settings(folder: Path, settings: Mapping[str, Any]) -> None:
    """Write the settings where no trial is yet, else make sure that they are the same.

    Raises:
        RunError: the trials in the folder belong to other settings, or nobody knows to which.
    """
    path = folder / SETTINGS_FILE
    if not (folder / TRIALS_FILE).exists():
        write_json(path, settings)
        return
    before = read_json(path)
    for name, value in settings.items():
        was = before.get(name) if isinstance(before, dict) else None
        if was != value:
            change = f"{name} was {was}, is {value}"
            if name == "rows":
                change = "the validation rows or their scores have changed"
            raise RunError(f"{folder} holds a search with other settings: {change}.", hint=_HINT)
