"""The factorization machine: products of all pairs of embeddings."""

import itertools

import numpy as np
import pytest
import torch

from paretorank.embedding import FactorizationMachine, InputField, equal_dim
from paretorank.embedding.fm import pair_products
from paretorank.foundation.errors import ConfigError


def fields(*dims: int) -> list[InputField]:
    return [InputField(f"f{at}", dim) for at, dim in enumerate(dims)]


def test_three_fields_have_the_value_worked_out_by_hand() -> None:
    # 2*3 + 2*5 + 3*5 = 31 and 1*0 + 1*(-1) + 0*(-1) = -1
    vectors = torch.tensor([[[2.0, 1.0], [3.0, 0.0], [5.0, -1.0]]])
    assert pair_products(vectors).tolist() == [[31.0, -1.0]]


def test_the_products_of_all_pairs_in_numpy_agree() -> None:
    generator = torch.Generator().manual_seed(1)
    vectors = torch.randn(5, 4, 3, generator=generator, dtype=torch.float64)
    pairs = itertools.combinations(vectors.numpy().swapaxes(0, 1), 2)
    expected = np.sum([a * b for a, b in pairs], axis=0)
    np.testing.assert_allclose(pair_products(vectors).numpy(), expected, atol=1e-12)


def test_the_input_stays_and_numbers_take_no_part() -> None:
    network = FactorizationMachine(in_dim=5, fields=fields(2, 2))
    x = torch.tensor([[2.0, 1.0, 3.0, -1.0, 100.0]])
    assert network(x).tolist() == [[2.0, 1.0, 3.0, -1.0, 100.0, 6.0, -1.0]]
    assert network.out_dim == 7


def test_gradients_agree_with_finite_differences() -> None:
    network = FactorizationMachine(in_dim=7, fields=fields(2, 2, 2))
    x = torch.randn(3, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    assert torch.autograd.gradcheck(network, (x.requires_grad_(),))


def test_embeddings_of_several_widths_are_refused_by_name() -> None:
    with pytest.raises(ConfigError) as error:
        equal_dim(fields(2, 3, 2, 2, 2))
    assert "2: f0, f2, f3, ...; 3: f1" in str(error.value)
    assert error.value.hint


@pytest.mark.parametrize("dims", [(), (4,)])
def test_fewer_than_two_embeddings_are_refused(dims: tuple[int, ...]) -> None:
    with pytest.raises(ConfigError, match=f"there are {len(dims)}"):
        equal_dim(fields(*dims))
