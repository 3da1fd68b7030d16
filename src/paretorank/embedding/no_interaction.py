"""No interaction: the input goes to the architecture as it is."""

from collections.abc import Sequence
from typing import Literal

import torch

from paretorank.embedding.interaction import InputField
from paretorank.foundation.section import Section


class NoInteractionConfig(Section):
    """The choice of no interaction."""

    kind: Literal["none"] = "none"

    def build(
        self, *, in_dim: int, fields: Sequence[InputField], generator: torch.Generator
    ) -> None:
        """Return nothing: there is no network."""
        del in_dim, fields, generator
