"""Target attention: weights of ids beside the item of the row."""

import numpy as np
import pytest
import torch
from torch import Tensor

from paretorank.embedding.target_attention import TargetAttention

DIM = 3
OFFSETS = torch.tensor([0, 4, 4, 5])


def build(*, max_length: int = 6, normalize: bool = False) -> TargetAttention:
    generator = torch.Generator().manual_seed(1)
    return TargetAttention(DIM, max_length, normalize=normalize, generator=generator).double()


def inputs() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(2)
    target = torch.randn(3, DIM, generator=generator, dtype=torch.float64)
    vectors = torch.randn(5, DIM, generator=generator, dtype=torch.float64)
    return target.requires_grad_(), vectors.requires_grad_()


def weight_by_hand(network: TargetAttention, target: np.ndarray, seen: np.ndarray) -> float:
    state = {name: value.numpy() for name, value in network.state_dict().items()}
    read = np.concatenate([target, seen, target - seen, target * seen])
    hidden = state["hidden.layers.0.weight"] @ read + state["hidden.layers.0.bias"]
    hidden /= 1 + np.exp(-hidden)
    return float((state["score.weight"] @ hidden + state["score.bias"])[0])


@pytest.mark.parametrize("normalize", [False, True])
def test_an_independent_forward_pass_in_numpy_agrees(normalize: bool) -> None:
    network, (target, vectors) = build(normalize=normalize), inputs()
    items, seen = target.detach().numpy(), vectors.detach().numpy()
    expected = np.zeros((3, DIM))
    for row, ids in ((0, range(4)), (2, range(4, 5))):
        weights = np.array([weight_by_hand(network, items[row], seen[at]) for at in ids])
        if normalize:
            weights = np.exp(weights) / np.exp(weights).sum()
        expected[row] = weights @ seen[list(ids)]
    found = network(target, vectors, OFFSETS).detach().numpy()
    np.testing.assert_allclose(found, expected, atol=1e-12)


@pytest.mark.parametrize("normalize", [False, True])
def test_an_empty_list_gives_zeros_and_finite_gradients(normalize: bool) -> None:
    network, (target, vectors) = build(normalize=normalize), inputs()
    pooled = network(target, vectors, OFFSETS)
    assert (pooled[1] == 0).all()
    pooled.square().sum().backward()
    grads = [p.grad for p in (*network.parameters(), target, vectors)]
    assert all(grad is not None and grad.isfinite().all() for grad in grads)


def test_lists_that_are_all_empty_are_fine() -> None:
    target = inputs()[0]
    nothing = torch.zeros(0, DIM, dtype=torch.float64)
    pooled = build(normalize=True)(target, nothing, torch.zeros(4, dtype=torch.long))
    assert torch.equal(pooled, torch.zeros(3, DIM, dtype=torch.float64))


@pytest.mark.parametrize("normalize", [False, True])
def test_the_order_of_the_ids_plays_no_part(normalize: bool) -> None:
    network, (target, vectors) = build(normalize=normalize), inputs()
    shuffled = vectors[[2, 0, 3, 1, 4]]
    one, two = network(target, vectors, OFFSETS), network(target, shuffled, OFFSETS)
    torch.testing.assert_close(one, two)


@pytest.mark.parametrize("normalize", [False, True])
def test_free_places_change_nothing(normalize: bool) -> None:
    target, vectors = inputs()
    short, long = build(max_length=4, normalize=normalize), build(normalize=normalize)
    one, two = short(target, vectors, OFFSETS), long(target, vectors, OFFSETS)
    torch.testing.assert_close(one, two)


def test_a_row_does_not_depend_on_the_others() -> None:
    network, (target, vectors) = build(), inputs()
    alone = network(target[2:], vectors[4:], torch.tensor([0, 1]))
    torch.testing.assert_close(alone, network(target, vectors, OFFSETS)[2:])


def test_without_normalisation_a_repeated_id_counts_twice() -> None:
    network, (target, vectors) = build(), inputs()
    once = network(target[:1], vectors[:1], torch.tensor([0, 1]))
    twice = network(target[:1], vectors[[0, 0]], torch.tensor([0, 2]))
    torch.testing.assert_close(twice, 2 * once)
    normal = build(normalize=True)
    once = normal(target[:1], vectors[:1], torch.tensor([0, 1]))
    torch.testing.assert_close(normal(target[:1], vectors[[0, 0]], torch.tensor([0, 2])), once)


@pytest.mark.parametrize("normalize", [False, True])
def test_gradients_agree_with_finite_differences(normalize: bool) -> None:
    network = build(normalize=normalize)
    assert torch.autograd.gradcheck(lambda t, v: network(t, v, OFFSETS), inputs())
