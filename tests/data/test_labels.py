"""Labels with null where they are not observed."""

import polars as pl
import pytest

from paretorank.data.labels import (
    check_labels,
    label_columns,
    label_expressions,
    refuse_violations,
    violation_expressions,
)
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.schema import LabelSpec


def _label(name: str, kind: str = "binary", **more: object) -> LabelSpec:
    return LabelSpec.model_validate({"name": name, "column": name, "kind": kind, **more})


def _read(frame: pl.DataFrame, *labels: LabelSpec) -> dict[str, list[float | None]]:
    return frame.select(label_expressions(labels)).to_dict(as_series=False)


def _refuse(frame: pl.DataFrame, *labels: LabelSpec) -> None:
    check_labels(labels, frame.lazy())
    named = [e.alias(x.name) for e, x in zip(violation_expressions(labels), labels, strict=True)]
    counts = frame.select(named).row(0, named=True)
    refuse_violations(labels, {name: int(count or 0) for name, count in counts.items()})


@pytest.mark.parametrize(
    "column", [[1, 0, None], [True, False, None], [1.0, 0.0, float("nan")], ["1", "0", None]]
)
def test_a_label_may_be_a_number_a_boolean_or_a_number_as_text(column: list[object]) -> None:
    frame = pl.DataFrame({"click": column})
    _refuse(frame, _label("click"))
    assert _read(frame, _label("click")) == {"click": [1, 0, None]}


def test_labels_are_scaled_then_clipped() -> None:
    frame = pl.DataFrame({"watch": [500, 2_000, 90_000, None]})
    label = _label("watch", "duration", scale=0.001, clip=60.0)
    assert _read(frame, label) == {"watch": [0.5, 2, 60, None]}


def test_a_task_is_observed_where_its_condition_is_true() -> None:
    frame = pl.DataFrame({"like": [1, 0, 1, 0], "tab": [1, 1, 0, None]})
    label = _label("like", observed_when="tab == 1")
    assert _read(frame, label) == {"like": [1, 0, None, None]}


def test_a_task_is_observed_where_the_chain_above_it_happened() -> None:
    frame = pl.DataFrame(
        {"view": [1, 1, 0, 1, None], "click": [1, 0, 1, 1, 1], "buy": [1, 1, 1, 0, 1]}
    )
    labels = (
        _label("buy", observed_when="click"),
        _label("click", observed_when="view"),
        _label("view"),
    )
    assert _read(frame, *labels) == {
        "buy": [1, None, None, 0, None],
        "click": [1, 0, None, 1, None],
        "view": [1, 1, 0, 1, None],
    }


def test_a_condition_above_in_the_chain_counts_too() -> None:
    frame = pl.DataFrame({"click": [1, 1], "like": [1, 1], "tab": [0, 1]})
    labels = (_label("click", observed_when="tab == 1"), _label("like", observed_when="click"))
    assert _read(frame, *labels) == {"click": [None, 1], "like": [None, 1]}


def test_scale_and_clip_of_a_task_do_not_change_whether_it_happened() -> None:
    frame = pl.DataFrame({"click": [1, 0], "like": [1, 1]})
    labels = (_label("click", "count", scale=0.5), _label("like", observed_when="click"))
    assert _read(frame, *labels)["like"] == [1, None]


def test_the_columns_of_conditions_are_needed_but_not_names_of_tasks() -> None:
    labels = (
        LabelSpec(name="click", column="is_click", kind="binary"),
        LabelSpec(name="like", column="is_like", kind="binary", observed_when="click"),
        LabelSpec(name="share", column="is_share", kind="binary", observed_when="tab == 1"),
    )
    assert label_columns(labels) == {
        "is_click": "tasks.click.label",
        "is_like": "tasks.like.label",
        "is_share": "tasks.share.label",
        "tab": "tasks.share.observed_when",
    }


