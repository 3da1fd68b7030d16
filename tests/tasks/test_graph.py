"""Which task can only happen after which other one."""

import pytest

from paretorank.foundation.errors import ConfigError
from paretorank.tasks import BinaryTask, DurationTask, TaskConfig, TaskGraph


def binary(*parents: str) -> TaskConfig:
    return BinaryTask(label="y", parent=parents[0] if len(parents) == 1 else parents)


def test_order_is_that_of_declaration_and_parents_are_indices() -> None:
    tasks = {"share": binary("like"), "click": binary(), "like": binary("click")}
    graph = TaskGraph.from_tasks(tasks)
    assert graph.names == ("share", "click", "like")
    assert graph.parents == ((2,), (), (1,))
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


def test_a_task_may_need_several_others() -> None:
    tasks = {"d": binary("b", "c"), "a": binary(), "b": binary("a"), "c": binary("a")}
    graph = TaskGraph.from_tasks(tasks)
    assert graph.parents == ((2, 3), (), (1,), (1,))
    assert graph.ancestors(0) == (2, 3, 1)
    assert graph.topological_order() == (1, 2, 3, 0)


def test_no_name_in_a_list_and_a_list_of_one_name_mean_what_they_say() -> None:
    tasks = {"a": BinaryTask(label="y", parent=()), "b": BinaryTask(label="y", parent=("a",))}
    assert TaskGraph.from_tasks(tasks).parents == ((), (0,))


def test_a_cycle_through_the_second_parent_is_named() -> None:
    tasks = {"a": binary(), "b": binary("a", "d"), "c": binary("b"), "d": binary("a", "c")}
    with pytest.raises(ConfigError, match=r"tasks\.c\.parent.*b -> d -> c -> b"):
        TaskGraph.from_tasks(tasks)


def test_a_parent_named_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"tasks\.b\.parent.*once"):
        TaskGraph.from_tasks({"a": binary(), "b": binary("a", "a")})


def test_an_unknown_second_parent_is_named() -> None:
    with pytest.raises(ConfigError, match=r"tasks\.b\.parent.*'x'"):
        TaskGraph.from_tasks({"a": binary(), "b": binary("a", "x")})


def test_a_long_ladder_of_diamonds_is_checked_quickly() -> None:
    tasks: dict[str, TaskConfig] = {"l0": binary(), "r0": binary()}
    for step in range(1, 40):
        above = (f"l{step - 1}", f"r{step - 1}")
        tasks |= {f"l{step}": binary(*above), f"r{step}": binary(*above)}
    assert len(TaskGraph.from_tasks(tasks).ancestors(79)) == 78
