"""The see-saw report in plain words."""

import math

from paretorank.evaluation import (
    Comparison,
    Difference,
    Estimate,
    GateConfig,
    MeanGain,
    Verdict,
    in_words,
    seesaw,
)


def difference(task: str, gain: float, half: float, verdict: Verdict | None) -> Difference:
    return Difference(
        run="shared",
        task=task,
        space="impressions",
        is_own=True,
        is_main=True,
        is_missing=False,
        metric="auc",
        baseline=0.7,
        value=0.7 + gain,
        gain=Estimate(gain, half / 2, 1_000),
        low=gain - half,
        high=gain + half,
        p=0.5,
        n_rows=100,
        n_clusters=1_001,
        note=None,
        is_guarded=verdict is not None,
        verdict=verdict,
    )


LIKE = difference("like", 0.004, 0.002, "better")
CLICK = difference("click", -0.001, 0.0005, "worse")
WATCH = difference("watch", 0.0001, 0.0003, "same")
SHARE = difference("share", 0.02, 0.03, None)


def comparison(*differences: Difference, left_out: tuple[str, ...] = ()) -> Comparison:
    tasks = tuple(difference.task for difference in differences)
    gain = MeanGain("shared", 0.003, 0.001, 0.005, tasks, left_out)
    return Comparison("twins", ("shared",), differences, (gain,), GateConfig(), 0.95, 1_000, 100)


def test_it_says_what_sharing_pays_for_and_what_it_costs() -> None:
    assert in_words(comparison(LIKE, CLICK), "shared", subject="sharing") == (
        "sharing pays for like (+0.0040 ± 0.0020), costs click (-0.0010 ± 0.0005); "
        "Δm = +0.30 ± 0.20 %."
    )


def test_what_nobody_can_tell_is_not_called_equal() -> None:
    said = in_words(comparison(WATCH, SHARE, left_out=("buy",)), "shared", subject="b")
    assert said == (
        "b changes no task with confidence; no difference shown for watch (+0.0001 ± 0.0003); "
        "not judged: share (+0.0200 ± 0.0300); Δm = +0.30 ± 0.20 % over 2 of 3 tasks."
    )


def test_unknown_gains_are_called_so() -> None:
    unknown = difference("like", math.nan, math.nan, None)
    gain = MeanGain("shared", math.nan, math.nan, math.nan, (), ("like",))
    nothing = Comparison("a", ("shared",), (unknown,), (gain,), GateConfig(), 0.95, 1_000, 100)
    said = in_words(nothing, "shared", subject="b")
    assert (
        said == "b has no task judged; not judged: like (unknown); Δm = unknown over 0 of 1 tasks."
    )


def test_a_seesaw_has_two_sides() -> None:
    assert seesaw(comparison(LIKE, CLICK, WATCH), "shared").is_seesaw
    assert not seesaw(comparison(LIKE, WATCH), "shared").is_seesaw
    assert not seesaw(comparison(CLICK), "shared").is_seesaw
    found = seesaw(comparison(LIKE, CLICK, WATCH, SHARE), "shared")
    sides = (found.better, found.worse, found.same, found.open)
    assert [[d.task for d in side] for side in sides] == [["like"], ["click"], ["watch"], ["share"]]
