"""What the engine of autograd is about to do, for backward passes that are derived by hand."""

from collections.abc import Sequence
from typing import Any

import torch


def wants_any(producers: Sequence[tuple[Any, int]]) -> bool:
    """Return whether this backward pass goes on into any of the producers of the inputs.

    `needs_input_grad` does not know which gradients a pass was asked for, the engine does.
    """
    try:
        return any(
            torch._C._will_engine_execute_node(producer)  # noqa: SLF001 - there is no public one
            for producer, _ in producers
            if producer is not None
        )
    except RuntimeError:  # the engine refuses to say so of a leaf that was itself asked for
        return True
