"""What a search is asked for: parsed wishes, and mistakes."""

import pytest

from paretorank.evaluation import ListMetric
from paretorank.foundation.errors import ConfigError
from paretorank.fusion import WeightRange
from paretorank.workflows.fusion_request import (
    FuseRequest,
    SamplerChoice,
    parse_ranges,
    parse_wishes,
    sampler_of,
)

TASKS = ("click", "like")


def test_wishes_know_every_metric_once() -> None:
    request = FuseRequest(
        maximise=("click.ndcg@5", "value@10"),
        at_least=("click.ndcg@5=0.2", "like.gauc=-1%"),
        also=("like.gauc", "like.mean@1"),
        value="click=1, like=-2.5",
    )
    wishes = parse_wishes(request, TASKS)
    assert [str(metric) for metric in wishes.searched] == [
        "click.ndcg@5",
        "value.sum@10",
        "like.gauc",
    ]
    assert wishes.reported[-1] == ListMetric("like", "mean", 1)
    assert wishes.worth == {"click": 1.0, "like": -2.5}


def test_a_range_begins_at_one_or_at_the_end_next_to_it() -> None:
    assert parse_ranges(["a=0:3", "$b=2:4", "`c d`=-1:0.5"]) == {
        "a": WeightRange(0.0, 3.0, 1.0),
        "b": WeightRange(2.0, 4.0, 2.0),
        "c d": WeightRange(-1.0, 0.5, 0.5),
    }


@pytest.mark.parametrize(
    ("n_values", "n_weights", "sampler"),
    [(1, 3, "tpe"), (2, 3, "nsga2"), (3, 1, "nsga2"), (4, 3, "nsga3")],
)
def test_the_sampler_follows_the_number_of_metrics(
    n_values: int, n_weights: int, sampler: SamplerChoice
) -> None:
    assert sampler_of("auto", n_values, n_weights) == sampler


@pytest.mark.parametrize(
    ("request_", "problem", "hint"),
    [
        (FuseRequest(()), "--maximise must be given once or more", "click.ndcg@10"),
        (FuseRequest(("clik.gauc",)), "--maximise clik.gauc: there is no task", "'click'?"),
        (FuseRequest(("like.gauc", "like.gauc")), "must name a metric once, got like.gauc", "out"),
        (
            FuseRequest(("like.gauc",), ("click.gauc=1", "click.gauc=2")),
            "--at-least must name a metric once",
            "out",
        ),
        (FuseRequest(("value@3",), value="lik=1"), "there is no task 'lik'", "'like'?"),
        (FuseRequest(("value@3",), value="like"), "a number behind =, got 'like'", "click=1,like"),
        (FuseRequest(("value@3",), value="like=nan"), "got 'like=nan'", "click=1,like"),
        (FuseRequest(("value@3",), value="like=1,like=2"), "got 'like' twice", "Leave"),
        (FuseRequest(("like.gauc",), also=("like.auc",)), "--also like.auc", "'gauc'?"),
    ],
)
def test_a_mistake_names_place_and_remedy(request_: FuseRequest, problem: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=problem) as caught:
        parse_wishes(request_, TASKS)
    assert hint in caught.value.hint


@pytest.mark.parametrize("text", ["w", "w=1", "w=a:b", "=0:1", "w=0:inf", "w=0:"])
def test_a_range_without_two_numbers_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=f"--range {text}: a range must have") as caught:
        parse_ranges([text])
    assert "--range w_like=0:20" in caught.value.hint


@pytest.mark.parametrize(("n_values", "n_weights"), [(2, 3), (1, 1)])
def test_cma_es_wants_one_metric_and_two_weights(n_values: int, n_weights: int) -> None:
    with pytest.raises(ConfigError, match=f"got {n_values} and {n_weights}"):
        sampler_of("cmaes", n_values, n_weights)


def test_a_task_called_value_leaves_no_room_for_another() -> None:
    with pytest.raises(ConfigError, match="a task is called 'value' already"):
        parse_wishes(FuseRequest(("value.gauc",), value="like=1"), ("value", "like"))
