"""The formula that a search has found as an ONNX file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.files import atomic_path
from paretorank.fusion.onnx_graph import check_column_names, formula_graph, require_onnx
from paretorank.workflows.fusion_result import RESULT_FILE, read_fusion
from paretorank.workflows.run_folder import RunFolder

_SUFFIX: Final = ".onnx"


def check_graph_path(path: Path, columns: Iterable[str] = ()) -> None:
    """Stop before a long search whose formula could not be written.

    Args:
        path: of the file.
        columns: what the formula may read.

    Raises:
        ConfigError: onnx is not installed, the name of the file does not say what it is, or a
            column has a name that a graph cannot have.
    """
    if path.suffix != _SUFFIX:
        raise ConfigError(
            f"--onnx must name a file that ends in {_SUFFIX}, got {path}.",
            hint="For instance: --onnx fusion.onnx.",
        )
    require_onnx()
    check_column_names(columns)


def write_fusion_graph(folder: RunFolder, path: Path, *, searched_in: Path | None = None) -> None:
    """Write the formula as a graph of one request per call, whole or not at all.

    The metadata say which inputs are scores of tasks, and which calibration those must have gone
    through; the graph does not calibrate.

    Args:
        folder: of the run.
        path: of the file.
        searched_in: where the search wrote its result; RUN/fusion where absent.

    Raises:
        ConfigError: onnx is not installed, or the formula cannot be a graph.
        RunError: there is no result, or the file cannot be written.
    """
    result = searched_in / RESULT_FILE if searched_in else folder.fusion_path
    fusion, tasks = read_fusion(result), folder.read_config().tasks
    scores = [name for name in fusion.formula.columns if name in tasks]
    facts = {
        "tasks": json.dumps(scores, ensure_ascii=False),
        "scores": "calibrated" if fusion.calibration else "not calibrated",
        "calibration": fusion.calibration,
        "lists": fusion.lists,
    }
    graph = formula_graph(fusion.formula, metadata=facts)
    with atomic_path(path) as temporary:
        temporary.write_bytes(graph)
