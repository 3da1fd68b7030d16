"""GDCN: cross layers under gates."""

import numpy as np
import torch

from paretorank.embedding import DCNv2Config, GatedConfig, GatedCrossNetwork


def build(n_layers: int) -> GatedCrossNetwork:
    config, generator = GatedConfig(n_layers=n_layers), torch.Generator().manual_seed(1)
    return config.build(in_dim=4, fields=(), generator=generator).double()


def rows() -> torch.Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(3, 4, generator=generator, dtype=torch.float64).requires_grad_()


def test_an_independent_forward_pass_in_numpy_agrees() -> None:
    network, x0 = build(2), rows().detach().numpy()
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    x = x0
    for layer in range(2):
        mapped = x @ state[f"layers.{layer}.weight"].T + state[f"layers.{layer}.bias"]
        gate = x @ state[f"gates.{layer}.weight"].T + state[f"gates.{layer}.bias"]
        x = x0 * mapped / (1 + np.exp(-gate)) + x
    np.testing.assert_allclose(network(rows()).detach().numpy(), x, atol=1e-12)


def test_open_gates_make_it_the_plain_cross_network() -> None:
    network = build(2)
    plain = DCNv2Config().build(in_dim=4, fields=(), generator=torch.Generator()).double()
    plain.layers.load_state_dict(network.layers.state_dict())
    with torch.no_grad():
        for gate in network.gates:
            gate.weight.zero_()
            gate.bias.fill_(100.0)
    torch.testing.assert_close(network(rows()), plain(rows()))


def test_closed_gates_pass_the_input_on() -> None:
    network = build(2)
    with torch.no_grad():
        for gate in network.gates:
            gate.weight.zero_()
            gate.bias.fill_(-1000.0)
    assert torch.equal(network(rows()), rows())


def test_gradients_agree_with_finite_differences() -> None:
    assert torch.autograd.gradcheck(build(2), (rows(),))
