"""The choice of a map, segments, tasks after tasks, dropped rows, reliability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paretorank.calibration import (
    CHANCE_FITS,
    Calibration,
    IdentityMap,
    PlattMap,
    ScaleMap,
    TaskCalibration,
    cross_fitted_errors,
    fit_maps,
    measures,
    reliability,
    rows_within,
    too_few,
    wilson_interval,
)
from paretorank.metrics import Rows

PLAIN = PlattMap(slope=1.0, intercept=0.0)


def generator() -> np.random.Generator:
    return np.random.default_rng(5)


def made_up(n: int, *, seed: int = 0, shift: float = 0.0, users: int = 50) -> Rows:
    drawn = np.random.default_rng(seed)
    logits = drawn.normal(-1.0, 1.0, n)
    label = (drawn.random(n) < 1 / (1 + np.exp(-(logits + shift)))).astype(float)
    return Rows(1 / (1 + np.exp(-logits)), label, np.ones(n), drawn.integers(0, users, n))


def test_calibrated_scores_are_left_alone_or_changed_little() -> None:
    rows = made_up(4_000)
    found = fit_maps(rows, is_chance=True, method="auto", generator=generator())
    assert set(found.errors) == set(CHANCE_FITS)
    mapped = found.everywhere.apply(rows.score)
    assert np.abs(mapped - rows.score).mean() < 0.02


def test_the_choice_is_the_method_with_the_least_error_on_unseen_users() -> None:
    rows = made_up(4_000, shift=1.0)
    found = fit_maps(rows, is_chance=True, method="auto", generator=generator())
    best = min(found.errors, key=lambda name: found.errors[name])
    assert found.everywhere == CHANCE_FITS[best](rows)
    assert best not in {"identity", "temperature"}  # neither can move the mean


def test_a_map_that_remembers_users_is_not_chosen() -> None:
    """Two users, each of one label and one score: what one teaches is wrong for the other."""
    score = np.repeat([0.2, 0.8], 100)
    label = np.repeat([1.0, 1.0], 100)
    label[::2] = 0.0
    rows = Rows(score, label, np.ones(200), np.repeat([0, 1], 100))
    errors = cross_fitted_errors(rows, CHANCE_FITS, is_chance=True, generator=generator())
    alone = CHANCE_FITS["isotonic"](rows_within(rows, rows.group == 0)).apply(np.array([0.8]))
    assert errors["isotonic"] == pytest.approx(-np.log(alone[0] * (1 - alone[0])) / 2)


def test_rows_without_users_are_divided_one_by_one() -> None:
    rows = made_up(500)
    single = Rows(rows.score, rows.label, rows.weight)
    errors = cross_fitted_errors(single, CHANCE_FITS, is_chance=True, generator=generator())
    assert all(np.isfinite(list(errors.values())))


def test_too_few_rows_are_not_calibrated_and_say_so() -> None:
    rows = made_up(30)
    assert "rows needed have the label" in too_few(rows, is_chance=True)
    found = fit_maps(rows, is_chance=True, method="platt", generator=generator())
    assert found.everywhere == IdentityMap()
    assert found.notes[0].startswith("not calibrated: ")
    values = fit_maps(rows, is_chance=False, method="scale", generator=generator())
    assert values.notes == ("not calibrated: 30 of 50 rows needed",)


def test_a_segment_with_few_rows_takes_the_map_of_all() -> None:
    rows = made_up(2_000)
    parts = [("a", made_up(1_000, shift=1.0)), ("b", made_up(15))]
    found = fit_maps(rows, is_chance=True, method="platt", generator=generator(), segments=parts)
    assert set(found.by_segment) == {"a"}
    assert found.notes[0].startswith("b: the map of all rows, ")
    segment = np.array(["a", "b", "c"])
    task = TaskCalibration(
        task="click", everywhere=found.everywhere, by_segment=dict(found.by_segment)
    )
    calibration = Calibration(weights="", segment="tab", tasks=(task,))
    scores = np.full((3, 1), 0.3)
    mapped = calibration.apply(scores, ["click"], segment=segment)[:, 0]
    assert mapped[0] == found.by_segment["a"].apply(scores[:1, 0])[0]
    assert mapped[1] == mapped[2] == found.everywhere.apply(scores[:1, 0])[0]


def test_a_method_of_chances_does_not_bind_expected_values() -> None:
    rows = made_up(200)
    values = Rows(rows.score, 2.0 * rows.score, rows.weight, rows.group)
    found = fit_maps(values, is_chance=False, method="platt", generator=generator())
    assert set(found.errors) == {"identity", "scale", "isotonic"}
    assert isinstance(found.everywhere, ScaleMap)
    assert found.everywhere.factor == pytest.approx(2.0)


def esmm() -> Calibration:
    return Calibration(
        weights="",
        tasks=(
            TaskCalibration(task="click", everywhere=PlattMap(slope=0.5, intercept=0.2)),
            TaskCalibration(
                task="buy", along=("click",), everywhere=PlattMap(slope=0.7, intercept=0.1)
            ),
        ),
    )


def test_a_chance_given_a_click_is_the_ratio_of_calibrated_joint_chances() -> None:
    scores = np.array([[0.4, 0.5]])
    click = PlattMap(slope=0.5, intercept=0.2).apply(scores[:, 0])
    joint = PlattMap(slope=0.7, intercept=0.1).apply(np.array([0.2]))
    found = esmm().apply(scores, ["click", "buy"])
    np.testing.assert_allclose(found, [[click[0], joint[0] / click[0]]])


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=1))
def test_chances_given_others_stay_chances(pairs: list[tuple[float, float]]) -> None:
    found = esmm().apply(np.array(pairs), ["click", "buy"])
    assert ((found >= 0.0) & (found <= 1.0)).all()


@given(st.lists(st.tuples(st.floats(0, 1, width=32), st.floats(0, 1, width=32)), min_size=1))
def test_a_child_never_exceeds_what_it_needs(pairs: list[tuple[float, float]]) -> None:
    child = TaskCalibration(
        task="buy", at_most=(("click",),), everywhere=PlattMap(slope=0.7, intercept=2.0)
    )
    calibration = Calibration(
        weights="", tasks=(TaskCalibration(task="click", everywhere=PLAIN), child)
    )
    found = calibration.apply(np.array(pairs), ["click", "buy"])
    assert (found[:, 1] <= found[:, 0]).all()


def test_missing_scores_stay_missing_in_every_task_that_needs_them() -> None:
    found = esmm().apply(np.array([[np.nan, 0.5], [0.4, np.nan]]), ["click", "buy"])
    assert np.isnan(found).tolist() == [[True, True], [False, True]]


def test_tasks_without_a_calibration_keep_their_scores() -> None:
    found = esmm().apply(np.array([[0.4, 3.5]]), ["click", "watch"])
    assert found[0, 1] == 3.5


def test_dropped_rows_are_made_up_for_by_scores_and_weights() -> None:
    task = TaskCalibration(task="click", keep_rate=0.1, everywhere=IdentityMap())
    calibration = Calibration(weights="", tasks=(task,))
    assert calibration.apply(np.array([[0.5]]), ["click"])[0, 0] == pytest.approx(1 / 11)
    label = np.array([[0.0], [1.0]])
    assert calibration.row_weight(label, ["click"], None) == pytest.approx([10.0, 1.0])
    given_weight = np.array([2.0, 2.0])
    assert calibration.row_weight(label, ["click"], given_weight) == pytest.approx([20.0, 2.0])
    assert esmm().row_weight(label, ["click"], None) is None


def test_a_down_sampled_log_gives_back_the_rate_of_the_whole_one() -> None:
    rows = made_up(60_000, shift=-2.0)
    truth = 1 / (1 + np.exp(-(np.log(rows.score / (1 - rows.score)) - 2.0)))
    kept = (rows.label == 1.0) | (generator().random(len(rows)) < 0.2)
    biased = truth[kept] / (truth[kept] + 0.2 * (1 - truth[kept]))
    task = TaskCalibration(task="click", keep_rate=0.2, everywhere=IdentityMap())
    calibration = Calibration(weights="", tasks=(task,))
    label = rows.label[kept][:, None]
    weight = calibration.row_weight(label, ["click"], None)
    assert weight is not None
    score = calibration.apply(biased[:, None], ["click"])[:, 0]
    found = measures(Rows(score, label[:, 0], np.asarray(weight, float)), is_chance=True)
    assert found["pcoc"] == pytest.approx(1.0, abs=0.04)


def test_a_wilson_interval_has_its_known_value() -> None:
    low, high = wilson_interval(0.1, 10.0)
    assert (low, high) == pytest.approx((0.017876, 0.404150), abs=1e-6)
    assert wilson_interval(0.0, 10.0)[0] == 0.0


def test_bins_hold_all_rows_and_their_means() -> None:
    rows = made_up(1_000)
    bins = reliability(rows, is_chance=True)
    assert sum(part.n_rows for part in bins) == 1_000
    assert [part.predicted for part in bins] == sorted(part.predicted for part in bins)
    mean = sum(part.n_rows * part.observed for part in bins) / 1_000
    assert mean == pytest.approx(rows.label.mean())
    assert all(part.low <= part.observed <= part.high for part in bins)


def test_most_bins_of_calibrated_scores_hold_their_mean_score() -> None:
    bins = reliability(made_up(20_000), is_chance=True)
    assert sum(part.low <= part.predicted <= part.high for part in bins) >= 8


def test_weights_widen_the_interval_of_a_bin() -> None:
    rows = made_up(200)
    uneven = np.where(np.arange(200) < 10, 50.0, 0.1)
    [even] = reliability(rows, is_chance=True, n_bins=1)
    [wide] = reliability(Rows(rows.score, rows.label, uneven), is_chance=True, n_bins=1)
    assert wide.high - wide.low > even.high - even.low


def test_no_rows_have_no_bins_and_no_measures() -> None:
    nothing = Rows(np.empty(0), np.empty(0), np.empty(0))
    assert reliability(nothing, is_chance=True) == []
    assert all(np.isnan(value) for value in measures(nothing, is_chance=False).values())
