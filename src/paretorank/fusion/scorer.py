"""Fused scores of the same rows for many weights.

Whatever does not depend on a weight is computed once: logs of scores, ranks within requests, whole
factors. A call then runs over blocks of rows that fit the cache. A rank of something that depends
on a weight has to be computed in every call.

Shapes: N rows, T columns.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Shaped

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.fusion.arrays import Ranker, Values, bound, compute, request_ranker
from paretorank.fusion.formula import Formula
from paretorank.fusion.lowering import lowered
from paretorank.fusion.syntax import (
    RANKINGS,
    Call,
    Column,
    Node,
    Weight,
    children,
    walk,
    with_children,
)
from paretorank.metrics import RequestLists

_BLOCK = 32_768
"""Rows whose intermediate values stay in the cache."""


class FusionScorer:
    """A formula prepared for rows; call it with weights.

    Args:
        formula: reads the columns by name.
        names: what the columns are called.
        scores: one row for each impression; NaN makes the fused score of the row NaN.
        request: which rows are ranked together; None is all of them.

    Raises:
        ConfigError: the formula reads a column that is not there.
        ValueError: shapes do not fit.
    """

    def __init__(
        self,
        formula: Formula,
        names: Sequence[str],
        scores: Shaped[np.ndarray, "N T"],
        request: Shaped[np.ndarray, " N"] | None = None,
    ) -> None:
        scores = np.asarray(scores)
        if scores.ndim != 2 or scores.shape[1] != len(names):  # noqa: PLR2004 - rows and columns
            raise ValueError(f"`scores` must have {len(names)} columns, got shape {scores.shape}.")
        if request is not None and np.shape(request) != scores.shape[:1]:
            raise ValueError(f"`request` must have {len(scores)} rows, got {np.shape(request)}.")
        refuse_unknown_columns(formula, names)
        self.formula, self.n_rows = formula, len(scores)
        tree = lowered(formula.tree)
        self._ranked = self._ranker(tree, request)
        columns = {name: bound(scores[:, names.index(name)]) for name in formula.columns}
        self._columns: dict[str, Float[np.ndarray, " N"]] = {}
        self._names: dict[Node, str] = {}
        self._late: dict[Call, str] = {}
        with np.errstate(all="ignore"):
            self._tree = self._prepared(tree, columns)

    def __call__(self, weights: Mapping[str, float] | None = None) -> Float[np.ndarray, " N"]:
        """Return the fused score of every row; weights that are not given are at their start.

        Raises:
            ConfigError: there is no such weight, or a value is not finite.
        """
        values = self.formula.values(weights)
        columns = dict(self._columns)
        with np.errstate(all="ignore"):
            for call, name in self._late.items():
                inner = self._by_blocks(call.arguments[0], columns, values)
                columns[name] = np.asarray(self._ranked(call.function, inner))
            return self._by_blocks(self._tree, columns, values)

    def _by_blocks(
        self, tree: Node, columns: Mapping[str, np.ndarray], weights: Mapping[str, float]
    ) -> Float[np.ndarray, " N"]:
        used = {node.name for node in walk(tree) if isinstance(node, Column)}
        result = np.empty(self.n_rows)
        for start in range(0, self.n_rows, _BLOCK):
            part = slice(start, start + _BLOCK)
            block = {name: columns[name][part] for name in used}
            result[part] = compute(tree, block, weights, self._ranked)
        return result

    def _prepared(self, node: Node, columns: Mapping[str, np.ndarray]) -> Node:
        """Return the tree with a column in the place of whatever no weight changes."""
        if not any(isinstance(below, Weight) for below in walk(node)):
            if any(isinstance(below, Column) for below in walk(node)) or _ranks(node):
                return self._kept(node, columns)
            return node
        below = tuple([self._prepared(child, columns) for child in children(node)])
        node = with_children(node, below)
        if isinstance(node, Call) and node.function in RANKINGS:
            if node not in self._late:
                self._late[node] = f"late {len(self._late)}"
            return Column(self._late[node])
        return node

    def _kept(self, node: Node, columns: Mapping[str, np.ndarray]) -> Column:
        if node not in self._names:
            values = compute(node, columns, {}, self._ranked)
            name = self._names[node] = f"kept {len(self._names)}"
            self._columns[name] = np.ascontiguousarray(np.broadcast_to(values, self.n_rows))
        return Column(self._names[node])

    def _ranker(self, tree: Node, request: Shaped[np.ndarray, " N"] | None) -> Ranker:
        if not _ranks(tree):
            return _no_ranks
        codes = np.zeros(self.n_rows, int) if request is None else request
        return request_ranker(RequestLists(codes))


def refuse_unknown_columns(formula: Formula, names: Sequence[str]) -> None:
    """Do nothing if every column of the formula is among the names.

    Raises:
        ConfigError: one is not.
    """
    for name in formula.columns:
        if name not in names:
            raise ConfigError(
                f"A formula must read columns that exist, got {name!r}.",
                hint=did_you_mean(name, names),
            )


def _ranks(tree: Node) -> bool:
    return any(isinstance(node, Call) and node.function in RANKINGS for node in walk(tree))


def _no_ranks(function: str, values: Values) -> Values:
    raise ValueError(f"A formula without ranks must not call {function} of {values}.")
