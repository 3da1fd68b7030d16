"""What relations know about the graph."""

from paretorank.relations import Dependencies, Generation


def graph(*parents: tuple[int, ...]) -> Dependencies:
    return Dependencies(parents, (True,) * len(parents), (False,) * len(parents))


def test_ancestors_and_order_follow_all_parents() -> None:
    diamond = graph((1, 2), (3,), (3,), ())
    assert diamond.ancestors(0) == (1, 2, 3)
    assert diamond.topological_order() == (3, 1, 2, 0)


def test_tasks_of_one_depth_and_as_many_parents_form_a_generation() -> None:
    assert graph((), (0,), (0,), (1, 2), (1, 0), (3,)).generations() == (
        Generation((1, 2), ((0,), (0,))),
        Generation((3, 4), ((1, 2), (1, 0))),
        Generation((5,), ((3,),)),
    )


def test_depth_is_that_of_the_longest_way() -> None:
    generations = graph((), (0,), (0, 1)).generations()
    assert [generation.tasks for generation in generations] == [(1,), (2,)]
    assert [generation.n_parents for generation in generations] == [1, 2]


def test_tasks_without_parents_are_in_no_generation() -> None:
    assert graph((), ()).generations() == ()
