"""Pooling of ragged rows."""

from itertools import pairwise
from typing import Literal

import numpy as np
import pytest
import torch

from paretorank.embedding.pooling import pool

VECTORS = torch.tensor([[1.0, -1.0], [3.0, -5.0], [10.0, 10.0]])
OFFSETS = torch.tensor([0, 2, 2, 3])

Pooling = Literal["sum", "mean", "max"]


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("sum", [[4.0, -6.0], [0.0, 0.0], [10.0, 10.0]]),
        ("mean", [[2.0, -3.0], [0.0, 0.0], [10.0, 10.0]]),
        ("max", [[3.0, -1.0], [0.0, 0.0], [10.0, 10.0]]),
    ],
)
def test_rows_are_pooled_and_an_empty_row_is_zero(
    pooling: Pooling, expected: list[list[float]]
) -> None:
    assert torch.equal(pool(VECTORS, OFFSETS, pooling), torch.tensor(expected))


@pytest.mark.parametrize("pooling", ["sum", "mean", "max"])
def test_rows_that_are_all_empty_give_zeros_and_finite_gradients(pooling: Pooling) -> None:
    vectors = torch.zeros(0, 3, requires_grad=True)
    pooled = pool(vectors, torch.zeros(5, dtype=torch.long), pooling)
    assert torch.equal(pooled, torch.zeros(4, 3))
    pooled.sum().backward()


@pytest.mark.parametrize("pooling", ["sum", "mean", "max"])
def test_it_equals_a_loop_over_the_rows(pooling: Pooling) -> None:
    rng = np.random.default_rng(3)
    lengths = rng.integers(0, 5, size=40)
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    vectors = rng.normal(size=(offsets[-1], 4))
    reduce = {"sum": np.sum, "mean": np.mean, "max": np.max}[pooling]
    expected = [
        reduce(vectors[low:high], axis=0) if high > low else np.zeros(4)
        for low, high in pairwise(offsets)
    ]
    pooled = pool(torch.from_numpy(vectors), torch.from_numpy(offsets), pooling)
    np.testing.assert_allclose(pooled.numpy(), np.stack(expected), atol=1e-12)
