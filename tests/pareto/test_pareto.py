"""Fronts against values computed independently, by hand and by brute force."""

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paretorank.pareto import (
    Front,
    Objective,
    chebyshev,
    hypervolume,
    knee,
    least_misery,
    non_dominated,
    ranks,
    reference_point,
    simplex_lattice,
    weighted_sum,
    within,
)

VALUES: dict[str, Any] = json.loads((Path("tests") / "values" / "pareto.json").read_text())
SELECTION = VALUES["selection"]
LOSSES = np.array(SELECTION["losses"])
POINTS = arrays(float, st.tuples(st.integers(1, 8), st.just(3)), elements=st.integers(0, 4))


def test_the_front_is_what_no_other_point_beats() -> None:
    assert np.flatnonzero(non_dominated(LOSSES)).tolist() == SELECTION["non_dominated"]


@given(POINTS)
def test_the_front_agrees_with_the_definition(costs: np.ndarray) -> None:
    expected = [
        not any((other <= one).all() and (other < one).any() for other in costs) for one in costs
    ]
    assert non_dominated(costs).tolist() == expected


@given(POINTS)
def test_ranks_peel_the_points_front_by_front(costs: np.ndarray) -> None:
    found = ranks(costs)
    assert (found[non_dominated(costs)] == 0).all()
    for rank in range(1, found.max() + 1):
        here, above = costs[found == rank], costs[found == rank - 1]
        for one in here:
            assert any((other <= one).all() and (other < one).any() for other in above)


def test_points_without_a_value_are_never_on_the_front() -> None:
    costs = np.array([[np.nan, 0.0], [1.0, 1.0]])
    assert non_dominated(costs).tolist() == [False, True]
    assert ranks(costs).tolist() == [-1, 0]


def test_picks_agree_with_values_computed_independently() -> None:
    weights = np.array([0.7, 0.3])
    assert least_misery(LOSSES, is_normalised=False) == SELECTION["least_misery_raw"]
    assert least_misery(LOSSES) == SELECTION["least_misery_normalised"]
    assert weighted_sum(LOSSES, weights, is_normalised=False) == SELECTION["weighted_sum_0p7_0p3"]
    expected = SELECTION["chebyshev_0p7_0p3_from_ideal"]
    assert chebyshev(LOSSES, weights, is_normalised=False) == expected
    assert knee(LOSSES) == SELECTION["knee_max_distance_to_extreme_line"]


def test_the_cheapest_point_within_bounds_is_found_or_none() -> None:
    assert within(LOSSES, 0, {1: 0.5}) == 2
    assert within(LOSSES, 1, {0: 0.4}) == 1
    assert within(LOSSES, 0, {1: 0.1}) is None


def test_no_point_is_picked_from_nothing() -> None:
    nothing = np.full((2, 2), np.nan)
    picks = [least_misery(nothing), knee(nothing), chebyshev(nothing, np.ones(2))]
    assert picks == [None, None, None]


def test_no_knee_without_two_ends() -> None:
    assert knee(np.array([[1.0, 1.0], [2.0, 2.0]])) is None


@pytest.mark.parametrize("case", VALUES["hypervolume"])
def test_hypervolumes_agree_with_values_computed_independently(case: dict[str, Any]) -> None:
    sign = 1.0 if case["sense"] == "min" else -1.0
    reference = np.array(case["ref"], float)
    points = np.array(case["points"], float).reshape(-1, len(reference))
    assert hypervolume(sign * points, sign * reference) == pytest.approx(case["hv"], abs=1e-6)


@given(POINTS)
def test_hypervolumes_agree_with_counting_cells(costs: np.ndarray) -> None:
    cells = itertools.product(range(5), repeat=3)
    covered = sum(bool((costs <= np.array(cell)).all(axis=1).any()) for cell in cells)
    assert hypervolume(costs, np.full(3, 5.0)) == pytest.approx(covered)


def test_the_reference_lies_beyond_the_worst_of_everything() -> None:
    costs = np.array([[0.0, 5.0], [1.0, 5.0], [np.nan, 0.0]])
    assert reference_point(costs).tolist() == pytest.approx([1.1, 5.5])


def front() -> Front:
    objectives = (Objective("watch"), Objective("loss", higher_is_better=False))
    values = np.array([[10.0, 0.3], [12.0, 0.4], [13.0, 0.8], [11.0, 0.9]])
    return Front(objectives, ("a", "b", "c", "beaten"), values)


def test_a_step_along_the_front_has_a_price() -> None:
    steps = front().exchanges("watch", "loss")
    assert [(step.start, step.end) for step in steps] == [("a", "b"), ("b", "c")]
    assert [step.price for step in steps] == pytest.approx([0.05, 0.4])
    back = front().exchanges("loss", "watch")
    assert [(step.start, step.end) for step in back] == [("c", "b"), ("b", "a")]
    assert [step.price for step in back] == pytest.approx([2.5, 20.0])


def test_the_front_covers_what_lies_between_it_and_the_reference() -> None:
    # Steps from watch 9: 1 x (1 - 0.3) + 2 x (1 - 0.4) + 1 x (1 - 0.8).
    assert front().hypervolume([9.0, 1.0]) == pytest.approx(0.7 + 1.2 + 0.2)
    assert front().is_on_front.tolist() == [True, True, True, False]


def test_an_unknown_objective_is_refused() -> None:
    with pytest.raises(ValueError, match="must be one of the objectives"):
        front().exchanges("watch", "likes")


def test_values_must_fit_names_and_objectives() -> None:
    with pytest.raises(ValueError, match="must have shape"):
        Front((Objective("a"),), ("x", "y"), np.zeros((1, 1)))


def test_shares_on_a_grid_are_the_finest_that_fit() -> None:
    assert simplex_lattice(2, 5).tolist() == [
        [1, 0],
        [0.75, 0.25],
        [0.5, 0.5],
        [0.25, 0.75],
        [0, 1],
    ]
    assert simplex_lattice(3, 9).tolist() == [
        [1.0, 0.0, 0.0],
        [0.5, 0.5, 0.0],
        [0.5, 0.0, 0.5],
        [0.0, 1.0, 0.0],
        [0.0, 0.5, 0.5],
        [0.0, 0.0, 1.0],
    ]
    assert len(simplex_lattice(3, 10)) == 10


def test_corners_are_on_the_grid_even_if_they_are_too_many() -> None:
    assert simplex_lattice(4, 1).tolist() == np.eye(4).tolist()
    assert simplex_lattice(1, 7).tolist() == [[1.0]]
