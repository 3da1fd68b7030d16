"""A formula as an ONNX graph, for servers that have no torch and no paretorank.

    scores by name, one vector of rows each  ->  `fused`, float64

The operations are those of `paretorank.fusion.arrays`, one for one, in float64 whatever the scores
are. One call is one request, so ranks are among the rows of the call; `by_request` adds an input
that says which rows belong together. There may be any number of rows. A formula of usual length
becomes a file of a few kilobytes within milliseconds.
"""

import json
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Final, Literal

from paretorank.foundation.errors import ConfigError
from paretorank.fusion.formula import Formula

FUSED: Final = "fused"
"""Name of the output."""
REQUEST: Final = "request"
"""Name of the input that says which rows belong together."""
ScoreType = Literal["float32", "float64"]


def formula_graph(
    formula: Formula,
    *,
    weights: Mapping[str, float] | None = None,
    score_type: ScoreType = "float64",
    by_request: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> bytes:
    """Return the graph as the bytes of an `.onnx` file.

    Its metadata have the formula with its numbers, and the names of the columns as a JSON list.

    Args:
        formula: reads the inputs by name.
        weights: of the free weights; those that are not given are at their start.
        score_type: of the inputs; float32 cannot tell scores apart that float64 can.
        by_request: whether there is an input `request`, int64, with equal numbers for the rows
            that are ranked together.
        metadata: what else the file should say.

    Raises:
        ConfigError: onnx is not installed, the formula reads no column, or a column has a name
            that an ONNX graph cannot have.
    """
    require_onnx()
    from paretorank.fusion.onnx_nodes import Nodes  # needs onnx, which may be absent
    from paretorank.fusion.onnx_values import FormulaNodes

    _check_names(formula, by_request=by_request)
    fixed = formula.with_weights(formula.values(weights))
    request = REQUEST if by_request else None
    nodes = Nodes(taken=(*formula.columns, FUSED, REQUEST))
    FormulaNodes(nodes, fixed, request).add_output(FUSED)
    inputs = dict.fromkeys(formula.columns, score_type) | ({REQUEST: "int64"} if request else {})
    facts = {"formula": str(fixed), "columns": json.dumps(formula.columns, ensure_ascii=False)}
    return nodes.model(inputs, {FUSED: "float64"}, facts | dict(metadata or {}))


def require_onnx() -> None:
    """Stop where no graph can be written.

    Raises:
        ConfigError: onnx is not installed.
    """
    if find_spec("onnx") is None:
        raise ConfigError(
            "An ONNX graph needs the package onnx, which is not installed.",
            hint='pip install "paretorank[export]"',
        )


def _check_names(formula: Formula, *, by_request: bool) -> None:
    if not formula.columns:
        raise ConfigError(
            f"The formula of an ONNX graph must read a column, got {str(formula)!r}.",
            hint="Numbers alone give every row the same fused score.",
        )
    check_column_names(formula.columns, by_request=by_request)


def check_column_names(names: Iterable[str], *, by_request: bool = False) -> None:
    """Stop at a column that a graph cannot have.

    Raises:
        ConfigError: the graph itself uses the name, or it is no text without NUL.
    """
    reserved = (FUSED, REQUEST) if by_request else (FUSED,)
    for name in names:
        if name in reserved:
            raise ConfigError(
                f"No column of an ONNX graph may be called {name!r}; the graph uses that name.",
                hint="Rename the task or the column.",
            )
        if "\0" in name or name.encode(errors="replace").decode() != name:
            raise ConfigError(
                f"The name of an ONNX graph's column must be text without NUL, got {name!r}.",
                hint="Rename the task or the column.",
            )
