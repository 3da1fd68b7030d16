"""For whom target statistics are worth keeping: user, item, author, user and item in a context."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from paretorank.audit.finding import describing_key
from paretorank.audit.measure import numbers
from paretorank.profiling.names import is_code, words_of
from paretorank.profiling.profile import TableProfile
from paretorank.proposal.tasks import ProposedTask
from paretorank.schema import CategoricalFeature, FeatureConfig, KeysConfig, StatisticConfig

_AUTHORS = frozenset(
    """author creator seller brand store shop artist publisher advertiser campaign merchant
    category tag genre topic director channel""".split()
)
_MIN_ROWS_EACH = 5.0
_MIN_VALUES = 10
_MAX_CONTEXT = 40
_MIN_STRENGTH = 0.001
_N_AUTHORS = 2
_AS_MANY = 0.97


def find_statistics(
    table: TableProfile,
    sample: pl.DataFrame,
    keys: KeysConfig,
    features: Mapping[str, FeatureConfig],
    tasks: tuple[ProposedTask, ...],
) -> dict[str, tuple[StatisticConfig, str]]:
    """Return name -> (statistic, reason), at most six of them."""
    if not tasks:
        return {}
    found: dict[str, tuple[StatisticConfig, str]] = {}

    def add(*columns: str, reason: str) -> None:
        name = "_x_".join(_short(column) for column in columns)
        found["_x_".join(columns) if name in found else name] = (
            StatisticConfig(of=columns),
            reason,
        )

    named = [key for key in (keys.user, keys.item) if key is not None]
    for key in named:
        column = table.column(key)
        add(key, reason=f"{column.filled / column.n_unique:.1f} rows each")
    for author in author_columns(table, keys, features):
        column = table.column(author)
        add(author, reason=f"{column.filled / column.n_unique:.0f} rows for each of its values")
    context, strength = _context(table, sample, keys, features, tasks)
    if context:
        for key in (name for name in named if name != context):
            reason = f"{context} explains {strength:.1%} of the variance of a label"
            add(key, context, reason=reason)
    return found


def author_columns(
    table: TableProfile, keys: KeysConfig, features: Mapping[str, FeatureConfig]
) -> list[str]:
    """Return ids that stand for many rows each, such as the author's; most values first."""
    items = table.column(keys.item).n_unique if keys.item else table.rows
    ranked = []
    for name in _single_codes(features):
        column = table.column(name)
        authorlike = bool(set(words_of(name)) & _AUTHORS)
        if name in (keys.user, keys.item) or not (authorlike or is_code(name)):
            continue
        enough = column.filled / max(column.n_unique, 1) >= _MIN_ROWS_EACH
        if enough and _MIN_VALUES <= column.n_unique < _AS_MANY * items and authorlike:
            ranked.append((-column.n_unique, name))
    return [name for _, name in sorted(ranked)[:_N_AUTHORS]]


def _context(
    table: TableProfile,
    sample: pl.DataFrame,
    keys: KeysConfig,
    features: Mapping[str, FeatureConfig],
    tasks: tuple[ProposedTask, ...],
) -> tuple[str | None, float]:
    """Return the small column, of neither user nor item, that explains most of a label."""
    best: tuple[str | None, float] = (None, _MIN_STRENGTH)
    for name in _single_codes(features):
        few = 1 < table.column(name).n_unique <= _MAX_CONTEXT
        if not few or describing_key(sample, name, (keys.user, keys.item)):
            continue
        strength = max(_explained(sample, name, task.column) for task in tasks)
        if strength > best[1]:
            best = (name, strength)
    return best


def _single_codes(features: Mapping[str, FeatureConfig]) -> list[str]:
    return [
        name
        for name, config in features.items()
        if isinstance(config, CategoricalFeature) and not config.multi
    ]


def _explained(sample: pl.DataFrame, name: str, label: str) -> float:
    """Return the share of the label's variance that lies between the values of a column."""
    values = numbers(sample[label])
    known = np.isfinite(values)
    total = float(values[known].var()) if known.any() else 0.0
    if not total:
        return 0.0
    rows = pl.DataFrame({"of": sample[name], "label": values}).filter(pl.Series(known))
    groups = rows.group_by("of").agg(pl.col("label").mean().alias("mean"), pl.len().alias("rows"))
    means, sizes = groups["mean"].to_numpy(), groups["rows"].to_numpy()
    between = float(np.average((means - np.average(means, weights=sizes)) ** 2, weights=sizes))
    return between / total


def _short(column: str) -> str:
    words = [word for word in words_of(column) if word != "id"]
    return "_".join(words) or column
