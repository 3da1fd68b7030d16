"""The one place where losses of rows become losses of tasks.

Shapes: B rows, T tasks.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

ANY_LABEL = 1.0  # a valid label of every kind: positive, one event, one second


def fill_unobserved(
    label: Float[Tensor, "B T"], observed: Bool[Tensor, "B T"], value: float = ANY_LABEL
) -> Float[Tensor, "B T"]:
    """Return the labels with `value` wherever nothing was observed.

    Needed before a loss is computed: a NaN that is masked afterwards still makes NaN gradients.
    """
    return torch.where(observed, label, value)


def reduce_losses(
    loss: Float[Tensor, "B T"],
    observed: Bool[Tensor, "B T"],
    weight: Float[Tensor, " B"] | None = None,
) -> Float[Tensor, " T"]:
    """Return the weighted mean loss of every task over its observed rows.

    NaN, with exactly zero gradient, for a task without an observed row of positive weight; NaN
    does not come from anywhere else as long as the losses of observed rows are finite.
    """
    counted = observed.to(loss.dtype)
    if weight is not None:
        counted = counted * weight.unsqueeze(1)
    mass = counted.sum(dim=0)
    total = (torch.where(counted > 0, loss, 0.0) * counted).sum(dim=0)  # 0 * inf is NaN
    mean = total / torch.where(mass > 0, mass, 1.0)  # dividing by 0 would make NaN gradients
    return torch.where(mass > 0, mean, torch.nan)
