"""The backward passes of balancers that look at gradients of single tasks.

Weights found at the representation or at one layer are applied in one backward pass of the
weighted sum. At all shared parameters the gradients are there already, so they are combined, and
the backward pass of the weighted sum goes to everything else: towers, gates, embedding tables.
Shapes: B rows, T tasks, P present tasks, N elements.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from paretorank.balancing import (
    Balancer,
    GramianBalancer,
    JacobianBalancer,
    RowBalancer,
    SeenGradients,
    SeenRows,
)
from paretorank.data.batch import Batch
from paretorank.foundation.errors import ConfigError, TrainingError
from paretorank.losses import reduce_losses
from paretorank.model.cut import Cut
from paretorank.model.ranker import MultiTaskRanker, TrainingLosses
from paretorank.training.task_gradients import (
    MixedGradients,
    WrittenGradients,
    at_parameters,
    at_representation,
)

SAME = 1e-12  # of the longest squared length: below it, gradients are told apart by rounding only


@dataclass(frozen=True)
class Pass:
    """One forward pass whose losses wait for a balancer."""

    model: MultiTaskRanker
    batch: Batch
    result: TrainingLosses
    static_weights: Float[Tensor, " T"]
    place: str

    @property
    def cut(self) -> Cut:
        """Return where the shared part ends."""
        if self.result.cut is None:
            raise ValueError("`result` must hold the cut, so ask for it in the forward pass.")
        return self.result.cut

    @property
    def tasks(self) -> Int[Tensor, " P"]:
        """Return the places of the present tasks."""
        return self.result.present.nonzero().flatten()

    def weighted(self, weights: Float[Tensor, " T"]) -> Tensor:
        """Return what is descended: the weighted sum, and what gates add."""
        losses = torch.where(self.result.present, self.result.losses * weights, 0.0).sum()
        auxiliary = self.result.auxiliary
        return losses if auxiliary is None else losses + auxiliary

    def auxiliary_gradients(self, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return the gradients of what is added as it is; 0 where nothing is. The graph is kept."""
        auxiliary = self.result.auxiliary
        if auxiliary is None or not auxiliary.requires_grad:
            return tuple(torch.zeros_like(tensor) for tensor in tensors)
        return torch.autograd.grad(
            auxiliary, tensors, retain_graph=True, allow_unused=True, materialize_grads=True
        )


def gramian_step(balancer: GramianBalancer, given: Pass) -> Float[Tensor, " T"]:
    """Run the backward pass; return the weights of the tasks."""
    is_due = balancer.begin_step()
    if not is_due or not len(given.tasks):
        weights = balancer.kept_weights(given.result.present) * given.static_weights
        torch.autograd.backward(given.weighted(weights))
        return weights
    parameters = _parameters(balancer.at, given.model)
    gradients = _taken(balancer.at, given, parameters)
    weights = balancer(_seen(gradients, given, balancer)) * given.static_weights
    overall = weights.mean(dim=0) if weights.ndim > 1 else weights
    if balancer.at != "parameters":
        torch.autograd.backward(given.weighted(overall))
        return overall
    combined = weights[..., given.tasks].expand(len(parameters), -1)
    directions = [
        torch.tensordot(weight, grad, dims=1)
        for weight, grad in zip(combined, gradients.by_tensor, strict=True)  # type: ignore[union-attr]
    ]
    _descend_elsewhere(given, given.weighted(overall), parameters, directions)
    return overall


def jacobian_step(balancer: JacobianBalancer, given: Pass) -> Float[Tensor, " T"]:
    """Run the backward pass; return the weights whose combination is nearest to the direction.

    What tasks do not share descends the plain sum of the losses.
    """
    ones = given.static_weights
    if not len(given.tasks):
        torch.autograd.backward(given.weighted(ones))
        return torch.zeros_like(ones)
    parameters = _parameters(balancer.at, given.model)
    gradients = _taken(balancer.at, given, parameters)
    scaled = gradients.jacobian() * ones[given.tasks].unsqueeze(1)
    if not bool(scaled.isfinite().all()):
        raise _not_finite(given, scaled @ scaled.T)
    direction = balancer(scaled, given.tasks)
    if balancer.at == "representation":
        # Beside the mixtures, gates that read experts and auxiliary losses lead here: they stay.
        change = (direction - scaled.sum(dim=0)).view_as(given.cut.shared)
        handle = given.cut.shared.register_hook(change.add)  # type: ignore[no-untyped-call]
        torch.autograd.backward(given.weighted(ones))
        handle.remove()
    else:
        sizes = [parameter.numel() for parameter in parameters]
        parts = direction.split(sizes)
        pairs = zip(parts, parameters, strict=True)
        _descend_elsewhere(
            given, given.weighted(ones), parameters, [a.view_as(b) for a, b in pairs]
        )
    weights = torch.zeros_like(ones)
    weights[given.tasks] = (
        _nearest(scaled.double(), direction.double()).to(weights) * ones[given.tasks]
    )
    return weights


