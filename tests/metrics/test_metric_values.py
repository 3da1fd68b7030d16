"""Every metric gives the number worked out by an independent implementation."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paretorank.metrics import (
    XAUC,
    EqualMassCalibrationError,
    ExpectedCalibrationError,
    GroupedAUC,
    LogLoss,
    MeanAbsoluteError,
    Metric,
    NormalizedEntropy,
    PredictedOverObserved,
    RootMeanSquaredError,
    UserWeighting,
    weighted_auc,
)

VALUES: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "values" / "metrics.json").read_text(encoding="utf-8")
)


def test_auc_of_three_rows_by_hand() -> None:
    # the positive at 0.5 beats 0.2 and ties with 0.5: one and a half of two pairs
    assert weighted_auc(np.array([0.2, 0.5, 0.5]), np.array([0, 0, 1])) == 0.75


@pytest.mark.parametrize("case", VALUES["auc"], ids=lambda case: case["name"])
def test_auc_has_its_pinned_value(case: dict[str, Any]) -> None:
    result = weighted_auc(np.array(case["score"]), np.array(case["y"]))
    assert result == pytest.approx(float(case["auc"]), abs=1e-11, nan_ok=True)


def test_weighted_auc_has_its_pinned_value() -> None:
    case = VALUES["weighted_auc"]
    result = weighted_auc(np.array(case["score"]), np.array(case["y"]), np.array(case["weight"]))
    assert result == pytest.approx(case["auc"], abs=1e-11)


def _gauc(weighting: UserWeighting) -> GroupedAUC:
    case = VALUES["gauc"]
    metric = GroupedAUC(weighting)
    metric.update(np.array(case["score"]), np.array(case["y"]), group=np.array(case["user"]))
    return metric


@pytest.mark.parametrize(
    ("weighting", "key"),
    [("impressions", "impressions"), ("positives", "clicks"), ("uniform", "uniform")],
)
def test_gauc_has_its_pinned_value(weighting: UserWeighting, key: str) -> None:
    assert _gauc(weighting).result() == pytest.approx(VALUES["gauc"]["by_weight"][key], abs=1e-11)


def test_gauc_does_not_count_users_of_one_class_as_one_half() -> None:
    wrong = VALUES["gauc"]["wrong_if_single_class_users_scored_0p5"]
    assert abs(_gauc("impressions").result() - wrong) > 0.04


def test_gauc_says_how_many_users_it_left_out() -> None:
    metric = _gauc("impressions")
    assert (metric.n_users_kept, metric.n_users_skipped) == (3, 2)
    assert metric.share_of_rows_kept == pytest.approx(10 / 14)


def test_gauc_knows_the_auc_of_each_user() -> None:
    users = _gauc("impressions").users()
    kept = users.has_both_classes
    assert (
        dict(zip(users.user[kept].tolist(), users.auc[kept].tolist(), strict=True))
        == (VALUES["gauc"]["per_user_auc_kept"])
    )
    assert users.user[~kept].tolist() == VALUES["gauc"]["skipped_users"]


def test_xauc_has_its_pinned_value() -> None:
    case = VALUES["xauc"]
    metric = XAUC()
    metric.update(np.array(case["pred"], dtype=float), np.array(case["y"]))
    assert metric.result() == pytest.approx(case["xauc_ties_half_label_ties_dropped"], abs=1e-11)
    assert abs(metric.result() - case["strict_all_pairs_as_in_one_public_lib"]) > 0.1


@pytest.mark.parametrize(
    ("metric", "key"),
    [
        (PredictedOverObserved(), "pcoc"),
        (ExpectedCalibrationError(n_bins=5), "ece_5_equal_width_bins"),
        (LogLoss(), "logloss"),
        (NormalizedEntropy(), "normalised_entropy"),
    ],
    ids=lambda part: part if isinstance(part, str) else type(part).__name__,
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_calibration_has_its_pinned_value(
    metric: Metric, key: str, dtype: type[np.floating[Any]]
) -> None:
    case = VALUES["calibration"]
    fresh = (
        type(metric)()
        if not isinstance(metric, ExpectedCalibrationError)
        else (ExpectedCalibrationError(n_bins=5))
    )
    fresh.update(np.array(case["p"], dtype=dtype), np.array(case["y"]))
    tolerance = 1e-11 if dtype == np.float64 else 1e-6
    assert fresh.result() == pytest.approx(case[key], abs=tolerance)


def test_errors_of_two_rows_by_hand() -> None:
    score, label = np.array([1.0, 5.0]), np.array([4.0, 1.0])
    absolute, squared = MeanAbsoluteError(), RootMeanSquaredError()
    absolute.update(score, label)
    squared.update(score, label)
    assert absolute.result() == 3.5
    assert squared.result() == pytest.approx(math.sqrt((9 + 16) / 2))


def test_bins_of_equal_mass_by_hand() -> None:
    metric = EqualMassCalibrationError(n_bins=2)
    metric.update(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0, 1, 0, 1]))
    # halves: |0.3 - 1| and |1.2 - 1|, over four rows
    assert metric.result() == pytest.approx((0.7 + 0.2) / 4)
