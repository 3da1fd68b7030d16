"""Numbers as inputs of the network: unfolded bins, zeros and an indicator for missing ones.

piecewise-linear, Source: Gorishniy, Rubachev, Babenko, NeurIPS 2022, eq. 1: the bins below the
number read 1, the bin that holds it reads the fraction, those above read 0.
Shapes: B rows, M numbers, I inputs.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from paretorank.data.layout import NumericColumn


class NumberInputs(nn.Module):
    """Turns encoded numbers (NaN = missing) into plain inputs."""

    def __init__(self, columns: tuple[NumericColumn, ...]) -> None:
        super().__init__()
        plain = [at for at, c in enumerate(columns) if not (c.n_bins or c.for_losses)]
        source = [at for at, column in enumerate(columns) for _ in range(column.n_bins)]
        lower = [float(low) for column in columns for low in range(column.n_bins)]
        missing = [at for at, column in enumerate(columns) if column.has_missing]
        self.register_buffer("plain", torch.tensor(plain, dtype=torch.long), persistent=False)
        self.register_buffer("source", torch.tensor(source, dtype=torch.long), persistent=False)
        self.register_buffer("lower", torch.tensor(lower), persistent=False)
        self.register_buffer("missing", torch.tensor(missing, dtype=torch.long), persistent=False)
        self.columns = (*plain, *source, *missing)
        """Which column each input is made of."""
        self.out_dim = len(self.columns)
        self._all_plain = len(plain) == len(columns)

    plain: Tensor
    source: Tensor
    lower: Tensor
    missing: Tensor

    def forward(self, numeric: Float[Tensor, "B M"]) -> Float[Tensor, "B I"]:
        """Return the inputs: plain numbers, bins, indicators."""
        numbers = torch.where(numeric.isnan(), 0.0, numeric)  # infinity stays, and is found
        parts = [numbers if self._all_plain else numbers[:, self.plain]]
        if len(self.source):
            parts.append((numbers[:, self.source] - self.lower).clamp(0.0, 1.0))
        if len(self.missing):
            parts.append(numeric[:, self.missing].isnan().to(numeric.dtype))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]
