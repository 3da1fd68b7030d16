"""Every user's error says what to do."""

import pytest

from paretorank.foundation import errors
from paretorank.foundation.errors import ParetorankError

KINDS = [kind for kind in vars(errors).values() if isinstance(kind, type)]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_carries_problem_and_hint(kind: type[ParetorankError]) -> None:
    error = kind("something is wrong", hint="mend it")
    assert isinstance(error, ParetorankError)
    assert str(error) == "something is wrong"
    assert error.hint == "mend it"


def test_a_hint_is_not_optional() -> None:
    with pytest.raises(TypeError):
        ParetorankError("something is wrong")  # type: ignore[call-arg]
