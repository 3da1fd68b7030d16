"""Progress as events; the edge decides how to draw them."""

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable


@dataclass(frozen=True)
class Progress:
    """How far one stage has come."""

    stage: str
    done: int
    total: int | None = None
    unit: str = "rows"
    facts: dict[str, float | str] = field(default_factory=dict)


@runtime_checkable
class Listener(Protocol):
    """Whoever wants to know how far a stage has come."""

    def __call__(self, event: Progress, /) -> None:
        """Take note of one event; must return at once."""


def silent(event: Progress, /) -> None:
    """Ignore every event."""
    del event
