"""Numbers as inputs: plain, unfolded bins, indicators."""

import math
from itertools import pairwise

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from paretorank.data.layout import NumericColumn
from paretorank.embedding.numbers import NumberInputs

COLUMNS = (
    NumericColumn(name="age"),
    NumericColumn(name="price", n_bins=3),
    NumericColumn(name="rate", has_missing=True),
    NumericColumn(name="length", n_bins=2, has_missing=True),
)


def test_plain_numbers_come_first_then_bins_then_indicators() -> None:
    numeric = torch.tensor([[0.5, 1.25, -2.0, 0.5], [7.0, 3.0, math.nan, math.nan]])
    inputs = NumberInputs(COLUMNS)(numeric)
    expected = torch.tensor(
        [
            # age, rate | price: below, holding, above | length | rate and length missing
            [0.5, -2.0, 1.0, 0.25, 0.0, 0.5, 0.0, 0.0, 0.0],
            [7.0, 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0],
        ]
    )
    assert torch.equal(inputs, expected)
    assert NumberInputs(COLUMNS).out_dim == expected.shape[1]


def test_a_missing_number_never_reaches_the_network_as_nan() -> None:
    columns = (NumericColumn(name="x"), NumericColumn(name="y", n_bins=2))
    inputs = NumberInputs(columns)(torch.full((3, 2), math.nan))
    assert torch.equal(inputs, torch.zeros(3, 3))


def test_an_infinite_number_stays_infinite_so_that_training_can_name_its_row() -> None:
    inputs = NumberInputs((NumericColumn(name="x"),))(torch.tensor([[math.inf], [-math.inf]]))
    assert inputs.flatten().tolist() == [math.inf, -math.inf]


def test_no_number_gives_no_input() -> None:
    numbers = NumberInputs(())
    assert numbers.out_dim == 0
    assert numbers(torch.zeros(4, 0)).shape == (4, 0)


@settings(max_examples=50, deadline=None)
@given(
    edges=st.lists(st.integers(-50, 50), min_size=2, max_size=6, unique=True).map(sorted),
    x=st.floats(-60, 60, width=32),
)
def test_unfolding_equals_equation_1_of_gorishniy_inside_the_outer_edges(
    edges: list[int], x: float
) -> None:
    inside = float(np.clip(x, edges[0], edges[-1]))
    by_equation = [
        0.0 if inside < low and at > 0 else min((inside - low) / (high - low), 1.0)
        for at, (low, high) in enumerate(pairwise(edges))
    ]
    n_bins = len(edges) - 1
    place = np.interp(x, edges, range(n_bins + 1))  # what the encoder stores
    numeric = torch.tensor([[place]], dtype=torch.float64)
    unfolded = NumberInputs((NumericColumn(name="x", n_bins=n_bins),)).double()(numeric)
    np.testing.assert_allclose(unfolded[0].numpy(), by_equation, atol=1e-12)
