"""A formula with the ranges of its free weights."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.fusion.parser import parse
from paretorank.fusion.printer import to_text
from paretorank.fusion.syntax import (
    Column,
    Node,
    Weight,
    children,
    names_of,
    number,
    with_children,
)
from paretorank.fusion.tokens import LARGEST_NUMBER


@dataclass(frozen=True)
class WeightRange:
    """Where a search may look for a weight."""

    low: float = 0.0
    high: float = 2.0
    start: float = 1.0
    """Where it begins, and what the formula is worth without a search."""


@dataclass(frozen=True)
class Formula:
    """How the columns of a row become the fused score that sorts its request."""

    tree: Node
    ranges: Mapping[str, WeightRange] = field(default_factory=dict, hash=False)
    """One range for each free weight, in order of first use."""

    def __str__(self) -> str:
        return to_text(self.tree)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of tasks and other columns that it reads, in order of first use."""
        return names_of(self.tree, Column)

    @property
    def weights(self) -> tuple[str, ...]:
        """Names of the free weights, in order of first use."""
        return names_of(self.tree, Weight)

    def start(self) -> dict[str, float]:
        """Return every free weight at its start."""
        return {name: self.ranges[name].start for name in self.weights}

    def with_weights(self, values: Mapping[str, float]) -> "Formula":
        """Return the formula with numbers in the place of these weights; others stay free.

        Raises:
            ConfigError: there is no such weight, or a value is not finite or above 1e30.
        """
        checked = {name: _checked(name, value, self.weights) for name, value in values.items()}
        left = {name: range_ for name, range_ in self.ranges.items() if name not in checked}
        return replace(self, tree=_filled(self.tree, checked), ranges=left)

    def values(self, given: Mapping[str, float] | None = None) -> dict[str, float]:
        """Return every free weight, checked: as given, else at its start.

        Raises:
            ConfigError: there is no such weight, or a value is not finite or above 1e30.
        """
        checked = {
            name: _checked(name, value, self.weights) for name, value in (given or {}).items()
        }
        return self.start() | checked


def parse_formula(
    text: str,
    *,
    columns: Iterable[str] | None = None,
    ranges: Mapping[str, WeightRange] | None = None,
    place: str = "formula",
) -> Formula:
    """Return the formula that a text writes down; `paretorank.fusion.parser` has the language.

    Args:
        text: the formula.
        columns: the names that exist; None allows every name.
        ranges: ranges of free weights; a weight without one gets the default.
        place: where the formula was written, for messages.

    Raises:
        ConfigError: the text is not a formula, or a range is impossible or has no weight.
    """
    tree = parse(text, columns=None if columns is None else frozenset(columns), place=place)
    weights = names_of(tree, Weight)
    given = dict(ranges or {})
    for name, range_ in given.items():
        _check_range(name, range_, weights, place)
    return Formula(tree, {name: given.get(name, WeightRange()) for name in weights})


def _checked(name: str, value: float, weights: tuple[str, ...]) -> float:
    if name not in weights:
        raise ConfigError(
            f"A weight must be one of the formula, got {name!r}.", hint=did_you_mean(name, weights)
        )
    if not abs(value) <= LARGEST_NUMBER:
        raise ConfigError(
            f"The weight {name!r} must be finite and at most {LARGEST_NUMBER:g}, got {value}.",
            hint="Most weights lie between 0 and 2.",
        )
    return float(value)


def _check_range(name: str, range_: WeightRange, weights: tuple[str, ...], place: str) -> None:
    if name not in weights:
        raise ConfigError(
            f"{place}: a range must belong to a weight of the formula, got {name!r}.",
            hint=did_you_mean(name, weights),
        )
    bounds = (range_.low, range_.start, range_.high)
    in_order = range_.low <= range_.start <= range_.high and range_.low < range_.high
    if not in_order or not all(math.isfinite(b) and abs(b) <= LARGEST_NUMBER for b in bounds):
        raise ConfigError(
            f"{place}: the weight {name!r} must have low <= start <= high, low < high, and finite "
            f"numbers, got low {range_.low}, start {range_.start}, high {range_.high}.",
            hint="Exponents usually lie between 0 and 2.",
        )


def _filled(node: Node, values: Mapping[str, float]) -> Node:
    if isinstance(node, Weight):
        return number(values[node.name]) if node.name in values else node
    return with_children(node, tuple([_filled(child, values) for child in children(node)]))
