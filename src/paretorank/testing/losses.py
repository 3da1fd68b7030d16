"""What every loss promises.

Shapes: N rows, T tasks.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from paretorank.losses import Loss, Requests
from paretorank.losses.masking import ANY_LABEL
from paretorank.testing.contract import (
    require,
    require_close,
    require_finite_gradients,
    require_shape,
    same_state,
)

STEP = 0.05
EXTREME, FARTHEST = 50.0, 1e3


def check_loss(make: Callable[[], Loss], label: Float[Tensor, "N T"]) -> None:
    """Check a loss on labels that it is made for.

    Args:
        make: returns a new loss for as many tasks as the labels have columns.
        label: rows of legal labels, none of them missing, with some variety in each column.

    Raises:
        ContractError: names the promise that is broken.
    """
    label = label.double()
    loss = make().double()
    weight = torch.ones_like(label)
    loss.fit_(label, weight)
    _check_constant(loss, label, weight)
    _check_rows(loss, label)
    _check_extremes(loss, label)
    _check_fill(loss, label)
    _check_requests(loss, label)
    _check_weight(make, label)
    _check_state(make, loss, label)
    require(loss.balance_factor > 0, "`balance_factor` must be positive.")


def _shape(loss: Loss, n_rows: int, n_tasks: int) -> tuple[int, ...]:
    return (n_rows, n_tasks) if loss.n_outputs == 1 else (n_rows, n_tasks, loss.n_outputs)


def _logits(loss: Loss, label: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = _shape(loss, *label.shape)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def _check_constant(loss: Loss, label: Tensor, weight: Tensor) -> None:
    best = loss.constant_logit(label, weight)
    require_shape(best, _shape(loss, *label.shape)[1:], "`constant_logit`")
    rows = _shape(loss, *label.shape)
    lowest = loss(best.expand(rows), label).mean(dim=0)
    for output in range(loss.n_outputs):
        for step in (-STEP, STEP):
            moved = best.clone()
            moved[(..., output) if loss.n_outputs > 1 else ...] += step
            value = loss(moved.expand(rows), label).mean(dim=0)
            message = f"A step of {step} from `constant_logit` (output {output}) must not help."
            require((value >= lowest - 1e-4 * (1 + lowest.abs())).all(), message)
    score = loss.score(best.unsqueeze(0))
    require_shape(score, (1, label.shape[1]), "`score`")
    room = 1e-4 * (1 + label.abs().amax(dim=0))
    inside = (score >= label.amin(dim=0) - room) & (score <= label.amax(dim=0) + room)
    require(inside.all(), "The score of the best constant must lie among the labels.")


def _check_rows(loss: Loss, label: Tensor) -> None:
    logit = _logits(loss, label)
    value, score = loss(logit, label), loss.score(logit)
    require_shape(value, tuple(label.shape), "The loss")
    require_shape(score, tuple(label.shape), "`score`")
    require(value.isfinite().all(), "The loss of legal labels must be finite.")
    alone = loss(logit[1:2], label[1:2])
    require_close(alone, value[1:2], "A row alone must have the loss that it has among others.")


def _check_extremes(loss: Loss, label: Tensor) -> None:
    for size in (EXTREME, -EXTREME, FARTHEST, -FARTHEST):
        logit = torch.full_like(_logits(loss, label), size).requires_grad_()
        loss.zero_grad()
        value = loss(logit, label)
        require(loss.score(logit).isfinite().all(), f"The score must be finite at logit {size}.")
        require(not value.isnan().any(), f"The loss must not be NaN at logit {size}.")
        if abs(size) == EXTREME:
            require(value.isfinite().all(), f"The loss must be finite at logit {size}.")
            value.sum().backward()
            own = [("the logit", logit), *loss.named_parameters()]
            require_finite_gradients(own, f"At logit {size}")


def _check_fill(loss: Loss, label: Tensor) -> None:
    """Check that the label that stands for missing ones is legal."""
    logit = _logits(loss, label).requires_grad_()
    loss.zero_grad()
    value = loss(logit, torch.full_like(label, ANY_LABEL))
    require(value.isfinite().all(), f"The loss of the label {ANY_LABEL} must be finite.")
    value.sum().backward()
    own = [("the logit", logit), *loss.named_parameters()]
    require_finite_gradients(own, f"For the label {ANY_LABEL}")


def _check_requests(loss: Loss, label: Tensor) -> None:
    """Check that rows that are not observed change nothing for the rows beside them."""
    observed = torch.ones_like(label, dtype=torch.bool)
    observed[1::3] = False
    requests = Requests(torch.arange(len(label)) // 4, observed)
    logit = _logits(loss, label)
    value = loss.in_requests(logit, label, requests)
    require_shape(value, tuple(label.shape), "`in_requests`")
    moved, other = logit.clone(), label.clone()
    moved[1::3] += 1.0
    other[1::3] = ANY_LABEL
    found = loss.in_requests(moved, other, requests)
    message = "Rows that are not observed must not change the losses of other rows."
    require_close(found[observed], value[observed], message)


def _check_weight(make: Callable[[], Loss], label: Tensor) -> None:
    """Check that rows of weight 0 and tasks without rows do no harm."""
    weight = torch.ones_like(label)
    weight[-1] = 0
    other = label.clone()
    other[-1] = ANY_LABEL
    results = []
    for values in (label, other):
        loss = make().double()
        loss.fit_(values, weight)
        results.append(loss.constant_logit(values, weight))
    require_close(results[0], results[1], "A row of weight 0 must not move `constant_logit`.")
    loss, nothing = make().double(), torch.zeros_like(label)
    loss.fit_(label, nothing)
    constant = loss.constant_logit(label, nothing)
    require((constant == 0).all(), "`constant_logit` must be 0 for a task without any row.")


def _check_state(make: Callable[[], Loss], loss: Loss, label: Tensor) -> None:
    other = make().double()
    other.load_state_dict(loss.state_dict())
    require(same_state(other.state_dict(), loss.state_dict()), "The state must survive loading.")
    logit = _logits(loss, label)
    message = "`state_dict` must hold all that `fit_` sets."
    require_close(other(logit, label), loss(logit, label), message)
    require_close(other.score(logit), loss.score(logit), message)
