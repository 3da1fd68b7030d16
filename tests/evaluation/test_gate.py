"""What keeps the gate shut, and what only looks as if it should."""

import math

import pytest

from paretorank.evaluation import Difference, Estimate, GateConfig
from paretorank.evaluation.gate import judged
from paretorank.foundation.errors import ConfigError


def difference(task: str, gain: float, error: float, *, is_main: bool = True) -> Difference:
    estimate = Estimate(gain, error, 10_000)
    low, high = estimate.interval(0.95)
    return Difference(
        run="b",
        task=task,
        space="impressions",
        is_own=True,
        is_main=is_main,
        is_missing=False,
        metric="auc" if is_main else "gauc",
        baseline=0.7,
        value=0.7 + gain,
        gain=estimate,
        low=low,
        high=high,
        p=estimate.p_value(),
        n_rows=100,
        n_clusters=10_001,
        note=None,
    )


def failing(*differences: Difference, config: GateConfig | None = None) -> list[str]:
    result = judged(differences, config or GateConfig(), confidence=0.95)
    return [found.name for found in result if found.fails]


def test_an_estimate_is_judged_by_the_normal_law_where_clusters_are_many() -> None:
    found = Estimate(-1.96, 1.0, 1_000_000)
    assert found.p_value() == pytest.approx(0.05, abs=1e-4)
    assert found.interval(0.95) == pytest.approx((-3.92, 0.0), abs=1e-4)
    assert Estimate(2.0, 1.0, 5).p_value() == pytest.approx(0.10194, abs=1e-5)  # of t tables
    assert Estimate(0.1, 0.0, 5).p_value() == 0.0
    assert math.isnan(Estimate(0.1, math.nan, 5).p_value())


def test_worse_with_confidence_fails_and_worse_by_chance_does_not() -> None:
    assert failing(difference("click", -0.003, 0.001)) == ["click.auc"]
    assert failing(difference("click", -0.003, 0.002)) == []
    assert failing(difference("click", 0.003, 0.001)) == []


def test_many_guards_share_the_chance_of_a_false_alarm() -> None:
    doubtful = difference("click", -0.0022, 0.001)  # p = .028
    calm = difference("like", 0.0, 0.001)
    assert failing(doubtful) == ["click.auc"]
    assert failing(doubtful, calm) == []
    assert failing(doubtful, calm, config=GateConfig(("click.auc",))) == ["click.auc"]
    assert failing(doubtful, calm, config=GateConfig(correction="none")) == ["click.auc"]


def test_what_is_tolerated_does_not_fail() -> None:
    worse = difference("click", -0.003, 0.001)
    assert failing(worse, config=GateConfig(tolerance=0.0005)) == ["click.auc"]
    assert failing(worse, config=GateConfig(tolerance=0.002)) == []


def test_a_verdict_does_not_know_of_the_tolerance() -> None:
    config = GateConfig(tolerance=0.002)
    (found,) = judged([difference("click", -0.003, 0.001)], config, confidence=0.95)
    assert (found.verdict, found.fails) == ("worse", False)


def test_a_run_may_have_to_show_that_it_is_not_worse() -> None:
    config = GateConfig(tolerance=0.001, require_non_inferior=True)
    assert failing(difference("click", 0.0, 0.0004), config=config) == []
    assert failing(difference("click", 0.0, 0.0006), config=config) == ["click.auc"]
    assert failing(difference("click", -0.002, 0.0001), config=config) == ["click.auc"]
    assert failing(difference("click", 0.0, math.nan), config=config) == ["click.auc"]
    surer = [difference(task, 0.0, 0.0004) for task in ("click", "like", "watch")]
    assert failing(*surer, config=config) == []  # all must pass: no correction is due


def test_metrics_that_are_not_guarded_have_no_verdict() -> None:
    main = difference("click", 0.01, 0.001)
    beside = difference("click", -0.01, 0.001, is_main=False)
    first, second = judged([main, beside], GateConfig(), confidence=0.95)
    assert (first.verdict, first.is_guarded) == ("better", True)
    assert (second.verdict, second.is_guarded, second.fails) == (None, False, False)
    assert math.isnan(second.p_corrected)
    assert failing(main, beside, config=GateConfig(("click.gauc",))) == ["click.gauc"]


def test_a_guard_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"metric of a task, got 'clik.auc'") as error:
        failing(difference("click", 0.0, 0.001), config=GateConfig(("clik.auc",)))
    assert error.value.hint == "Did you mean 'click.auc'?"


def test_a_guard_without_a_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"guard click.auc has no value for b"):
        failing(difference("click", math.nan, math.nan), config=GateConfig(("click.auc",)))


@pytest.mark.parametrize("tolerance", [-0.1, math.nan])
def test_an_impossible_tolerance_is_refused(tolerance: float) -> None:
    with pytest.raises(ValueError, match="`tolerance` must be at least 0"):
        failing(difference("click", 0.0, 0.001), config=GateConfig(tolerance=tolerance))
