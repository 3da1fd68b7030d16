"""Dropout whose masks come from a generator of its own, so that a resumed run repeats them.

Source: Srivastava et al., Dropout: A Simple Way to Prevent Neural Networks from Overfitting,
    JMLR 2014, section 4 (inverted scaling: nothing happens at inference).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.foundation.seeds import derive_seed


class Dropout(nn.Module):
    """Sets units to zero with probability `rate` while training and scales up the others."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0.0 <= rate < 1.0:
            raise ValueError(f"`rate` must be at least 0 and below 1, got {rate}.")
        self.rate = rate
        self._seed = 0
        self._generator: torch.Generator | None = None

    def reseed(self, seed: int) -> None:
        """Start the sequence of masks anew; the same seed gives the same masks."""
        self._seed = seed
        self._generator = None

    def forward(self, x: Float[Tensor, "*rows H"]) -> Float[Tensor, "*rows H"]:
        """Return `x` itself when evaluating or when the rate is 0."""
        if not self.training or self.rate == 0.0:
            return x
        keep_rate = 1.0 - self.rate
        mask = torch.empty_like(x).bernoulli_(keep_rate, generator=self._on(x.device))
        return x * mask.div_(keep_rate)

    def extra_repr(self) -> str:
        """Show the rate when the module is printed."""
        return f"rate={self.rate}"

    def _on(self, device: torch.device) -> torch.Generator:
        if self._generator is None or self._generator.device != device:
            self._generator = torch.Generator(device).manual_seed(self._seed)
        return self._generator


def reseed_dropout(module: nn.Module, seed: int) -> None:
    """Reseed every `Dropout` inside `module`, each with its own seed derived from `seed`.

    Called before each step with a seed that depends on the step, it makes the masks a function of
    the step alone: nothing has to be stored to resume exactly.
    """
    for name, part in module.named_modules():
        if isinstance(part, Dropout):
            part.reseed(derive_seed(seed, "dropout", name))
