"""The backward passes of balancers that look at gradients of single tasks.

Weights found at the representation or at one layer are applied in one backward pass of the
weighted sum. At all shared parameters the gradients are there already, so they are combined, and
the backward pass of the weighted sum goes to everything else: towers, gates, embedding tables.
Shapes: B rows, T tasks, P present tasks, N elements.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.balancing import (
    GramianBalancer,
    JacobianBalancer,
    RowBalancer,
    SeenGradients,
    SeenRows,
)
from paretorank.balancing.shortest_solution import shortest_solution
from paretorank.foundation.errors import TrainingError
from paretorank.losses import reduce_losses
from paretorank.training.gradient_places import (
    TaskGradients,
    gradients_at,
    parameters_at,
    representation_gradients,
)
from paretorank.training.passes import Pass, Passes
from paretorank.training.task_gradients import WrittenGradients

SAME = 1e-12  # of the longest squared length: below it, gradients are told apart by rounding only


def gramian_step(
    balancer: GramianBalancer, passes: Passes, static_weights: Float[Tensor, " T"], place: str
) -> Float[Tensor, " T"]:
    """Run the backward passes; return the weights of the tasks."""
    is_due = balancer.begin_step()
    if not is_due or not len(passes.tasks):
        weights = balancer.kept_weights(passes.present) * static_weights
        passes.descend(weights)
        return weights
    parameters = parameters_at(balancer.at, passes.model)
    gradients = gradients_at(balancer.at, passes, parameters)
    weights = balancer(_seen(gradients, passes, balancer, place)) * static_weights
    overall = weights.mean(dim=0) if weights.ndim > 1 else weights
    if balancer.at != "parameters":
        passes.descend(overall)
        return overall
    combined = weights[..., passes.tasks].expand(len(parameters), -1)
    directions = [
        torch.tensordot(weight, grad, dims=1)
        for weight, grad in zip(combined, gradients.by_tensor, strict=True)  # type: ignore[union-attr]
    ]
    _descend_elsewhere(passes, overall, parameters, directions, gradients)
    return overall


def jacobian_step(
    balancer: JacobianBalancer, passes: Passes, static_weights: Float[Tensor, " T"], place: str
) -> Float[Tensor, " T"]:
    """Run the backward passes; return the weights whose combination is nearest to the direction.

    What tasks do not share descends the plain sum of the losses.
    """
    tasks = passes.tasks
    if not len(tasks):
        passes.descend(static_weights)
        return torch.zeros_like(static_weights)
    parameters = parameters_at(balancer.at, passes.model)
    gradients = gradients_at(balancer.at, passes, parameters)
    scaled = gradients.jacobian() * static_weights[tasks].unsqueeze(1)
    if not bool(scaled.isfinite().all()):
        raise _not_finite(passes, scaled @ scaled.T, place)
    direction = balancer(scaled, tasks)
    if balancer.at == "representation":
        _descend_with_change(passes, static_weights, direction - scaled.sum(dim=0))
    else:
        sizes = [parameter.numel() for parameter in parameters]
        pairs = zip(direction.split(sizes), parameters, strict=True)
        directions = [a.view_as(b) for a, b in pairs]
        _descend_elsewhere(passes, static_weights, parameters, directions, gradients)
    weights = torch.zeros_like(static_weights)
    nearest = _nearest(scaled.double(), direction.double())
    weights[tasks] = nearest.to(weights) * static_weights[tasks]
    return weights


def _descend_with_change(
    passes: Passes, weights: Float[Tensor, " T"], change: Float[Tensor, " N"]
) -> None:
    """Descend the weighted sum, with something added to the gradient of the representations."""
    start = 0
    for given in passes:
        # Beside the mixtures, gates that read experts and auxiliary losses lead here: they stay.
        shared = given.cut.shared
        added = change[start : start + shared.numel()].view_as(shared).to(shared.dtype)
        start += shared.numel()
        handle = shared.register_hook(added.add)  # type: ignore[no-untyped-call]
        torch.autograd.backward(given.weighted(weights))
        handle.remove()


def _nearest(jacobian: Float[Tensor, "P N"], direction: Float[Tensor, " N"]) -> Float[Tensor, " P"]:
    """Return the shortest weights whose combination of gradients is nearest to a direction."""
    gramian, products = jacobian @ jacobian.T, jacobian @ direction
    return shortest_solution(gramian, products.unsqueeze(1), cut_off=SAME).flatten()


def row_step(
    balancer: RowBalancer, given: Pass, static_weights: Float[Tensor, " T"]
) -> Float[Tensor, " T"]:
    """Run the backward passes of model and balancer; return the mean weight of each task."""
    result, batch = given.result, given.batch
    counted = result.rows.observed & (batch.weight > 0).unsqueeze(1)
    n_tasks = len(static_weights)
    gramians = result.losses.new_zeros(len(batch), n_tasks, n_tasks)
    tasks = result.present.nonzero().flatten()
    if len(tasks):
        # The gradient of a mean has the share of its row in it; of a row's own loss, it has not.
        mass = torch.where(counted, batch.weight.unsqueeze(1), 0.0).sum(dim=0)[tasks]
        found = representation_gradients(given, tasks).row_gramians()
        rows = tasks.unsqueeze(1), tasks
        share = mass.unsqueeze(1) * mass / batch.weight.clamp(min=1e-12).square()[:, None, None]
        gramians[:, *rows] = found * share
    losses = torch.where(counted, result.rows.losses.detach(), 0.0)
    seen = SeenRows(given.cut.x.detach(), gramians, losses, counted, batch.request)
    weighed = balancer(seen)
    if balancer.segments is not None:
        balancer.last_codes = balancer.segments.codes(batch.codes)
    total = reduce_losses(result.rows.losses * weighed.weights, result.rows.observed, batch.weight)
    total = torch.where(result.present, total * static_weights, 0.0).sum()
    if result.auxiliary is not None:
        total = total + result.auxiliary
    torch.autograd.backward(total)
    if weighed.own_loss is not None:
        torch.autograd.backward(weighed.own_loss)
    means = reduce_losses(weighed.weights, result.rows.observed, batch.weight)
    return means.nan_to_num(nan=0.0) * static_weights


def _seen(
    gradients: TaskGradients, passes: Passes, balancer: GramianBalancer, place: str
) -> SeenGradients:
    by_tensor = None
    if isinstance(gradients, WrittenGradients) and balancer.at != "representation":
        by_tensor = gradients.gramians()
    gramian = gradients.gramian() if by_tensor is None else by_tensor.sum(dim=0)
    if not bool(gramian.isfinite().all()):
        raise _not_finite(passes, gramian, place)
    losses = passes.losses[passes.tasks].double()
    return SeenGradients(gramian, losses, passes.tasks, by_tensor)


def _descend_elsewhere(
    passes: Passes,
    weights: Float[Tensor, " T"],
    parameters: Sequence[nn.Parameter],
    directions: Sequence[Tensor],
    gradients: TaskGradients,
) -> None:
    """Give shared parameters their directions, and all others the gradient of the weighted sum.

    What is added to the sum as it is reaches both.
    """
    shared = {id(parameter) for parameter in parameters}
    others = [p for p in passes.model.parameters() if p.requires_grad and id(p) not in shared]
    grads = [a.detach().to(b) for a, b in zip(directions, parameters, strict=True)]
    rows = gradients.rows if isinstance(gradients, WrittenGradients) else None
    for given in passes:
        if given.result.auxiliary is not None:
            added = given.auxiliary_gradients(parameters)
            grads = [grad + more for grad, more in zip(grads, added, strict=True)]
        elif rows is not None:
            rows.foretell(weights[passes.tasks])
        torch.autograd.backward(given.weighted(weights), inputs=others)
    for parameter, grad in zip(parameters, grads, strict=True):
        parameter.grad = grad


def _not_finite(passes: Passes, gramian: Float[Tensor, "P P"], place: str) -> TrainingError:
    names = [
        passes.model.task_names[task]
        for task, square in zip(passes.tasks.tolist(), gramian.diagonal().tolist(), strict=True)
        if not torch.isfinite(torch.tensor(square))
    ]
    return TrainingError(
        f"{place}: the gradient is not finite for {', '.join(names) or 'a pair of tasks'}.",
        hint="Lower training.learning_rate, set training.clip_norm, or clip the label.",
    )
