"""The transformer over what a user did before."""

import math

import numpy as np
import torch
from torch import Tensor

from paretorank.embedding.history_transformer import HistoryTransformer

DIM, LENGTH = 4, 5
OFFSETS = torch.tensor([0, 3, 3, 4, 10])


def build() -> HistoryTransformer:
    generator = torch.Generator().manual_seed(1)
    network = HistoryTransformer(DIM, LENGTH, generator=generator).double()
    with torch.no_grad():
        network.positions.mul_(50)  # far from no positions at all
    return network


def vectors() -> Tensor:
    generator = torch.Generator().manual_seed(2)
    return torch.randn(10, DIM, generator=generator, dtype=torch.float64).requires_grad_()


def normalized(x: np.ndarray) -> np.ndarray:
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-5)


def by_hand(network: HistoryTransformer, ids: np.ndarray) -> np.ndarray:
    """Return the output of one list, without any padding."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    n = len(ids)
    h = ids + state["positions"][LENGTH - n :]
    for at in range(len(network.blocks)):
        p = f"blocks.{at}"
        read = normalized(h)
        ask = read @ state[f"{p}.ask.weight"].T + state[f"{p}.ask.bias"]
        both = read @ state[f"{p}.key_value.weight"].T + state[f"{p}.key_value.bias"]
        key, value = np.split(both, 2, axis=1)
        scores = ask @ key.T / math.sqrt(DIM)
        scores[np.triu_indices(n, 1)] = -np.inf
        weights = np.exp(scores)
        h = h + weights / weights.sum(axis=1, keepdims=True) @ value
        hidden = normalized(h) @ state[f"{p}.hidden.weight"].T + state[f"{p}.hidden.bias"]
        h = h + np.maximum(hidden, 0) @ state[f"{p}.out.weight"].T + state[f"{p}.out.bias"]
    return normalized(h)[-1]


def test_an_independent_forward_pass_in_numpy_agrees() -> None:
    network, ids = build(), vectors().detach().numpy()
    found = network(vectors(), OFFSETS).detach().numpy()
    for row, seen in ((0, ids[:3]), (2, ids[3:4]), (3, ids[5:])):
        np.testing.assert_allclose(found[row], by_hand(network, seen), atol=1e-10)


def test_an_empty_list_gives_the_learned_vector_and_finite_gradients() -> None:
    network, ids = build(), vectors()
    out = network(ids, OFFSETS)
    assert torch.equal(out[1], network.nothing)
    out.square().sum().backward()
    grads = [p.grad for p in (*network.parameters(), ids)]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)


def test_lists_that_are_all_empty_are_fine() -> None:
    network = build()
    nothing = torch.zeros(0, DIM, dtype=torch.float64)
    out = network(nothing, torch.zeros(4, dtype=torch.long))
    assert torch.equal(out, network.nothing.expand(3, DIM))


def test_only_the_last_ids_are_read() -> None:
    network, ids = build(), vectors()
    whole = network(ids, torch.tensor([0, 10]))
    torch.testing.assert_close(whole, network(ids[5:], torch.tensor([0, 5])))


def test_a_row_does_not_depend_on_the_others() -> None:
    network, ids = build(), vectors()
    alone = network(ids[3:4], torch.tensor([0, 1]))
    torch.testing.assert_close(alone, network(ids, OFFSETS)[2:3])


def test_the_order_of_the_ids_plays_a_part() -> None:
    network, ids = build(), vectors()
    turned = network(ids[[1, 0, 2]], torch.tensor([0, 3]))
    assert not torch.allclose(turned, network(ids[:3], torch.tensor([0, 3])))


def test_the_initial_values_come_from_the_generator_alone() -> None:
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one = build().state_dict()
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(2)
    two = build().state_dict()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_gradients_agree_with_finite_differences() -> None:
    network = build()
    assert torch.autograd.gradcheck(lambda ids: network(ids, OFFSETS), (vectors(),))
