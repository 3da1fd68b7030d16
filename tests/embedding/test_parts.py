"""Which columns of a batch make which inputs."""

from paretorank.data.layout import (
    CategoricalColumn,
    Layout,
    NumericColumn,
    RaggedColumn,
    TableSpec,
)
from paretorank.data.sharing import SharedColumns
from paretorank.embedding.parts import Parts, split_parts

# three categorical columns of widths 2, 3, 2; a list of width 3; number 1 makes two inputs
WHOLE = Parts.of([2, 3, 2], [3], [0, 1, 1, 0])


def test_columns_of_one_width_stand_together() -> None:
    assert WHOLE.categorical == {2: (0, 2), 3: (1,)}
    assert WHOLE.ragged == (0,)
    assert WHOLE.numbers == (0, 1, 2, 3)
    assert WHOLE.width == 2 * 2 + 3 + 3 + 4


def test_all_inputs_stand_where_they_are() -> None:
    assert WHOLE.places(WHOLE) == list(range(WHOLE.width))


def test_shared_and_own_columns_are_told_apart() -> None:
    shared = WHOLE.only(SharedColumns((2,), (1,), ()), shared=True)
    assert (shared.categorical, shared.ragged, shared.numbers) == ({2: (2,)}, (), (1, 2))
    own = WHOLE.only(SharedColumns((2,), (1,), ()), shared=False)
    assert (own.categorical, own.ragged, own.numbers) == ({2: (0,), 3: (1,)}, (0,), (0, 3))
    assert shared.width + own.width == WHOLE.width


def test_places_say_where_own_and_then_shared_inputs_stand() -> None:
    own, shared, places = split_parts(WHOLE, SharedColumns((2,), (1,), (0,)))
    assert own.places(WHOLE) == [0, 1, 4, 5, 6, 10, 13]
    assert shared.places(WHOLE) == [2, 3, 7, 8, 9, 11, 12]
    assert places.tolist() == own.places(WHOLE) + shared.places(WHOLE)


def test_nothing_shared_leaves_everything_own() -> None:
    own, shared, places = split_parts(WHOLE, SharedColumns((), (), ()))
    assert own == WHOLE
    assert shared.width == 0
    assert places.tolist() == list(range(WHOLE.width))


def test_the_inputs_of_a_feature_are_found_by_its_name() -> None:
    layout = Layout(
        tables=(TableSpec(name="t", n_codes=5, dim=2), TableSpec(name="u", n_codes=5, dim=3)),
        categorical=tuple(
            CategoricalColumn(feature=f, table=t) for f, t in (("a", "t"), ("b", "u"), ("c", "t"))
        ),
        ragged=(RaggedColumn(feature="seen", table="u", pooling="sum"),),
        numeric=(NumericColumn(name="rate.click"), NumericColumn(name="rates", n_bins=2)),
        labels=(),
    )
    places = {n: WHOLE.of_feature(layout, n).places(WHOLE) for n in ("c", "seen", "rate", "rates")}
    assert places == {"c": [2, 3], "seen": [7, 8, 9], "rate": [10, 13], "rates": [11, 12]}
    assert WHOLE.of_feature(layout, "d").places(WHOLE) == []
