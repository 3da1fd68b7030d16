"""What every relation between tasks promises.

Shapes: B rows, T tasks, H width of the towers' last hidden layer.
"""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from paretorank.losses import BinaryCrossEntropy, reduce_losses
from paretorank.relations import Dependencies, Related, Relation, RowLosses, Seen
from paretorank.testing.contract import (
    require,
    require_close,
    require_finite_gradients,
    require_no_global_random_numbers,
    require_shape,
    same_state,
)

CHAIN = Dependencies(((), (0,), (1,)), (True, True, True), (False, True, False))
"""click -> a label on clicks only -> a label on all impressions."""
N_ROWS, HIDDEN_DIM = 24, 8
FARTHEST = 1e3


@dataclass(frozen=True)
class _Rows:
    hidden: Tensor
    logits: Tensor
    labels: Tensor
    observed: Tensor
    weight: Tensor

    def picked(self, rows: Tensor) -> "_Rows":
        return _Rows(*(value[rows] for value in vars(self).values()))


@dataclass(frozen=True)
class _Outcome:
    related: Related
    logits: Tensor
    rows: RowLosses
    scores: Tensor

    @property
    def total(self) -> Tensor:
        own = torch.where(self.rows.observed, self.rows.losses, 0.0).sum()
        return own if self.rows.auxiliary is None else own + self.rows.auxiliary


def check_relation(config: Any, *, graph: Dependencies = CHAIN) -> None:
    """Check a relation on a graph of binary tasks that it suits.

    Args:
        config: has `build(graph, in_dim=..., generator=...)`.
        graph: the tasks.

    Raises:
        ContractError: names the promise that is broken.
    """

    def built(seed: int = 0) -> Relation:
        generator = torch.Generator().manual_seed(seed)
        relation: Relation = config.build(graph, in_dim=HIDDEN_DIM, generator=generator)
        return relation.double()

    require_no_global_random_numbers(built, "`build`")
    states = [built().state_dict() for _ in range(2)]
    require(same_state(*states), "One seed must always give the same relation.")
    relation, rows = built(), _draw_rows(graph)
    _check_values(relation, rows, graph)
    _check_order(relation, rows)
    _check_extremes(relation, rows)
    _check_absent(relation, rows, graph)
    other = built(1)
    other.load_state_dict(relation.state_dict())
    message = "`state_dict` must hold all that the values depend on."
    require_close(_run(other, rows).total, _run(relation, rows).total, message)


def _draw_rows(graph: Dependencies) -> _Rows:
    generator = torch.Generator().manual_seed(2)
    shape = (N_ROWS, graph.n_tasks)
    labels = torch.rand(shape, generator=generator, dtype=torch.float64).round()
    observed = torch.ones(shape, dtype=torch.bool)
    for task in graph.topological_order():
        for parent in graph.parents[task]:
            labels[:, task] *= labels[:, parent]
            if graph.is_conditional[task]:
                observed[:, task] &= observed[:, parent] & (labels[:, parent] == 1)
    return _Rows(
        torch.randn(*shape, HIDDEN_DIM, generator=generator, dtype=torch.float64),
        torch.randn(shape, generator=generator, dtype=torch.float64),
        torch.where(observed, labels, 0.0),
        observed,
        torch.rand(N_ROWS, generator=generator, dtype=torch.float64) + 0.5,
    )


def _run(relation: Relation, rows: _Rows) -> _Outcome:
    related = relation(rows.hidden)
    # The logits are made of the hidden layer, as in a model.
    logits = relation.relate_logits(rows.logits + related.hidden.mean(dim=2))
    own = BinaryCrossEntropy()(logits, rows.labels)
    seen = Seen(logits, rows.labels, rows.observed, rows.weight, related.imputed)
    scores = relation.scores(logits, logits.sigmoid())
    return _Outcome(related, logits, relation.row_losses(own, seen), scores)


