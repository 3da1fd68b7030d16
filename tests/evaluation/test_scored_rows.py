"""Rows are checked when they are put together, and know their sample spaces."""

import numpy as np
import pytest

from paretorank.evaluation import ScoredRows, View, views_of
from paretorank.evaluation.rows import _check_shape
from paretorank.schema import LabelKind, LabelSpec

NAN = np.nan


def label(
    name: str,
    *,
    kind: LabelKind = "binary",
    parent: str | tuple[str, ...] | None = None,
    observed_when: str | None = None,
) -> LabelSpec:
    return LabelSpec(name=name, column=name, kind=kind, parent=parent, observed_when=observed_when)


def scored(*labels: LabelSpec, scores: list[list[float]], truth: list[list[float]]) -> ScoredRows:
    return ScoredRows(labels, np.array(scores, dtype=np.float32), np.array(truth, dtype=np.float32))


def spaces(*labels: LabelSpec) -> list[tuple[str, str]]:
    table = [[0.5] * len(labels)]
    return [
        (view.task, view.space) for view in views_of(scored(*labels, scores=table, truth=table))
    ]


def last_view(rows: ScoredRows) -> View:
    *_, view = views_of(rows)
    return view


CLICK = label("click")
LIKE = label("like", parent="click", observed_when="click")


def test_a_task_seen_after_a_click_is_judged_on_clicks_and_on_all_impressions() -> None:
    assert spaces(CLICK, LIKE) == [
        ("click", "impressions"),
        ("like", "rows where click = 1"),
        ("like", "impressions (click and like)"),
    ]


def test_on_all_impressions_scores_multiply_and_no_click_means_no_like() -> None:
    view = last_view(
        scored(
            CLICK,
            LIKE,
            scores=[[0.5, 0.5], [0.5, 0.25], [1.0, 0.5], [0.5, 0.5]],
            truth=[[0, NAN], [1, 1], [1, 0], [NAN, 1]],
        )
    )
    rows = view.rows()
    assert rows.score.tolist() == [0.25, 0.125, 0.5]
    assert rows.label.tolist() == [0, 1, 0]  # nobody knows about the last row


def test_a_label_missing_after_a_click_stays_missing() -> None:
    view = last_view(
        scored(CLICK, LIKE, scores=[[0.5, 0.5], [0.5, 0.5]], truth=[[1, NAN], [0, NAN]])
    )
    assert view.rows().label.tolist() == [0]


def test_grandparents_are_followed() -> None:
    buy = label("buy", parent="cart", observed_when="cart")
    cart = label("cart", parent="click", observed_when="click")
    rows = scored(
        buy,
        cart,
        CLICK,
        scores=[[0.5, 0.5, 0.5], [0.25, 0.5, 1.0]],
        truth=[[NAN, 0, 1], [1, 1, 1]],
    )
    joint = [view for view in views_of(rows) if view.space.startswith("impressions (")]
    assert [view.space for view in joint] == [
        "impressions (click and cart and buy)",
        "impressions (click and cart)",
    ]
    assert joint[0].rows().score.tolist() == [0.125, 0.125]
    assert joint[0].rows().label.tolist() == [0, 1]


def test_a_parent_that_is_labelled_everywhere_ends_the_path() -> None:
    follow = label("follow", parent="like", observed_when="like")
    like = label("like", parent="click")  # labelled on all impressions: its score is joint already
    assert ("follow", "impressions (like and follow)") in spaces(CLICK, like, follow)
    assert spaces(CLICK, like) == [("click", "impressions"), ("like", "impressions")]


def test_a_task_after_two_others_is_judged_on_all_impressions_too() -> None:
    play = label("play")
    buy = label("buy", parent=("click", "play"), observed_when="click")
    rows = scored(
        CLICK,
        play,
        buy,
        scores=[[0.5, 0.5, 0.5]] * 5,
        truth=[[1, 1, 1], [1, 1, 0], [1, 0, 1], [NAN, 0, NAN], [1, NAN, 1]],
    )
    *_, view = views_of(rows)
    assert view.space == "impressions (click and play and buy)"
    assert view.rows().score.tolist() == [0.125] * 4
    assert view.rows().label.tolist() == [1, 0, 0, 0]  # the last row tells nothing about play


def test_a_shared_grandparent_counts_once() -> None:
    cart = label("cart", parent="click", observed_when="click")
    buy = label("buy", parent=("like", "cart"), observed_when="like")
    assert ("buy", "impressions (click and like and cart and buy)") in spaces(
        CLICK, LIKE, cart, buy
    )


def test_what_a_parents_score_holds_already_is_not_multiplied_again() -> None:
    like = label("like", parent="click")  # its score is the chance of both
    buy = label("buy", parent=("click", "like"), observed_when="like")
    assert ("buy", "impressions (like and buy)") in spaces(CLICK, like, buy)


def test_a_condition_is_quoted() -> None:
    assert spaces(label("watch", kind="duration", observed_when="tab == 1")) == [
        ("watch", "rows where tab == 1")
    ]


def test_a_duration_after_a_click_has_no_joint_view() -> None:
    watch = label("watch", kind="duration", parent="click", observed_when="click")
    assert spaces(CLICK, watch)[1:] == [("watch", "rows where click = 1")]


def test_a_parent_that_was_not_scored_gives_no_joint_view() -> None:
    assert spaces(LIKE) == [("like", "rows where click = 1")]


def test_circles_of_parents_are_refused() -> None:
    first = label("a", parent="b", observed_when="b")
    second = label("b", parent="a", observed_when="a")
    with pytest.raises(ValueError, match="own parents, got a circle at a"):
        spaces(first, second)


def test_tasks_of_the_same_name_are_refused() -> None:
    with pytest.raises(ValueError, match="must have different names"):
        spaces(CLICK, CLICK)


def test_tables_must_have_a_column_for_each_task() -> None:
    with pytest.raises(ValueError, match=r"`scores` must have shape \(1, 2\), got \(1, 1\)"):
        scored(CLICK, LIKE, scores=[[0.5]], truth=[[1.0]])


def test_a_column_that_does_not_fit_is_refused() -> None:
    # asked directly: the shape checks that are on in tests would answer first
    with pytest.raises(ValueError, match=r"`user` must have shape \(2,\), got \(3,\)"):
        _check_shape("user", np.zeros(3), (2,))
    _check_shape("user", None, (2,))
