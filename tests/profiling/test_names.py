import pytest

from paretorank.profiling import names


@pytest.mark.parametrize("name", ["is_click", "isLiked", "long_view", "conversion", "add_to_cart"])
def test_feedback_is_known_by_name(name: str) -> None:
    assert names.is_feedback(name)


@pytest.mark.parametrize("name", ["gender", "is_vip", "is_rand", "is_author", "like_cnt", "hour"])
def test_traits_and_counts_are_no_feedback(name: str) -> None:
    assert not names.is_feedback(name)


@pytest.mark.parametrize("name", ["play_time_ms", "watch_ratio", "dwell", "revenue", "stayTime"])
def test_outcomes_are_known_by_name(name: str) -> None:
    assert names.is_outcome(name)


@pytest.mark.parametrize("name", ["duration_ms", "video_duration", "price", "avg_watch_time"])
def test_properties_of_items_are_no_outcomes(name: str) -> None:
    assert not names.is_outcome(name)


@pytest.mark.parametrize(
    ("name", "expected"), [("like_cnt", True), ("item_ctr", True), ("fans_user_num", False)]
)
def test_aggregated_feedback_is_known_by_name(name: str, *, expected: bool) -> None:
    assert names.is_aggregate(name) is expected


@pytest.mark.parametrize(
    ("role", "name", "fits"),
    [
        ("user", "userId", True),
        ("user", "user_active_degree", False),
        ("item", "video_id", True),
        ("item", "video_duration", False),
        ("request", "request_id", True),
    ],
)
def test_keys_are_known_by_name(role: str, name: str, *, fits: bool) -> None:
    assert (names.rank_as(role, name) is not None) is fits


def test_task_names_are_short_and_never_taken_twice() -> None:
    assert names.task_name("is_click") == "click"
    assert names.task_name("play_time_ms") == "play_time"
    assert names.task_name("label") == "label"
    assert names.task_name("is_click", taken=["click"]) == "click_label"
