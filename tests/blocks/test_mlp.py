"""A multi-layer perceptron with a generator of its own."""

import torch
import torch.nn.functional as F

from paretorank.blocks import MLP


def test_layers_are_applied_one_after_the_other() -> None:
    mlp = MLP(3, (4, 2), generator=torch.Generator().manual_seed(0), activation="silu")
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(1))
    h = F.silu(x @ mlp.layers[0].weight.T + mlp.layers[0].bias)
    torch.testing.assert_close(mlp(x), F.silu(h @ mlp.layers[1].weight.T + mlp.layers[1].bias))
    assert mlp.out_dim == 2


def test_without_layers_the_input_comes_out() -> None:
    mlp = MLP(3, (), generator=torch.Generator())
    x = torch.ones(1, 3)
    assert mlp(x) is x
    assert mlp.out_dim == 3


def test_units_start_different_and_within_the_bound() -> None:
    mlp = MLP(25, (16,), generator=torch.Generator().manual_seed(0))
    weight = mlp.layers[0].weight
    assert len(weight.unique(dim=0)) == 16
    assert 0.19 < float(weight.detach().abs().max()) <= 0.2
