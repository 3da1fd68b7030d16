"""What a metric of lists must not fall below: `like.ndcg@10=-0.5%` of today, or `=0.31`."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from paretorank.evaluation.list_metrics import ListMetric, parse_list_metric
from paretorank.foundation.errors import ConfigError

_PER_CENT: Final = 100.0
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_HINT: Final = "Write like.ndcg@10=-0.5% for a share of today's, like.ndcg@10=0.31 for a number."


@dataclass(frozen=True)
class Bound:
    """One metric, and what it must reach."""

    metric: ListMetric
    amount: float
    """The smallest allowed value; where relative, the smallest allowed change as a share."""
    is_relative: bool

    def __str__(self) -> str:
        amount = f"{self.amount * _PER_CENT:+.12g}%" if self.is_relative else f"{self.amount:.12g}"
        return f"{self.metric}={amount}"

    def floor(self, today: float) -> float:
        """Return the smallest allowed value, where today's is this."""
        return today + self.amount * abs(today) if self.is_relative else self.amount

    def shortfall(self, value: float, today: float) -> float:
        """Return by how much a value misses the floor, as a share of it; 0 or less is kept."""
        floor = self.floor(today)
        return (floor - value) / (abs(floor) or 1.0)


def parse_bound(text: str, tasks: Iterable[str], *, place: str) -> Bound:
    """Return the bound that a text writes down.

    Args:
        text: metric and number, with `=` between them.
        tasks: names that exist.
        place: where it was written, for messages.

    Raises:
        ConfigError: there is no such metric, or the number is none.
    """
    name, equals, written = text.rpartition("=")
    if not equals:
        raise ConfigError(
            f"{place} {text}: a bound must have a number behind =, got none.", hint=_HINT
        )
    metric = parse_list_metric(name.strip(), tasks, place=place)
    number = written.strip().replace("\N{MINUS SIGN}", "-")
    is_relative = number.endswith("%")
    number = number.removesuffix("%").strip()
    if not _NUMBER.fullmatch(number) or not math.isfinite(float(number)):
        raise ConfigError(
            f"{place} {text}: a bound must be a number or a percentage, got {written!r}.",
            hint=_HINT,
        )
    if is_relative and number[0] not in "+-" and float(number) != 0.0:
        raise ConfigError(
            f"{place} {text}: a percentage must have a sign, as it is a change from today, got "
            f"{written!r}.",
            hint=f"Write {name}=-{number}% for a loss of at most that, +{number}% for a gain.",
        )
    amount = float(number)
    return Bound(metric, amount / _PER_CENT if is_relative else amount, is_relative)
