"""Gates that see some of the experts only."""

import math

import torch

from paretorank.blocks import spread_logits, spread_weights, weights_in_sight

SEEN = torch.tensor([[0, 3], [2, 1]])
VALUES = torch.tensor([[[0.1, 0.2], [0.3, 0.4]]])


def test_logits_out_of_sight_are_minus_infinity() -> None:
    out = -math.inf
    expected = torch.tensor([[[0.1, out, out, 0.2], [out, 0.4, 0.3, out]]])
    assert torch.equal(spread_logits(VALUES, SEEN, 4), expected)


def test_weights_out_of_sight_are_zero_and_those_in_sight_come_back() -> None:
    expected = torch.tensor([[[0.1, 0.0, 0.0, 0.2], [0.0, 0.4, 0.3, 0.0]]])
    assert torch.equal(spread_weights(VALUES, SEEN, 4), expected)
    assert torch.equal(weights_in_sight(expected, SEEN), VALUES)


def test_gradients_reach_what_is_in_sight_only() -> None:
    values = VALUES.clone().requires_grad_()
    spread_logits(values, SEEN, 4).softmax(dim=2)[0, 0, 0].backward()
    assert values.grad is not None
    assert values.grad[0, 0].abs().min() > 0
    assert values.grad[0, 1].abs().max() == 0
