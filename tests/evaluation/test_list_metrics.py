"""Metrics of lists by name: values by hand, what is not observed, and mistakes."""

import numpy as np
import pytest

from paretorank.evaluation import ListMeasure, ListMetric, parse_list_metric
from paretorank.foundation.errors import ConfigError
from paretorank.metrics import RankedLists, logarithmic

TASKS = ("click", "long.view", "value")
REQUEST = np.array([7, 7, 7, 3, 3, 5])
CLICK = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0])
WATCH = np.array([2.0, np.nan, 4.0, 1.0, 3.0, 8.0])
SCORE = np.array([0.9, 0.5, 0.1, 0.2, 0.8, 0.4])


def measured(*names: str) -> list[float]:
    metrics = [parse_list_metric(name, ("click", "watch"), place="here") for name in names]
    measure = ListMeasure(REQUEST, {"click": CLICK, "watch": WATCH}, metrics)
    return measure.values(SCORE).tolist()


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("click.ndcg@10", ListMetric("click", "ndcg", 10)),
        ("long.view.gauc", ListMetric("long.view", "gauc")),
        ("click.mean@1", ListMetric("click", "mean", 1)),
        ("value@5", ListMetric("value", "sum", 5)),
    ],
)
def test_a_metric_is_written_as_task_and_metric(text: str, metric: ListMetric) -> None:
    parsed = parse_list_metric(text, TASKS, place="--maximise")
    assert parsed == metric
    assert parse_list_metric(str(parsed), TASKS, place="--maximise") == metric


def test_values_are_those_worked_out_by_hand() -> None:
    second = 1.0 / np.log2(3.0)
    gains = measured("click.ndcg@10", "click.ndcg@1", "click.gauc", "watch.sum@2", "watch.mean@1")
    # clicks stand on places 2 of 3, 2 of 2 and 1 of 1
    assert gains[0] == pytest.approx((second + second + 1.0) / 3.0)
    assert gains[1] == pytest.approx((0.0 + 0.0 + 1.0) / 3.0)
    assert gains[2] == pytest.approx((3.0 * 0.5 + 2.0 * 0.0) / 5.0)
    # the row without a label is no part of its list: 2 then 4, 3 then 1, 8
    assert gains[3] == pytest.approx((2.0 + 4.0 * second + 3.0 + 1.0 * second + 8.0) / 3.0)
    assert gains[4] == pytest.approx((2.0 + 3.0 + 8.0) / 3.0)


def test_terms_of_lists_add_up_to_the_metric_and_know_a_row_of_their_list() -> None:
    metric = ListMetric("watch", "sum", 2)
    measure = ListMeasure(REQUEST, {"watch": WATCH}, [metric])
    (terms,) = measure.terms(SCORE)
    assert terms.ratio() == measure.values(SCORE)[0]
    second = 1.0 / np.log2(3.0)
    wanted = {7: 2.0 + 4.0 * second, 3: 3.0 + second, 5: 8.0}
    owners = REQUEST[measure.first_rows(metric)]
    assert dict(zip(owners.tolist(), terms.above.tolist(), strict=True)) == pytest.approx(wanted)


def test_values_are_those_of_ranked_lists() -> None:
    generator = np.random.default_rng(0)
    request = generator.integers(0, 40, 300)
    label = (generator.random(300) < 0.3).astype(np.float64)
    label[generator.random(300) < 0.2] = np.nan
    score = generator.random(300).round(1)
    metrics = [
        ListMetric("a", "ndcg", 3),
        ListMetric("a", "gauc"),
        ListMetric("a", "sum", 3),
        ListMetric("a", "mean", 3),
    ]
    ranking = RankedLists(request, label[:, None]).rank(score)
    wanted = [
        ranking.ndcg(3)[0],
        ranking.gauc()[0],
        ranking.value(logarithmic(3))[0],
        ranking.value_per_impression(3)[0],
    ]
    found = ListMeasure(request, {"a": label}, metrics).values(score)
    np.testing.assert_allclose(found, wanted, rtol=1e-12)


@pytest.mark.parametrize(
    ("text", "problem", "hint"),
    [
        ("click", r"must be written TASK\.METRIC, got 'click'", "like.ndcg@10"),
        ("clik.ndcg@10", "there is no task 'clik'", "Did you mean 'click'?"),
        ("click.ndgc@10", "there is no metric of lists 'ndgc'", "Did you mean 'ndcg'?"),
        ("click.auc", "there is no metric of lists 'auc'", "Did you mean 'gauc'?"),
        ("click.ndcg", "how many places count, from 1 to 1000000, got nothing", "TASK.ndcg@10"),
        ("click.ndcg@0", "got '0'", "TASK.ndcg@10"),
        ("click.mean@ten", "got 'ten'", "TASK.mean@10"),
        ("click.gauc@10", "gauc counts all places, got @10", "TASK.gauc"),
    ],
)
def test_a_mistake_names_place_rule_value_and_remedy(text: str, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse_list_metric(text, TASKS, place="--maximise")
    assert str(caught.value).startswith(f"--maximise {text}: ")
    assert hint in caught.value.hint


def test_a_value_that_was_not_given_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="there is no task 'value'") as caught:
        parse_list_metric("value@10", ("click",), place="--maximise")
    assert "--value click=1" in caught.value.hint


def test_labels_must_fit_the_metric() -> None:
    with pytest.raises(ConfigError, match=r"watch\.gauc: labels must be 0 or 1 for gauc, got 2"):
        measured("watch.gauc")
    with pytest.raises(ConfigError, match=r"a\.ndcg@3: labels must be at least 0 .* got -1"):
        ListMeasure(np.zeros(2, int), {"a": np.array([-1.0, 2.0])}, [ListMetric("a", "ndcg", 3)])