def _check_values(relation: Relation, rows: _Rows, graph: Dependencies) -> None:
    found, shape = _run(relation, rows), (N_ROWS, graph.n_tasks)
    require_shape(found.related.hidden, (*shape, relation.out_dim), "The hidden layer")
    for name, value in (
        ("`relate_logits`", found.logits),
        ("The losses", found.rows.losses),
        ("The rows that count", found.rows.observed),
        ("`scores`", found.scores),
    ):
        require_shape(value, shape, name)
    require(found.rows.observed.dtype == torch.bool, "The rows that count must be boolean.")
    require(found.rows.losses.isfinite().all(), "The losses must be finite.")
    if found.rows.auxiliary is not None:
        require_shape(found.rows.auxiliary, (), "The auxiliary loss")
    inside = (found.scores >= 0) & (found.scores <= 1)
    require(inside.all(), "Scores of binary tasks must be probabilities.")
    require_no_global_random_numbers(lambda: _run(relation, rows), "The relation")


def _check_order(relation: Relation, rows: _Rows) -> None:
    order = torch.arange(N_ROWS).flip(0)
    found, moved = _run(relation, rows), _run(relation, rows.picked(order))
    message = "The order of the rows must not matter."
    require_close(moved.related.hidden, found.related.hidden[order], message)
    require_close(moved.scores, found.scores[order], message)
    require_close(moved.total, found.total, message)
    counted = found.rows.observed[order]
    require(torch.equal(moved.rows.observed, counted), message)
    shown = torch.where(counted, found.rows.losses[order], 0.0)
    require_close(torch.where(counted, moved.rows.losses, 0.0), shown, message)


def _check_extremes(relation: Relation, rows: _Rows) -> None:
    generator = torch.Generator().manual_seed(3)
    signs = torch.rand(rows.logits.shape, generator=generator).sub(0.5).sign().double()
    for logits in (signs * FARTHEST, -signs * FARTHEST, torch.full_like(signs, FARTHEST)):
        _check_descent(relation, replace(rows, logits=logits), f"With logits of {FARTHEST}")


def _check_descent(relation: Relation, rows: _Rows, where: str) -> None:
    leaves = replace(
        rows,
        hidden=rows.hidden.clone().requires_grad_(),
        logits=rows.logits.clone().requires_grad_(),
    )
    relation.zero_grad()
    found = _run(relation, leaves)
    require(found.total.isfinite(), f"{where}: the losses must be finite.")
    require(found.scores.isfinite().all(), f"{where}: the scores must be finite.")
    if found.total.requires_grad:
        torch.autograd.backward(found.total)
    inputs = [("the hidden layer", leaves.hidden), ("the logits", leaves.logits)]
    require_finite_gradients([*inputs, *relation.named_parameters()], where)


def _check_absent(relation: Relation, rows: _Rows, graph: Dependencies) -> None:
    """Check that a task without labels, on which no other depends, leaves the others alone."""
    before = _means(relation, rows)
    for task in range(graph.n_tasks):
        observed = rows.observed.clone()
        observed[:, task] = False
        absent = replace(rows, observed=observed, labels=torch.where(observed, rows.labels, 0.0))
        _check_descent(relation, absent, f"Without labels of task {task}")
        if any(task in graph.ancestors(other) for other in range(graph.n_tasks)):
            continue
        others = [other for other in range(graph.n_tasks) if other != task]
        message = f"Without labels of task {task}, the losses of the others must stay the same."
        require_close(_means(relation, absent)[others], before[others], message)
    nothing = torch.zeros_like(rows.observed)
    empty = replace(rows, observed=nothing, labels=torch.zeros_like(rows.labels))
    _check_descent(relation, empty, "Without any label")


def _means(relation: Relation, rows: _Rows) -> Tensor:
    found = _run(relation, rows).rows
    return reduce_losses(found.losses, found.observed, rows.weight).detach()
