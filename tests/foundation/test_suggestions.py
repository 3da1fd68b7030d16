"""Did you mean ...?"""

import pytest

from paretorank.foundation.suggestions import did_you_mean


def test_the_closest_name_is_suggested() -> None:
    assert did_you_mean("usr_id", ["user_id", "item_id"]) == "Did you mean 'user_id'?"


def test_without_a_close_name_the_allowed_ones_are_listed_in_order() -> None:
    assert did_you_mean("zebra", ["like", "click"]) == "Allowed: 'click', 'like'."


def test_a_long_list_is_cut() -> None:
    text = did_you_mean("zebra", [f"column{at:02d}" for at in range(13)])
    assert "'column11', ..." in text
    assert "column12" not in text


@pytest.mark.parametrize("name", ["", "x"])
def test_nothing_to_choose_from_is_said(name: str) -> None:
    assert did_you_mean(name, []) == "Nothing is allowed here."
