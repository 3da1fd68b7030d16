"""Dropout with masks that can be repeated."""

import pytest
import torch
from torch import nn

from paretorank.blocks import MLP, Dropout, reseed_dropout


def test_kept_units_are_scaled_so_that_the_mean_stays() -> None:
    dropped = Dropout(0.25)(torch.ones(100_000))
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)


def test_the_same_seed_repeats_the_masks_without_the_global_generator() -> None:
    dropout, x = Dropout(0.5), torch.ones(1000)
    before = torch.random.get_rng_state()
    dropout.reseed(1)
    first, second = dropout(x), dropout(x)
    dropout.reseed(1)
    assert torch.equal(dropout(x), first)
    assert torch.equal(dropout(x), second)
    assert not torch.equal(first, second)
    assert torch.equal(before, torch.random.get_rng_state())


def test_nothing_happens_when_evaluating_or_at_rate_zero() -> None:
    x = torch.ones(10)
    assert Dropout(0.5).eval()(x) is x
    assert Dropout(0.0)(x) is x


def test_reseeding_a_module_gives_every_dropout_a_seed_of_its_own() -> None:
    mlp = MLP(8, (8, 8), generator=torch.Generator().manual_seed(0), dropout_rate=0.5)
    module, ones = nn.Sequential(mlp), torch.ones(64)
    reseed_dropout(module, 5)
    first = [dropout(ones) for dropout in mlp.dropouts]
    reseed_dropout(module, 5)
    again = [dropout(ones) for dropout in mlp.dropouts]
    assert not torch.equal(first[0], first[1])
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_impossible_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="`rate` must be"):
        Dropout(rate)
