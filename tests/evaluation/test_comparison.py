"""Differences between runs: paired by user, the same for identical runs, honest about chance."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from paretorank.evaluation import Comparison, GateConfig, ScoredRows, compare_rows, multitask_gain
from paretorank.evaluation.intervals import resampling_counts
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.foundation.seeds import named_generator
from paretorank.metrics import weighted_auc
from paretorank.schema import LabelSpec

CLICK = LabelSpec(name="click", kind="binary", column="click")
LIKE = LabelSpec(name="like", kind="binary", column="like", observed_when="click", parent="click")
WATCH = LabelSpec(name="watch", kind="duration", column="watch")


def log(
    noise: float, *, seed: int = 1, n_rows: int = 3_000, n_users: int = 150, users: bool = True
) -> ScoredRows:
    """Return rows whose truth depends on `seed` alone and whose scores are as bad as `noise`."""
    truth_of, score_of = np.random.default_rng(seed), np.random.default_rng(99)
    user = truth_of.integers(0, n_users, n_rows)
    merit = truth_of.normal(size=(n_rows, 3)) + 0.5 * truth_of.normal(size=(n_users, 3))[user]
    click = truth_of.random(n_rows) < 1 / (1 + np.exp(-merit[:, 0]))
    like = truth_of.random(n_rows) < 1 / (1 + np.exp(1 - merit[:, 1]))
    watch = np.exp(merit[:, 2] + truth_of.normal(size=n_rows))
    truth = np.stack([click, np.where(click, like, np.nan), watch], axis=1)
    seen = merit + noise * score_of.normal(size=(n_rows, 3))
    scores = 1 / (1 + np.exp(-seen))
    scores[:, 2] = np.exp(seen[:, 2])
    return ScoredRows((CLICK, LIKE, WATCH), scores, truth, None, user if users else None)


def with_scores_of(rows: ScoredRows, other: ScoredRows, task: int) -> ScoredRows:
    scores = rows.scores.copy()
    scores[:, task] = other.scores[:, task]
    return replace(rows, scores=scores)


def compared(*runs: ScoredRows, gate: GateConfig | None = None, **options: float) -> Comparison:
    named = dict(zip("abc", runs, strict=False))
    return compare_rows(named, gate=gate, **{"n_resamples": 200, **options})


def written(comparison: Comparison) -> str:
    """Return everything as text: there, unlike among numbers, NaN equals itself."""
    return json.dumps(comparison.to_json())


def verdicts(comparison: Comparison) -> dict[str, str | None]:
    return {d.name: d.verdict for d in comparison.differences if d.is_guarded}


def test_every_metric_of_every_task_and_space_is_compared() -> None:
    result = compared(log(0.5), log(0.4))
    names = [difference.name for difference in result.differences]
    assert names[:3] == ["click.auc", "click.gauc", "click.log_loss"]
    assert "like.auc" in names
    assert "like.auc@impressions" in names
    assert names[-4:] == ["watch.xauc", "watch.mae", "watch.rmse", "watch.pcoc"]
    assert len(names) == len(set(names)) == 3 * 6 + 4


def test_identical_runs_differ_by_exactly_nothing_and_pass() -> None:
    for require in (False, True):
        gate = GateConfig(require_non_inferior=require)
        result = compared(log(0.5), log(0.5), gate=gate)
        for difference in result.differences:
            assert difference.gain.value == 0.0
            assert (difference.low, difference.high) == (0.0, 0.0)
            assert difference.p == 1.0
        assert result.mean_gain("b").value == 0.0
        assert result.passed


def test_the_sign_says_better_whatever_the_metric() -> None:
    result = compared(log(2.0), log(0.1))
    for name in ("click.auc", "click.gauc", "click.log_loss", "watch.mae"):
        (found,) = [d for d in result.differences if d.name == name]
        assert found.low > 0.0, name
    assert set(verdicts(result).values()) == {"better"}
    back = compared(log(0.1), log(2.0))
    assert set(verdicts(back).values()) == {"worse"}
    assert not back.passed
    by_name = {d.name: d for d in back.differences}
    for difference in result.differences:
        assert by_name[difference.name].gain.value == pytest.approx(-difference.gain.value)
        assert by_name[difference.name].p == pytest.approx(difference.p)


def test_the_standard_error_is_that_of_aucs_of_redrawn_users() -> None:
    a, b = log(0.5), log(0.7)
    result = compared(a, b, n_resamples=60)
    user = np.unique(a.user, return_inverse=True)[1]
    draws = []
    for counts in resampling_counts(150, 60, named_generator(0, "compare")):
        weight = counts[user]
        aucs = [weighted_auc(run.scores[:, 0], run.truth[:, 0], weight) for run in (a, b)]
        draws.append(aucs[1] - aucs[0])
    (click,) = [d for d in result.differences if d.name == "click.auc"]
    assert click.gain.standard_error == pytest.approx(np.std(draws, ddof=1), rel=1e-9)
    assert click.gain.degrees == 149


def test_a_sample_space_is_redrawn_by_the_same_users_as_the_log() -> None:
    a, b = log(0.5, n_users=1_000, n_rows=1_500), log(0.9, n_users=1_000, n_rows=1_500)
    result = compared(a, b, n_resamples=60)
    (like,) = [d for d in result.differences if d.name == "like.auc"]
    user = np.unique(a.user, return_inverse=True)[1]
    n_users, clicked = int(user.max()) + 1, a.truth[:, 0] == 1.0
    assert like.n_clusters == len(np.unique(user[clicked])) < n_users
    draws = []
    for counts in resampling_counts(n_users, 60, named_generator(0, "compare")):
        weight = counts[user][clicked]
        aucs = [weighted_auc(r.scores[clicked, 1], r.truth[clicked, 1], weight) for r in (a, b)]
        draws.append(aucs[1] - aucs[0])
    assert like.gain.standard_error == pytest.approx(np.std(draws, ddof=1), rel=1e-9)


def test_pairing_makes_similar_runs_comparable() -> None:
    a, b = log(0.5), log(0.51)
    (click,) = [d for d in compared(a, b).differences if d.name == "click.auc"]
    alone = np.random.default_rng(0)
    user = np.unique(a.user, return_inverse=True)[1]
    draws = [
        weighted_auc(a.scores[:, 0], a.truth[:, 0], counts[user])
        for counts in resampling_counts(150, 100, alone)
    ]
    assert click.gain.standard_error < 0.1 * np.std(draws)


def test_the_linearised_error_of_auc_is_close_to_the_exact_one() -> None:
    a, b = log(0.5, n_users=600, n_rows=6_000), log(0.9, n_users=600, n_rows=6_000)
    exact = {d.name: d for d in compared(a, b, n_resamples=400).differences}
    linear = {d.name: d for d in compared(a, b, n_resamples=400, linearise_from=0).differences}
    for name in ("click.auc", "like.auc", "like.auc@impressions"):
        assert exact[name].gain.value == linear[name].gain.value
        assert exact[name].gain.standard_error != linear[name].gain.standard_error
        expected = pytest.approx(exact[name].gain.standard_error, rel=0.03)
        assert linear[name].gain.standard_error == expected


def test_few_users_are_never_linearised() -> None:
    a, b = log(0.5), log(0.9)
    assert written(compared(a, b)) == written(compared(a, b, linearise_from=0))


def test_draws_in_parts_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = compared(log(0.5), log(0.7))
    monkeypatch.setattr("paretorank.evaluation.paired_draws._CHUNK_CELLS", 1_000)
    parts = compared(log(0.5), log(0.7))
    errors = [[d.gain.standard_error for d in result.differences] for result in (whole, parts)]
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-9)


def test_without_users_rows_are_drawn() -> None:
    result = compared(log(0.5, users=False), log(0.9, users=False))
    by_name = {d.name: d for d in result.differences}
    assert by_name["click.auc"].gain.degrees == 2_999
    assert by_name["like.auc"].p < 0.001
    assert by_name["click.gauc"].note == "baseline: no users given; b: no users given"
    assert math.isnan(by_name["click.gauc"].low)


def test_the_mean_gain_is_that_of_the_main_metrics() -> None:
    a, b = log(0.5), log(0.3)
    result = compared(a, b)
    main = [d for d in result.differences if d.is_main and d.is_own]
    expected = multitask_gain(
        [d.value for d in main], [d.baseline for d in main], higher_is_better=[True] * 3
    )
    gain = result.mean_gain("b")
    assert gain.value == pytest.approx(expected)
    assert gain.tasks == ("click", "like", "watch")
    assert 0.0 < gain.low < gain.value < gain.high


def test_a_task_that_one_run_lacks_has_no_difference_and_no_guard() -> None:
    a, b = log(0.5), log(0.5)
    lacking = ScoredRows((CLICK, WATCH), b.scores[:, [0, 2]], b.truth[:, [0, 2]], None, b.user)
    for runs in ((a, lacking), (lacking, a)):
        result = compared(*runs)
        assert set(verdicts(result)) == {"click.auc", "watch.xauc"}
        like = [d for d in result.differences if d.task == "like"]
        assert len(like) == 12
        assert all(math.isnan(d.gain.value) and math.isnan(d.low) for d in like)
        assert all("not a task of this run" in str(d.note) for d in like)
        assert result.mean_gain("b").left_out == ("like",)
        assert result.passed
    with pytest.raises(ConfigError, match=r"guard like.auc has no value for b"):
        compared(a, lacking, gate=GateConfig(("like.auc",)))


def test_several_runs_share_the_correction() -> None:
    two = compared(log(0.5), log(0.55))
    three = compared(log(0.5), log(0.55), log(0.45))
    assert three.runs == ("b", "c")
    for alone, shared in zip(two.of_run("b"), three.of_run("b"), strict=True):
        assert alone.gain == shared.gain
        if alone.is_guarded:
            assert shared.p_corrected >= alone.p_corrected >= alone.p
    assert three.of_run("b") != two.of_run("b")


def test_the_same_seed_gives_the_same_comparison() -> None:
    a, b = log(0.5), log(0.6)
    assert written(compared(a, b)) == written(compared(a, b))
    assert written(compared(a, b)) != written(compared(a, b, seed=1))


def test_it_can_be_written_down() -> None:
    a, b = log(0.5), with_scores_of(log(0.5), log(2.0), 1)
    found = json.loads(written(compared(a, b)))
    assert found["gate"]["passed"] is False
    assert found["gate"]["failures"] == ["b: like.auc"]
    assert found["mean_gains"][0]["tasks"] == ["click", "like", "watch"]
    line = next(d for d in found["differences"] if d["verdict"] == "worse")
    assert (line["task"], line["fails"]) == ("like", True)
    assert line["low"] < line["gain"] < line["high"] < 0.0


def test_runs_that_mean_different_things_by_a_task_are_refused() -> None:
    a = log(0.5)
    truth = a.truth.copy()
    truth[:7, 0] = 1.0 - truth[:7, 0]
    with pytest.raises(DataError, match=r"task click, but its labels differ on 7 of 3,000 rows"):
        compared(a, replace(a, truth=truth))
    other = (replace_kind(CLICK), LIKE, WATCH)
    with pytest.raises(DataError, match=r"task click, got kind binary and regression"):
        compared(a, replace(a, labels=other))


def replace_kind(label: LabelSpec) -> LabelSpec:
    return label.model_copy(update={"kind": "regression"})


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"confidence": 1.0}, "`confidence` must be between 0 and 1"),
        ({"n_resamples": -1}, "`n_resamples` must be at least 0"),
    ],
)
def test_impossible_options_are_refused(options: dict[str, float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        compared(log(0.5), log(0.5), **options)


def test_a_comparison_needs_two_runs_of_the_same_length() -> None:
    with pytest.raises(ValueError, match="`runs` must be at least 2, got 1"):
        compared(log(0.5))
    with pytest.raises(ValueError, match="must have the same rows, got"):
        compared(log(0.5), log(0.5, n_rows=20))
