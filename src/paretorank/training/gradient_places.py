"""Gradients of single tasks over all passes of a step, where a balancer wants them.

Shapes: P present tasks.
"""

import functools
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor, nn

from paretorank.balancing import Balancer, GramianBalancer, JacobianBalancer
from paretorank.balancing.gradient_balancer import Place
from paretorank.foundation.errors import ConfigError
from paretorank.model.ranker import MultiTaskRanker
from paretorank.training.passes import Pass, Passes
from paretorank.training.task_gradients import (
    MixedGradients,
    WrittenGradients,
    at_parameters,
    at_representation,
)

TaskGradients = MixedGradients | WrittenGradients


def refuse_nothing_shared(balancer: Balancer, model: MultiTaskRanker) -> None:
    """Refuse to take gradients at shared parameters where a model has none.

    Raises:
        ConfigError: tasks share nothing but embedding tables at the place of the balancer.
    """
    if not isinstance(balancer, GramianBalancer | JacobianBalancer):
        return
    if balancer.at != "representation" and not parameters_at(balancer.at, model):
        raise ConfigError(
            f"balancer.at = {balancer.at!r} needs parameters that tasks share, and this model "
            "shares nothing there but embedding tables.",
            hint='Set balancer.at = "representation", or give model.architecture shared experts.',
        )


def parameters_at(at: Place, model: MultiTaskRanker) -> list[nn.Parameter]:
    """Return the parameters of a place; none at the representation."""
    match at:
        case "parameters":
            return model.shared_parameters()
        case "last_layer":
            return model.architecture.last_shared_layer()
        case "representation":
            return []


def gradients_at(at: Place, passes: Passes, parameters: Sequence[nn.Parameter]) -> TaskGradients:
    """Return the gradients of the present tasks; the graph of a pass that is kept is kept.

    Args:
        at: the place.
        passes: all rows; must have their cuts.
        parameters: those of the place.
    """
    if at == "representation":
        return _side_by_side([representation_gradients(given, passes.tasks) for given in passes])
    taken = (
        at_parameters(given.result.losses, passes.tasks, given.cut, parameters) for given in passes
    )
    return functools.reduce(WrittenGradients.plus, taken)


def representation_gradients(given: Pass, tasks: Int[Tensor, " P"]) -> TaskGradients:
    """Return the gradients of some tasks at the representation of these rows; the graph is kept.

    Inner products need at least float32, whatever the precision of the network.
    """
    found = at_representation(given.result.losses, tasks, given.cut)
    if isinstance(found, MixedGradients):
        return MixedGradients(_at_least_single(found.of_mixture), _at_least_single(found.mixing))
    return WrittenGradients(tuple(_at_least_single(each) for each in found.by_tensor))


def _at_least_single(tensor: Tensor) -> Tensor:
    return tensor.float() if tensor.dtype in {torch.bfloat16, torch.float16} else tensor


def _side_by_side(found: Sequence[TaskGradients]) -> TaskGradients:
    """Return the gradients at the representations of all rows."""
    if len(found) == 1:
        return found[0]
    mixed = [each for each in found if isinstance(each, MixedGradients)]
    if not mixed:
        rows = [each.by_tensor[0] for each in found if isinstance(each, WrittenGradients)]
        return WrittenGradients((torch.cat(rows, dim=1),))
    mixing = [each.mixing.expand(len(each.of_mixture), -1, -1) for each in mixed]
    return MixedGradients(torch.cat([each.of_mixture for each in mixed]), torch.cat(mixing))
