"""DCN-V2: products of the input with linear maps of itself."""

import numpy as np
import pytest
import torch

from paretorank.embedding import CrossNetwork, DCNv2Config


def build(n_layers: int, *, rank: int | None = None, in_dim: int = 4) -> CrossNetwork:
    config = DCNv2Config(n_layers=n_layers, rank=rank)
    generator = torch.Generator().manual_seed(1)
    return config.build(in_dim=in_dim, fields=(), generator=generator).double()


def rows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(3, 4, generator=generator, dtype=torch.float64).requires_grad_()


def test_one_layer_has_the_value_worked_out_by_hand() -> None:
    network = build(1, in_dim=2)
    with torch.no_grad():
        network.layers[0].weight.copy_(torch.tensor([[1.0, 2.0], [0.0, -1.0]]))
        network.layers[0].bias.copy_(torch.tensor([0.5, 1.0]))
    x = torch.tensor([[2.0, 3.0]], dtype=torch.float64)
    # (1*2 + 2*3 + 0.5) * 2 + 2 = 19;  (-3 + 1) * 3 + 3 = -3
    assert network(x).tolist() == [[19.0, -3.0]]


@pytest.mark.parametrize("rank", [None, 2])
def test_an_independent_forward_pass_in_numpy_agrees(rank: int | None) -> None:
    network, x0 = build(3, rank=rank), rows().detach().numpy()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    x = x0
    for layer in range(3):
        if rank is None:
            mapped = x @ state[f"layers.{layer}.weight"].T + state[f"layers.{layer}.bias"]
        else:
            narrow = x @ state[f"layers.{layer}.0.weight"].T
            mapped = narrow @ state[f"layers.{layer}.1.weight"].T
            mapped += state[f"layers.{layer}.1.bias"]
        x = x0 * mapped + x
    np.testing.assert_allclose(network(rows()).detach().numpy(), x, atol=1e-12)


def test_a_bottleneck_has_fewer_weights() -> None:
    assert sum(p.numel() for p in build(1).parameters()) == 4 * 4 + 4
    assert sum(p.numel() for p in build(1, rank=1).parameters()) == 2 * 4 + 4


def test_maps_of_zero_change_nothing() -> None:
    network = build(2)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
    assert torch.equal(network(rows()), rows())


@pytest.mark.parametrize("rank", [None, 2])
def test_gradients_agree_with_finite_differences(rank: int | None) -> None:
    assert torch.autograd.gradcheck(build(2, rank=rank), (rows(),))
