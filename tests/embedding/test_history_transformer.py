"""The transformer over what a user did before."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.embedding.history_transformer import HistoryTransformer

DIM, LENGTH = 4, 5
OFFSETS = torch.tensor([0, 3, 3, 4, 10])


def build(*, dim: int = DIM) -> HistoryTransformer:
    generator = torch.Generator().manual_seed(1)
    network = HistoryTransformer(dim, LENGTH, generator=generator).double()
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
    """Return the output of one list, without any padding, head by head."""
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    n = len(ids)
    h = ids + state["positions"][LENGTH - n :]
    for at, block in enumerate(network.blocks):
        p = f"blocks.{at}"
        read = normalized(h) @ state[f"{p}.ask_key_value.weight"].T
        ask, key, value = np.split(read + state[f"{p}.ask_key_value.bias"], 3, axis=1)
        width = DIM // block.n_heads
        seen = np.zeros_like(h)
        for head in range(block.n_heads):
            own = slice(head * width, (head + 1) * width)
            scores = ask[:, own] @ key[:, own].T / math.sqrt(width)
            scores[np.triu_indices(n, 1)] = -np.inf
            weights = np.exp(scores)
            seen[:, own] = weights / weights.sum(axis=1, keepdims=True) @ value[:, own]
        h = h + seen @ state[f"{p}.together.weight"].T + state[f"{p}.together.bias"]
        wide = normalized(h) @ state[f"{p}.widen.weight"].T + state[f"{p}.widen.bias"]
        wide /= 1 + np.exp(-wide)
        h = h + wide @ state[f"{p}.narrow.weight"].T + state[f"{p}.narrow.bias"]
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


@pytest.mark.parametrize(("dim", "n_heads"), [(4, 4), (6, 2), (5, 1)])
def test_there_are_as_many_heads_as_the_width_allows(dim: int, n_heads: int) -> None:
    network = build(dim=dim)
    assert {block.n_heads for block in network.blocks} == {n_heads}
    ids = torch.randn(3, dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert network(ids, torch.tensor([0, 1, 3])).shape == (2, dim)


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
