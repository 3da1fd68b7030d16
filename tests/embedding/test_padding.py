"""Lists of vectors as one block."""

import pytest
import torch

from paretorank.embedding.padding import pad_last

VECTORS = torch.arange(1.0, 7.0).view(6, 1)


def test_the_last_vectors_end_at_the_last_place() -> None:
    block, is_taken = pad_last(VECTORS, torch.tensor([0, 4, 4, 6]), 3)
    assert block.squeeze(2).tolist() == [[2, 3, 4], [0, 0, 0], [0, 5, 6]]
    assert is_taken.tolist() == [[True] * 3, [False] * 3, [False, True, True]]


def test_no_values_at_all_leave_every_place_free() -> None:
    block, is_taken = pad_last(torch.zeros(0, 2), torch.tensor([0, 0, 0]), 3)
    assert torch.equal(block, torch.zeros(2, 3, 2))
    assert not is_taken.any()


@pytest.mark.parametrize(("length", "reached"), [(1, [3, 5]), (9, [0, 1, 2, 3, 4, 5])])
def test_the_gradient_reaches_exactly_the_vectors_that_are_kept(
    length: int, reached: list[int]
) -> None:
    vectors = VECTORS.clone().requires_grad_()
    pad_last(vectors, torch.tensor([0, 4, 6]), length)[0].sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.flatten().nonzero().flatten().tolist() == reached
    assert vectors.grad.max() == 1
