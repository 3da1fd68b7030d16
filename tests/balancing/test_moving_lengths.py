"""Moving means of lengths, and the factors made of them."""

import pytest
import torch

from paretorank.balancing.moving_lengths import move, relaxed_factors

NAN = torch.nan


def test_a_mean_starts_at_the_first_length_and_then_moves() -> None:
    moved = move(torch.tensor([NAN, 2.0]), torch.tensor([5.0, 4.0]), keep=0.75)
    assert moved.tolist() == [5.0, 2.5]


def test_factors_go_part_of_the_way_to_the_wanted_length() -> None:
    means = torch.tensor([2.0, 8.0])
    assert relaxed_factors(means, torch.tensor([2.0]), relax=0.5).tolist() == [1.0, 0.625]
    assert relaxed_factors(means, torch.tensor([2.0]), relax=1.0).tolist() == [1.0, 0.25]
    assert relaxed_factors(means, torch.tensor([2.0]), relax=0.0).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("wanted", [0.0, NAN])
def test_without_a_wanted_length_nothing_is_scaled(wanted: float) -> None:
    factors = relaxed_factors(torch.tensor([2.0, 8.0]), torch.tensor([wanted]), relax=0.7)
    assert factors.tolist() == [1.0, 1.0]


def test_what_has_no_length_is_not_scaled() -> None:
    factors = relaxed_factors(torch.tensor([0.0, NAN, 4.0]), torch.tensor([2.0]), relax=1.0)
    assert factors.tolist() == [1.0, 1.0, 0.5]
