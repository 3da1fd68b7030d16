"""Corrections for many comparisons, against examples by hand."""

import numpy as np
import pytest

from paretorank.evaluation import Correction, corrected


def test_holm_by_hand() -> None:
    # sorted .005 .01 .03 .04, times 4 3 2 1: .02 .03 .06 .04, and never falling: .02 .03 .06 .06
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(corrected(p, "holm"), [0.03, 0.06, 0.06, 0.02])


def test_benjamini_hochberg_by_hand() -> None:
    # sorted .005 .01 .03 .04, times 4/1 4/2 4/3 4/4: .02 .02 .04 .04
    p = np.array([0.01, 0.04, 0.03, 0.005])
    np.testing.assert_allclose(corrected(p, "benjamini_hochberg"), [0.02, 0.04, 0.04, 0.02])


def test_a_false_discovery_rate_looks_back_from_the_largest() -> None:
    # times 3/1 3/2 3/3: .06 .045 .04, and never above a later one: .04 .04 .04
    p = np.array([0.02, 0.03, 0.04])
    np.testing.assert_allclose(corrected(p, "benjamini_hochberg"), [0.04, 0.04, 0.04])


def test_no_correction_changes_nothing() -> None:
    p = np.array([0.2, np.nan, 0.1])
    np.testing.assert_array_equal(corrected(p, "none"), p)


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg"])
def test_what_was_not_compared_does_not_count(correction: Correction) -> None:
    alone = corrected(np.array([0.01, 0.02]), correction)
    beside = corrected(np.array([0.01, np.nan, 0.02, np.nan]), correction)
    np.testing.assert_array_equal(beside, [alone[0], np.nan, alone[1], np.nan])
    assert np.isnan(corrected(np.array([np.nan]), correction)).all()


@pytest.mark.parametrize("correction", ["holm", "benjamini_hochberg"])
def test_corrected_values_never_fall_below_the_raw_ones_or_rise_above_1(
    correction: Correction,
) -> None:
    p = np.random.default_rng(0).random(50)
    adjusted = corrected(p, correction)
    assert (adjusted >= p).all()
    assert adjusted.max() <= 1.0
    assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
