"""The usual formulas for given columns, with ranges for a search.

A fused score that is multiplied by, or raised to, a positive number sorts as before. Sums, products
and rank ensembles therefore fix the weight of the first column at 1: what is left has no direction
in which nothing changes. Order the columns so that the first one certainly counts.

An exponent lies in [0, 2]. The factor of a sum depends on the units of its column, so its range is
[0, 10] for columns of one unit unless another one is given.
"""

from collections.abc import Sequence
from typing import Final

from paretorank.foundation.errors import ConfigError
from paretorank.fusion.formula import Formula, WeightRange, parse_formula
from paretorank.fusion.printer import quoted

EXPONENT: Final = WeightRange(0.0, 2.0, 1.0)
"""Range of an exponent."""
FACTOR: Final = WeightRange(0.0, 10.0, 1.0)
"""Range of a factor."""


def weighted_sum(names: Sequence[str], *, factor: WeightRange = FACTOR) -> Formula:
    """Return p1 + Σ w_k p_k. Rescaling a column changes the order.

    >>> str(weighted_sum(["click", "like"]))
    'click + $w_like * like'
    """
    first, *rest = _checked(names)
    terms = [quoted(first), *(f"{_weight('w', name)} * {quoted(name)}" for name in rest)]
    return parse_formula(
        " + ".join(terms), columns=names, ranges={f"w_{name}": factor for name in rest}
    )


def click_gated_sum(click: str, names: Sequence[str], *, factor: WeightRange = FACTOR) -> Formula:
    """Return p_click (1 + Σ w_k p_k), for scores of what follows a click.

    >>> str(click_gated_sum("click", ["like"]))
    'click * (1 + $w_like * like)'
    """
    _checked([click, *names])
    terms = "".join(f" + {_weight('w', name)} * {quoted(name)}" for name in names)
    return parse_formula(
        f"{quoted(click)} * (1{terms})",
        columns=[click, *names],
        ranges={f"w_{name}": factor for name in names},
    )


def weighted_product(names: Sequence[str], *, exponent: WeightRange = EXPONENT) -> Formula:
    """Return p1 Π p_k^a_k. Rescaling a column does not change the order.

    >>> str(weighted_product(["click", "like"]))
    'click * like^$a_like'
    """
    first, *rest = _checked(names)
    terms = [quoted(first), *(f"{quoted(name)}^{_weight('a', name)}" for name in rest)]
    return parse_formula(
        " * ".join(terms), columns=names, ranges={f"a_{name}": exponent for name in rest}
    )


def shifted_product(
    names: Sequence[str], *, factor: WeightRange = FACTOR, exponent: WeightRange = EXPONENT
) -> Formula:
    """Return (1 + b1 p1) Π (1 + b_k p_k)^a_k, which a score of 0 does not ruin.

    >>> str(shifted_product(["click", "like"]))
    '(1 + $b_click * click) * (1 + $b_like * like)^$a_like'
    """
    first, *rest = _checked(names)
    shifted = {name: f"(1 + {_weight('b', name)} * {quoted(name)})" for name in names}
    terms = [shifted[first], *(f"{shifted[name]}^{_weight('a', name)}" for name in rest)]
    ranges = {f"b_{name}": factor for name in names} | {f"a_{name}": exponent for name in rest}
    return parse_formula(" * ".join(terms), columns=names, ranges=ranges)


def rank_ensemble(
    names: Sequence[str],
    *,
    exponent: float = 1.0,
    offset: float = 60.0,
    factor: WeightRange = FACTOR,
) -> Formula:
    """Return Σ w_k / (place_k^exponent + offset) with w1 = 1. Only the order of a column counts.

    Source: with exponent 1 and offset 60, Cormack, Clarke and Büttcher, Reciprocal Rank Fusion
    Outperforms Condorcet and Individual Rank Learning Methods, SIGIR 2009.

    >>> str(rank_ensemble(["click", "like"]))
    'reciprocal_rank(click, 1, 60) + $w_like * reciprocal_rank(like, 1, 60)'
    """
    first, *rest = _checked(names)
    ranked = {name: f"reciprocal_rank({quoted(name)}, {exponent!r}, {offset!r})" for name in names}
    terms = [ranked[first], *(f"{_weight('w', name)} * {ranked[name]}" for name in rest)]
    return parse_formula(
        " + ".join(terms), columns=names, ranges={f"w_{name}": factor for name in rest}
    )


def _checked(names: Sequence[str]) -> Sequence[str]:
    if not names or len(set(names)) != len(names):
        raise ConfigError(
            f"A preset formula must have one or more columns, each once, got {list(names)}.",
            hint="Name the tasks whose scores are fused.",
        )
    return names


def _weight(letter: str, name: str) -> str:
    return "$" + quoted(f"{letter}_{name}")