def _nearest(jacobian: Float[Tensor, "P N"], direction: Float[Tensor, " N"]) -> Float[Tensor, " P"]:
    """Return the shortest weights whose combination of gradients is nearest to a direction."""
    gramian, products = jacobian @ jacobian.T, jacobian @ direction
    solved = torch.linalg.lstsq(gramian, products.unsqueeze(1), rcond=SAME, driver="gelsd")
    return solved.solution.flatten()


def row_step(balancer: RowBalancer, given: Pass) -> Float[Tensor, " T"]:
    """Run the backward passes of model and balancer; return the mean weight of each task."""
    result, batch = given.result, given.batch
    counted = result.rows.observed & (batch.weight > 0).unsqueeze(1)
    n_tasks = len(given.static_weights)
    gramians = result.losses.new_zeros(len(batch), n_tasks, n_tasks)
    if len(given.tasks):
        # The gradient of a mean has the share of its row in it; of a row's own loss, it has not.
        mass = torch.where(counted, batch.weight.unsqueeze(1), 0.0).sum(dim=0)[given.tasks]
        found = at_representation(result.losses, given.tasks, given.cut).row_gramians()
        rows = given.tasks.unsqueeze(1), given.tasks
        share = mass.unsqueeze(1) * mass / batch.weight.clamp(min=1e-12).square()[:, None, None]
        gramians[:, *rows] = found * share
    losses = torch.where(counted, result.rows.losses.detach(), 0.0)
    seen = SeenRows(given.cut.x.detach(), gramians, losses, counted, batch.request)
    weighed = balancer(seen)
    if balancer.segments is not None:
        balancer.last_codes = balancer.segments.codes(batch.codes)
    total = reduce_losses(result.rows.losses * weighed.weights, result.rows.observed, batch.weight)
    total = torch.where(result.present, total * given.static_weights, 0.0).sum()
    if result.auxiliary is not None:
        total = total + result.auxiliary
    torch.autograd.backward(total)
    if weighed.own_loss is not None:
        torch.autograd.backward(weighed.own_loss)
    means = reduce_losses(weighed.weights, result.rows.observed, batch.weight)
    return means.nan_to_num(nan=0.0) * given.static_weights


def refuse_nothing_shared(balancer: Balancer, model: MultiTaskRanker) -> None:
    """Refuse to take gradients at shared parameters where a model has none.

    Raises:
        ConfigError: tasks share nothing but embedding tables at the place of the balancer.
    """
    if not isinstance(balancer, GramianBalancer | JacobianBalancer):
        return
    if balancer.at != "representation" and not _parameters(balancer.at, model):
        raise ConfigError(
            f"balancer.at = {balancer.at!r} needs parameters that tasks share, and this model "
            "shares nothing there but embedding tables.",
            hint='Set balancer.at = "representation", or give model.architecture shared experts.',
        )


def _parameters(at: str, model: MultiTaskRanker) -> list[nn.Parameter]:
    match at:
        case "parameters":
            return model.shared_parameters()
        case "last_layer":
            return model.architecture.last_shared_layer()
        case _:
            return []


def _taken(
    at: str, given: Pass, parameters: Sequence[nn.Parameter]
) -> MixedGradients | WrittenGradients:
    if at == "representation":
        return at_representation(given.result.losses, given.tasks, given.cut)
    return at_parameters(given.result.losses, given.tasks, given.cut, parameters)


def _seen(
    gradients: MixedGradients | WrittenGradients, given: Pass, balancer: GramianBalancer
) -> SeenGradients:
    by_tensor = None
    if isinstance(gradients, WrittenGradients) and balancer.at != "representation":
        by_tensor = gradients.gramians()
    gramian = gradients.gramian() if by_tensor is None else by_tensor.sum(dim=0)
    if not bool(gramian.isfinite().all()):
        raise _not_finite(given, gramian)
    losses = given.result.losses.detach()[given.tasks].double()
    return SeenGradients(gramian, losses, given.tasks, by_tensor)


def _descend_elsewhere(
    given: Pass, total: Tensor, parameters: Sequence[nn.Parameter], directions: Sequence[Tensor]
) -> None:
    """Give shared parameters their directions, and all others the gradient of the total.

    What is added to the total as it is reaches both.
    """
    shared = {id(parameter) for parameter in parameters}
    added = given.auxiliary_gradients(parameters)
    others = [p for p in given.model.parameters() if p.requires_grad and id(p) not in shared]
    torch.autograd.backward(total, inputs=others)
    for parameter, direction, more in zip(parameters, directions, added, strict=True):
        parameter.grad = (direction.detach() + more).to(parameter)


def _not_finite(given: Pass, gramian: Float[Tensor, "P P"]) -> TrainingError:
    names = [
        given.model.task_names[task]
        for task, square in zip(given.tasks.tolist(), gramian.diagonal().tolist(), strict=True)
        if not torch.isfinite(torch.tensor(square))
    ]
    return TrainingError(
        f"{given.place}: the gradient is not finite for {', '.join(names) or 'a pair of tasks'}.",
        hint="Lower training.learning_rate, set training.clip_norm, or clip the label.",
    )
