"""Whatever is watched, the number grows when the model gets better."""

import json
import math
from collections.abc import Mapping

import pytest

from paretorank.evaluation import EvaluationResult, Monitor
from paretorank.foundation.errors import ConfigError
from paretorank.schema import LabelSpec

LABELS = (
    LabelSpec(name="click", column="is_click", kind="binary"),
    LabelSpec(name="watch", column="watch_ms", kind="regression"),
)


def result(auc: float, mae: float, *, pcoc: float = 1.0) -> EvaluationResult:
    return EvaluationResult.from_records(
        [
            {"task": task, "space": "impressions", "segment": "all", "metric": metric, "value": v}
            for task, metric, v in (
                ("click", "auc", auc),
                ("click", "pcoc", pcoc),
                ("watch", "mae", mae),
            )
        ]
    )


def test_one_metric_is_watched_as_it_is_when_higher_is_better() -> None:
    assert Monitor("click.auc", LABELS).score(result(0.7, 3.0)) == 0.7


def test_an_error_is_watched_with_its_sign_turned() -> None:
    assert Monitor("watch.mae", LABELS).score(result(0.7, 3.0)) == -3.0


@pytest.mark.parametrize("pcoc", [0.8, 1.2])
def test_a_ratio_is_watched_by_its_distance_from_one(pcoc: float) -> None:
    monitor = Monitor("click.pcoc", LABELS)
    assert monitor.score(result(0.7, 3.0, pcoc=pcoc)) == pytest.approx(-0.2)


def test_a_set_is_weighted() -> None:
    monitor = Monitor({"click.auc": 0.7, "watch.mae": 0.3}, LABELS)
    assert monitor.score(result(0.8, 2.0)) == pytest.approx(0.7 * 0.8 - 0.3 * 2.0)


def test_mean_gain_is_relative_to_the_first_evaluation() -> None:
    monitor = Monitor("mean_gain", LABELS)
    assert monitor.score(result(0.8, 2.0)) == 0.0
    # auc up by 5 %, error down by 10 %
    assert monitor.score(result(0.84, 1.8)) == pytest.approx((0.05 + 0.1) / 2)
    assert monitor.score(result(0.76, 2.0)) == pytest.approx(-0.025)


def test_mean_gain_leaves_undefined_metrics_out() -> None:
    monitor = Monitor("mean_gain", LABELS)
    monitor.score(result(0.8, 2.0))
    assert monitor.score(result(math.nan, 1.8)) == pytest.approx(0.1)
    assert math.isnan(monitor.score(result(math.nan, math.nan)))


def test_mean_gain_waits_for_an_evaluation_that_has_a_value() -> None:
    monitor = Monitor("mean_gain", LABELS)
    assert math.isnan(monitor.score(result(math.nan, math.nan)))
    assert monitor.score(result(0.8, math.nan)) == 0.0
    assert monitor.state() == {"click": 0.8}


def test_a_restored_monitor_goes_on_from_the_same_reference() -> None:
    before, after = Monitor("mean_gain", LABELS), Monitor("mean_gain", LABELS)
    before.score(result(0.8, 2.0))
    after.restore(json.loads(json.dumps(before.state())))
    assert after.score(result(0.84, 1.8)) == before.score(result(0.84, 1.8))


def test_an_undefined_metric_gives_nan() -> None:
    assert math.isnan(Monitor("click.auc", LABELS).score(result(math.nan, 2.0)))


@pytest.mark.parametrize(
    ("watch", "hint"),
    [
        ("clik.auc", "Did you mean 'click.auc'?"),
        ("click.acu", "Did you mean 'click.auc'?"),
        ("mean_gian", "Did you mean 'mean_gain'?"),
        ({"watch.auc": 1.0}, "Did you mean 'watch.xauc'?"),
    ],
)
def test_what_does_not_exist_is_refused_before_training(
    watch: str | Mapping[str, float], hint: str
) -> None:
    with pytest.raises(ConfigError, match="must name a metric of a task") as caught:
        Monitor(watch, LABELS)
    assert caught.value.hint == hint


def test_the_ratio_of_means_of_a_quantile_cannot_be_watched() -> None:
    quantile = LABELS[1].model_copy(update={"scores_mean": False})
    assert Monitor("watch.pcoc", LABELS)
    with pytest.raises(ConfigError, match=r"got 'watch.pcoc'"):
        Monitor("watch.pcoc", (LABELS[0], quantile))


@pytest.mark.parametrize("weight", [0.0, -1.0, math.nan, math.inf])
def test_impossible_weights_are_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match="must be above 0"):
        Monitor({"click.auc": weight}, LABELS)


def test_nothing_to_watch_is_refused() -> None:
    with pytest.raises(ConfigError, match="must name a metric at least"):
        Monitor({}, LABELS)


def test_a_result_without_the_task_is_refused() -> None:
    other = EvaluationResult(result(0.8, 2.0).table.filter(task="watch"))
    with pytest.raises(ValueError, match="`task` must be in the table, got 'click'"):
        Monitor("click.auc", LABELS).score(other)
