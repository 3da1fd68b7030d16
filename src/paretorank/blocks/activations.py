"""Activation functions by name."""

from collections.abc import Callable, Mapping
from typing import Literal

import torch.nn.functional as F
from torch import Tensor

Activation = Literal["relu", "silu"]


def _relu_(x: Tensor) -> Tensor:
    # The caller's matrix product does not need its own output for the backward pass, so the
    # largest tensors of a step may be overwritten instead of copied.
    return F.relu(x, inplace=True)


ACTIVATIONS: Mapping[Activation, Callable[[Tensor], Tensor]] = {"relu": _relu_, "silu": F.silu}
"""What to apply to a fresh pre-activation; it may overwrite its argument."""
