"""One step: losses -> balancer -> one backward pass.

The balancer sees a copy of the losses; the derivative of its total by them are the effective task
weights, and one backward pass through the model descends their weighted sum. That is the gradient
of the total itself, by the chain rule, and the weights can be logged for every balancer alike.
What gates add to the loss is added as it is: it is no task, and balancers do not see it.
Balancers that look at gradients of single tasks have their backward passes in `gradient_step`.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from paretorank.balancing import (
    Balancer,
    GramianBalancer,
    JacobianBalancer,
    LossBalancer,
    RowBalancer,
)
from paretorank.data.batch import Batch
from paretorank.foundation.errors import TrainingError
from paretorank.model.ranker import MultiTaskRanker
from paretorank.training.gradient_step import gramian_step, jacobian_step, row_step
from paretorank.training.passes import Passes, passes_of

_ROWS_NAMED = 5


@dataclass(frozen=True)
class StepResult:
    """What one step saw; NaN for a task without an observed row."""

    losses: Float[Tensor, " T"]
    weights: Float[Tensor, " T"]


def backward_step(
    model: MultiTaskRanker,
    balancer: Balancer,
    static_weights: Float[Tensor, " T"],
    batch: Batch,
    *,
    place: str,
    micro_batch_size: int | None = None,
    seed: int = 0,
) -> StepResult:
    """Leave the gradients of the balanced total in model and balancer.

    Args:
        model: in training mode, without gradients.
        balancer: weighs the tasks.
        static_weights: fixed factor of each task; after the balancer, as many undo one before it.
        batch: the rows.
        place: where in the run this is, for the message of an error.
        micro_batch_size: most rows of one forward pass; None takes all at once.
        seed: of the random parts of each micro-batch.

    Raises:
        TrainingError: a loss or a task's gradient is not finite; names the tasks and rows.
    """
    preference = balancer.draw_preference() if isinstance(balancer, LossBalancer) else None
    if preference is not None:
        batch = batch.preferring(preference)
    passes = passes_of(
        model,
        batch,
        micro_batch_size=micro_batch_size,
        seed=seed,
        with_cut=not isinstance(balancer, LossBalancer),
    )
    seen = torch.where(passes.present, passes.losses, 0.0)
    if not bool(seen.isfinite().all()):
        raise _not_finite(model, batch, passes.outputs, seen, place)
    match balancer:
        case LossBalancer():
            weights = _loss_step(balancer, passes, static_weights)
        case GramianBalancer():
            weights = gramian_step(balancer, passes, static_weights, place)
        case JacobianBalancer():
            weights = jacobian_step(balancer, passes, static_weights, place)
        case RowBalancer():
            (only,) = passes
            weights = row_step(balancer, only, static_weights)
    return StepResult(passes.losses, torch.where(passes.present, weights, torch.nan))


def _loss_step(
    balancer: LossBalancer, passes: Passes, static_weights: Float[Tensor, " T"]
) -> Float[Tensor, " T"]:
    leaf = passes.losses.clone().requires_grad_()
    total = balancer(leaf)
    if total.requires_grad:
        torch.autograd.backward(total)
    weights = torch.zeros_like(leaf) if leaf.grad is None else leaf.grad * static_weights
    passes.descend(weights)
    return weights


def _not_finite(
    model: MultiTaskRanker, batch: Batch, outputs: Tensor, losses: Tensor, place: str
) -> TrainingError:
    names = [
        f"{name} ({loss:g})"
        for name, loss in zip(model.task_names, losses.tolist(), strict=True)
        if not torch.isfinite(torch.tensor(loss))
    ]
    with torch.no_grad():
        per_row = model.heads.losses(outputs, batch.labels, numeric=batch.numeric)
    bad = (~per_row.isfinite() & batch.observed).any(dim=1) | ~outputs.isfinite().all(dim=1)
    rows = batch.row[bad].tolist()
    shown = ", ".join(str(row) for row in rows[:_ROWS_NAMED])
    return TrainingError(
        f"{place}: the loss is not finite for {', '.join(names)}; "
        f"{len(rows)} of {len(batch)} rows are at fault, rows of the log: {shown or 'none'}.",
        hint="Look at these rows with `audit`; lower training.learning_rate, set "
        "training.clip_norm, clip the label, or use an encoding that bounds its inputs.",
    )
