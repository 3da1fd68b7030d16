"""Configuration sections are frozen and strict."""

import pytest
from pydantic import ValidationError

from paretorank.foundation.section import Section, describe_sections


class _Example(Section):
    count: int = 1
    """How many."""
    share: float = 0.5


def test_unknown_keys_are_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        _Example(cuont=2)  # type: ignore[call-arg]


@pytest.mark.parametrize("value", ["2", 2.0, True])
def test_types_are_not_converted(value: object) -> None:
    with pytest.raises(ValidationError):
        _Example.model_validate({"count": value})


def test_a_whole_number_may_stand_for_a_float() -> None:
    assert _Example.model_validate({"share": 1}).share == 1.0


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_numbers_are_finite(value: float) -> None:
    with pytest.raises(ValidationError):
        _Example(share=value)


def test_sections_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        _Example().count = 2  # type: ignore[misc]


def test_the_docstring_under_a_field_describes_it() -> None:
    describe_sections()
    assert _Example.model_fields["count"].description == "How many."
