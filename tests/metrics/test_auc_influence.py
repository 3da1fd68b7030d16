"""The influence of a row is the derivative of the AUC by its weight."""

import numpy as np
import pytest

from paretorank.metrics import RankedPairs, Rows, auc_influence, observed_rows


def rows_with_ties(n_rows: int, seed: int) -> Rows:
    generator = np.random.default_rng(seed)
    score = generator.integers(0, 9, n_rows) / 10
    label = generator.random(n_rows) < score
    return observed_rows(score, label, weight=generator.integers(1, 4, n_rows))


def test_influences_by_hand() -> None:
    # positives .9 and .4, negatives .5 and .1: three of four pairs are won, AUC .75
    rows = observed_rows(np.array([0.9, 0.4, 0.5, 0.1]), np.array([1, 1, 0, 0]))
    assert auc_influence(rows).tolist() == [0.125, -0.125, -0.125, 0.125]


def test_influences_are_the_derivative_of_the_auc() -> None:
    rows = rows_with_ties(40, seed=1)
    pairs, step = RankedPairs(rows), 1e-5
    for at, influence in enumerate(auc_influence(rows)):
        moved = np.zeros(40)
        moved[at] = step * rows.weight[at]
        slope = (pairs.auc(rows.weight + moved) - pairs.auc(rows.weight - moved)) / (2 * step)
        assert influence == pytest.approx(slope, abs=1e-9)


def test_influences_add_up_to_nothing() -> None:
    influence = auc_influence(rows_with_ties(200, seed=2))
    assert np.abs(influence).max() > 1e-4
    assert influence.sum() == pytest.approx(0.0, abs=1e-14)


def test_a_single_class_has_no_influence_on_what_is_undefined() -> None:
    influence = auc_influence(observed_rows(np.array([0.2, 0.3]), np.array([1, 1])))
    assert np.isnan(influence).all()
    assert len(auc_influence(observed_rows(np.empty(0), np.empty(0)))) == 0
