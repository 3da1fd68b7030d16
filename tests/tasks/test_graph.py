"""Which task can only happen after which other one."""

import pytest

from paretorank.foundation.errors import ConfigError
from paretorank.tasks import BinaryTask, DurationTask, TaskConfig, TaskGraph


def binary(parent: str | None = None) -> TaskConfig:
    return BinaryTask(label="y", parent=parent)


def test_order_is_that_of_declaration_and_parents_are_indices() -> None:
    tasks = {"share": binary("like"), "click": binary(), "like": binary("click")}
    graph = TaskGraph.from_tasks(tasks)
    assert graph.names == ("share", "click", "like")
    assert graph.parents == (2, None, 1)
    assert graph.n_tasks == 3


def test_ancestors_come_nearest_first() -> None:
    graph = TaskGraph.from_tasks({"c": binary("b"), "a": binary(), "b": binary("a")})
    assert graph.ancestors(0) == (2, 1)
    assert graph.ancestors(1) == ()


def test_topological_order_puts_parents_before_children() -> None:
    tasks = {"c": binary("b"), "x": binary(), "b": binary("a"), "a": binary()}
    assert TaskGraph.from_tasks(tasks).topological_order() == (1, 3, 2, 0)


def test_an_unknown_parent_is_named_with_the_closest_task() -> None:
    with pytest.raises(ConfigError, match=r"tasks\.like\.parent.*'clik'") as caught:
        TaskGraph.from_tasks({"click": binary(), "like": binary("clik")})
    assert caught.value.hint == "Did you mean 'click'?"


def test_a_cycle_is_named() -> None:
    with pytest.raises(ConfigError, match="a -> c -> b -> a"):
        TaskGraph.from_tasks({"a": binary("c"), "b": binary("a"), "c": binary("b")})


def test_a_task_cannot_be_its_own_parent() -> None:
    with pytest.raises(ConfigError, match="a -> a"):
        TaskGraph.from_tasks({"a": binary("a")})


def test_a_parent_must_happen_or_not() -> None:
    tasks = {"watch": DurationTask(label="s"), "like": binary("watch")}
    with pytest.raises(ConfigError, match=r"tasks\.like\.parent.*binary.*'duration'"):
        TaskGraph.from_tasks(tasks)


def test_no_task_is_refused() -> None:
    with pytest.raises(ConfigError, match="There is no task"):
        TaskGraph.from_tasks({})
