"""Projection onto the simplex."""

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from scipy.optimize import minimize
from torch import Tensor

from paretorank.balancing.simplex import project_onto_simplex


def double(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_what_is_too_much_is_taken_from_all_alike_until_nothing_is_left() -> None:
    assert project_onto_simplex(double(0.9, 0.7, -1.0)).tolist() == pytest.approx([0.6, 0.4, 0.0])
    assert project_onto_simplex(double(0.2, 0.4)).tolist() == pytest.approx([0.4, 0.6])
    assert project_onto_simplex(double(3.0, 1.0)).tolist() == [1.0, 0.0]


def test_a_point_of_the_simplex_stays() -> None:
    point = double(0.25, 0.75, 0.0)
    torch.testing.assert_close(project_onto_simplex(point), point, rtol=0, atol=1e-15)


def test_a_total_of_nothing_gives_nothing() -> None:
    assert project_onto_simplex(double(0.3, -2.0, 5.0), 0.0).tolist() == [0.0, 0.0, 0.0]


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=6), st.floats(0.1, 2.0))
def test_no_other_point_is_nearer(values: list[float], total: float) -> None:
    ours = project_onto_simplex(double(*values), total).numpy()
    assert ours.min() >= 0
    assert ours.sum() == pytest.approx(total, abs=1e-9)
    other = minimize(
        lambda x: ((x - values) ** 2).sum(),
        [total / len(values)] * len(values),
        bounds=[(0, None)] * len(values),
        constraints={"type": "eq", "fun": lambda x: x.sum() - total},
        method="SLSQP",
    )
    assert ((ours - values) ** 2).sum() <= other.fun + 1e-6


def test_every_row_of_a_batch_is_projected_on_its_own() -> None:
    rows = torch.stack([double(3.0, 1.0), double(0.2, 0.4)])
    assert project_onto_simplex(rows)[0].tolist() == [1.0, 0.0]
    assert project_onto_simplex(rows)[1].tolist() == pytest.approx([0.4, 0.6])


def test_a_negative_total_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 0, got -1"):
        project_onto_simplex(double(1.0), -1.0)
