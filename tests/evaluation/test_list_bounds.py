"""Bounds: what they allow, and how they are written."""

import pytest

from paretorank.evaluation import Bound, ListMetric, parse_bound
from paretorank.foundation.errors import ConfigError

NDCG = ListMetric("like", "ndcg", 10)


@pytest.mark.parametrize(
    ("text", "bound", "floor"),
    [
        ("like.ndcg@10=-0.5%", Bound(NDCG, -0.005, is_relative=True), 0.398),
        ("like.ndcg@10=\N{MINUS SIGN}0.5 %", Bound(NDCG, -0.005, is_relative=True), 0.398),
        ("like.ndcg@10=+10%", Bound(NDCG, 0.1, is_relative=True), 0.44),
        ("like.ndcg@10=0%", Bound(NDCG, 0.0, is_relative=True), 0.4),
        ("like.ndcg@10 = .31", Bound(NDCG, 0.31, is_relative=False), 0.31),
    ],
)
def test_a_bound_is_a_share_of_todays_value_or_a_number(
    text: str, bound: Bound, floor: float
) -> None:
    parsed = parse_bound(text, ["like"], place="--at-least")
    assert parsed == bound
    assert parsed.floor(0.4) == pytest.approx(floor)
    assert parse_bound(str(parsed), ["like"], place="--at-least") == bound


def test_a_loss_of_a_negative_value_lies_below_it() -> None:
    assert Bound(NDCG, -0.1, is_relative=True).floor(-2.0) == pytest.approx(-2.2)


def test_a_shortfall_is_a_share_of_the_floor_and_positive_where_it_is_missed() -> None:
    bound = Bound(NDCG, 0.5, is_relative=False)
    assert bound.shortfall(0.4, today=9.0) == pytest.approx(0.2)
    assert bound.shortfall(0.6, today=9.0) == pytest.approx(-0.2)
    assert Bound(NDCG, 0.0, is_relative=False).shortfall(-3.0, today=9.0) == pytest.approx(3.0)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("like.ndcg@10", "must have a number behind =, got none", "-0.5%"),
        ("like.ndcg@10=", "must be a number or a percentage, got ''", "=0.31"),
        ("like.ndcg@10=much", "got 'much'", "=0.31"),
        ("like.ndcg@10=nan", "got 'nan'", "=0.31"),
        ("like.ndcg@10=1e999", "got '1e999'", "=0.31"),
        ("like.ndcg@10=0.5%", "must have a sign", "Write like.ndcg@10=-0.5%"),
        ("lik.ndcg@10=0.5", "there is no task 'lik'", "Did you mean 'like'?"),
        ("like.ndgc@10=0.5", "no metric of lists 'ndgc'", "Did you mean 'ndcg'?"),
    ],
)
def test_a_mistake_names_place_rule_value_and_remedy(text: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse_bound(text, ["like"], place="--at-least")
    assert str(caught.value).startswith("--at-least ")
    assert hint in caught.value.hint