@pytest.mark.parametrize(
    ("kind", "good", "bad", "rule"),
    [
        ("binary", [0, 1, None, float("nan")], [2.0, 0.5, -1.0], "0, 1 or missing"),
        ("regression", [-1e9, 0, None, float("nan")], [float("inf")], "finite numbers"),
        ("duration", [0, 1.5, None], [-0.1, float("inf")], "finite numbers >= 0"),
        ("count", [0, 7, None], [0.5, -1.0, float("inf")], "whole numbers >= 0"),
    ],
)
def test_values_of_another_kind_are_refused_with_task_and_column(
    kind: str, good: list[float | None], bad: list[float], rule: str
) -> None:
    label = LabelSpec.model_validate({"name": "task_a", "column": "column_b", "kind": kind})
    _refuse(pl.DataFrame({"column_b": good}, schema={"column_b": pl.Float64}), label)
    for value in bad:
        frame = pl.DataFrame({"column_b": [*good, value, value]}, schema={"column_b": pl.Float64})
        with pytest.raises(DataError, match=r"tasks\.task_a: 2 rows .*'column_b'") as caught:
            _refuse(frame, label)
        assert rule in str(caught.value)


def test_text_that_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="1 rows of the column 'click' are not 0, 1 or missing"):
        _refuse(pl.DataFrame({"click": ["1", "yes", None]}), _label("click"))


@pytest.mark.parametrize("column", [[[1], [0]], [{"a": 1}, {"a": 0}]])
def test_columns_that_hold_no_numbers_are_refused(column: list[object]) -> None:
    with pytest.raises(DataError, match=r"tasks\.click\.label: the column 'click' is"):
        _refuse(pl.DataFrame({"click": column}), _label("click"))


def test_values_where_the_task_is_not_observed_do_not_matter() -> None:
    frame = pl.DataFrame({"like": [1, -1], "tab": [1, 0]})
    _refuse(frame, _label("like", observed_when="tab == 1"))
    with pytest.raises(DataError, match=r"tasks\.like"):
        _refuse(frame, _label("like", observed_when="tab == 0"))


def test_levels_are_whole_and_below_their_number() -> None:
    stars = _label("stars", "ordinal", n_levels=6)
    _refuse(pl.DataFrame({"stars": [0.0, 5.0, 3.0, None]}), stars)
    for wrong in (6.0, -1.0, 2.5):
        with pytest.raises(DataError, match=r"stars.*not whole numbers from 0 to n_levels - 1"):
            _refuse(pl.DataFrame({"stars": [1.0, wrong]}), stars)


def test_levels_are_those_after_scale_and_clip() -> None:
    label = _label("seen", "ordinal", n_levels=3, scale=0.5, clip=2.0)
    frame = pl.DataFrame({"seen": [0, 2, 40]})
    _refuse(frame, label)
    assert _read(frame, label) == {"seen": [0, 1, 2]}
    with pytest.raises(DataError, match="not whole"):
        _refuse(pl.DataFrame({"seen": [1]}), label)


def test_circles_are_refused() -> None:
    frame = pl.DataFrame({"a": [1], "b": [1], "c": [1]})
    for labels in (
        (_label("a", observed_when="a"),),
        (_label("a", observed_when="b"), _label("b", observed_when="a")),
        (
            _label("c", observed_when="a"),
            _label("a", observed_when="b"),
            _label("b", observed_when="a"),
        ),
    ):
        with pytest.raises(ConfigError, match="leads back to itself"):
            _read(frame, *labels)


@pytest.mark.parametrize(
    "condition", ["tab", "tab + 1", "1", "tab == 'a'", "name > 1", "-name == 1"]
)
def test_conditions_that_are_neither_true_nor_false_are_refused(condition: str) -> None:
    frame = pl.DataFrame({"like": [1], "tab": [1], "name": ["a"]})
    with pytest.raises(ConfigError, match=r"tasks\.like\.observed_when"):
        check_labels([_label("like", observed_when=condition)], frame.lazy())
