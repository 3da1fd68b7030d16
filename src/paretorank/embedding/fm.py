"""Factorization machine: the sum of the products of all pairs of embeddings, beside the input.

Source: Rendle, Factorization Machines, ICDM 2010, lemma 3.1 (half of the squared sum minus the sum
    of squares); He and Chua, Neural Factorization Machines for Sparse Predictive Analytics, SIGIR
    2017 (bi-interaction: one product per dimension, for a network to read).
Embeddings of codes and pooled lists take part; numbers have none and stay as they are.
Shapes: B rows, D input width, F fields, d width of each.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.embedding.interaction import InputField, Interaction
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.section import Section

_FEWEST = 2
_SHOWN = 3


class FMConfig(Section):
    """A factorization machine; it has no hyper-parameters."""

    kind: Literal["fm"] = "fm"

    def build(
        self, *, in_dim: int, fields: Sequence[InputField], generator: torch.Generator
    ) -> "FactorizationMachine":
        """Return the network, which has no parameters.

        Raises:
            ConfigError: the embeddings are not of one width, or there are fewer than two.
        """
        del generator
        return FactorizationMachine(in_dim=in_dim, fields=fields)


class FactorizationMachine(Interaction):
    """Adds one number per dimension of the embeddings to the input."""

    def __init__(self, *, in_dim: int, fields: Sequence[InputField]) -> None:
        super().__init__()
        self.n_fields, self.dim = len(fields), equal_dim(fields)
        self.out_dim = in_dim + self.dim

    @override
    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, "B O"]:
        fields = x[:, : self.n_fields * self.dim].view(len(x), self.n_fields, self.dim)
        return torch.cat([x, pair_products(fields)], dim=1)


def pair_products(fields: Float[Tensor, "B F d"]) -> Float[Tensor, "B d"]:
    """Return the sum of the products of all pairs of fields, dimension by dimension."""
    return 0.5 * (fields.sum(dim=1).square() - fields.square().sum(dim=1))


def equal_dim(fields: Sequence[InputField]) -> int:
    """Return the width that all fields have.

    Raises:
        ConfigError: the embeddings are not of one width, or there are fewer than two.
    """
    if len(fields) < _FEWEST:
        raise ConfigError(
            f"model.interaction.kind = 'fm' multiplies embeddings of two features, but there "
            f"are {len(fields)}.",
            hint='Add a categorical feature, or set model.interaction.kind = "none".',
        )
    by_dim: dict[int, list[str]] = {}
    for field in fields:
        by_dim.setdefault(field.dim, []).append(field.feature)
    if len(by_dim) > 1:
        found = "; ".join(f"{dim}: {_named(names)}" for dim, names in sorted(by_dim.items()))
        raise ConfigError(
            "model.interaction.kind = 'fm' multiplies embeddings, which must be of one width, but "
            f"they are of {len(by_dim)} ({found}).",
            hint="Remove `dim` from the features, so that model.embedding_dim holds for all.",
        )
    return fields[0].dim


def _named(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
