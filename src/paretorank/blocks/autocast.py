"""Automatic mixed precision in front of backward passes that are derived by hand.

Autocast converts what built-in operators read. A hand-written function would get inputs of several
kinds, and its backward pass, which runs outside of autocast, could not multiply them.
"""

import torch
from torch import Tensor


def autocast_inputs(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Return the tensors in the precision that autocast wants; unchanged where it is off."""
    kind = tensors[0].device.type
    if not torch.is_autocast_enabled(kind):
        return tensors
    dtype = torch.get_autocast_dtype(kind)
    return tuple(tensor.to(dtype) for tensor in tensors)
