"""Network parts that add a term to the loss while they train."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override


class Penalized(nn.Module):
    """A part whose last forward pass in training may have left a penalty."""

    penalty: Float[Tensor, ""] | None = None
    """To be added to the loss; None where nothing is penalised or nothing has run yet."""

    @override
    def __getstate__(self) -> dict[str, Any]:
        # The penalty hangs on the graph of one step, which a copy of the part has not.
        return {**self.__dict__, "penalty": None}
