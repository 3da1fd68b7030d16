"""What each column means as an input, or why it is none."""

from dataclasses import dataclass

import polars as pl

from paretorank.profiling.moments import is_moment
from paretorank.profiling.names import (
    is_aggregate,
    is_clock,
    is_code,
    is_history,
    is_magnitude,
    is_place,
    is_plural,
    is_quantity,
    rank_as,
    words_of,
)
from paretorank.profiling.profile import ColumnProfile
from paretorank.schema import (
    CategoricalFeature,
    FeatureConfig,
    HistoryFeature,
    KeysConfig,
    NumericFeature,
    SequenceFeature,
    VectorFeature,
)

_FEW = 50
_FEW_FLOATS = 20
_DENSE = 0.95
_HUGE = 1_000_000_000
_LONG_TEXT = 40.0
_MIN_ROWS_PER_VALUE = 1.5
_SHARED_IDS = 0.5
_MOSTLY_EMPTY = 0.999
_MOST_ZEROS = 0.2
_NO_VALUES = ("", "UNKNOWN", "unknown", "Unknown", "NULL", "null", "None", "none", "nan", "NaN")
_NO_VALUES_TOO = ("NA", "N/A", "n/a", "?", "\\N")


@dataclass(frozen=True)
class ProposedFeature:
    """A feature and why."""

    name: str
    config: FeatureConfig
    reason: str


def find_feature(
    column: ColumnProfile, sample: pl.DataFrame, keys: KeysConfig
) -> ProposedFeature | str:
    """Return the feature that a column makes, or the reason why it makes none."""
    left_out = _why_not(column, keys)
    if left_out:
        return left_out
    if column.kind == "list":
        return _from_list(column, sample, keys)
    if column.kind == "text":
        return _from_text(column, sample, keys)
    return _from_number(column, keys)


def history_of(
    sequence: ProposedFeature, longest: ProposedFeature, match: tuple[str, ...], keys: KeysConfig
) -> ProposedFeature | None:
    """Return the counts and rates of a behaviour list as a further feature."""
    if not isinstance(sequence.config, SequenceFeature) or sequence.config.table is None:
        return None
    if keys.item is None:
        return None
    relative = None if sequence is longest else longest.name
    config = HistoryFeature(
        column=sequence.name,
        item=keys.item,
        relative_to=relative,
        match=match,
        separator=sequence.config.separator,
    )
    same = "".join(f", the same {name}" for name in match)
    reason = f"how many, and how often this {keys.item}{same}"
    return ProposedFeature(f"{sequence.name}_counts", config, reason)


def _why_not(column: ColumnProfile, keys: KeysConfig) -> str | None:
    if column.is_empty:
        return "empty"
    if column.n_unique == 1 and column.nulls == 0 and column.kind != "list":
        return f"constant ({column.top[0][0] if column.top else column.minimum})"
    if column.nulls >= _MOSTLY_EMPTY * column.rows:
        return f"missing on {column.nulls / column.rows:.2%} of rows"
    if column.kind == "other":
        return f"of type {column.dtype}, which no feature kind reads"
    key = column.name in (keys.user, keys.item)
    if column.is_date_text:
        return "a moment as text: as a date-time it could order the split"
    if column.name == keys.time or (is_moment(column) and not key):
        return "a moment: never seen again when the model serves"
    named = rank_as("request", column.name) is not None
    if column.name == keys.request:
        return "names the list, never seen again"
    if column.is_unique and column.rows > _FEW and (column.kind == "text" or _is_id(column)):
        return f"{column.n_unique:,} values on {column.filled:,} rows: never seen again"
    if named and not key:
        return "names a list or a session, never seen again"
    return None


def _from_number(column: ColumnProfile, keys: KeysConfig) -> ProposedFeature:
    code = column.missing_code
    warned = "; CHECK: is it known before ranking?" if is_place(column.name) else ""
    missing: tuple[int, ...] = () if code is None else (code,)
    said = "" if code is None else f"; {code} on {column.negatives / column.filled:.1%} is a code"
    if code is None and _zero_means_unknown(column):
        missing, said = (0,), f"; 0 on {column.zeros / column.filled:.1%} is no such measure"
    if _is_categorical(column, keys):
        reason = f"{column.n_unique:,} values{said}{warned}"
        return ProposedFeature(column.name, CategoricalFeature(missing=missing), reason)
    reason = f"{_short(column.minimum)} to {_short(column.maximum)}, mean {column.mean or 0:.4g}"
    if is_aggregate(column.name):
        reason += "; CHECK: must be as of the impression, not over the whole period"
    return ProposedFeature(column.name, NumericFeature(missing=missing), reason + said + warned)


def _zero_means_unknown(column: ColumnProfile) -> bool:
    sizes = {"duration", "length", "width", "height", "age"}
    measured = bool(set(words_of(column.name)) & sizes) and is_magnitude(column.name)
    some = 0 < column.zeros < _MOST_ZEROS * column.filled
    return measured and some and column.minimum == 0 and not column.is_binary


def _is_categorical(column: ColumnProfile, keys: KeysConfig) -> bool:
    if column.name in (keys.user, keys.item) or column.kind == "boolean" or column.is_binary:
        return True
    if not column.is_whole:
        return False
    limit = _FEW if column.kind == "integer" else _FEW_FLOATS
    low, high = column.minimum, column.maximum
    if is_code(column.name) or is_clock(column.name):
        return column.n_unique <= limit or column.kind == "integer" or _is_id(column)
    if is_quantity(column.name) or is_aggregate(column.name):
        return False
    if column.n_unique <= limit:
        return True
    if column.kind != "integer":
        return False
    return high > _HUGE or (low >= 0 and column.n_unique / (high - low + 1) >= _DENSE)


def _is_id(column: ColumnProfile) -> bool:
    named = rank_as("item", column.name) is not None or rank_as("user", column.name) is not None
    return named or rank_as("request", column.name) is not None or is_code(column.name)


def _from_text(
    column: ColumnProfile, sample: pl.DataFrame, keys: KeysConfig
) -> ProposedFeature | str:
    key = column.name in (keys.user, keys.item)
    if column.separator and not key:
        return _from_tokens(column, sample, keys)
    rows_each = column.filled / max(column.n_unique, 1)
    if not key and (column.text_length > _LONG_TEXT or rows_each < _MIN_ROWS_PER_VALUE):
        return f"free text: {column.n_unique:,} texts of {column.text_length:.0f} characters"
    known = {value for value, _ in column.top}
    missing = tuple(v for v in (*_NO_VALUES, *_NO_VALUES_TOO) if v in known)
    said = f"; {', '.join(map(repr, missing))} taken as missing" if missing else ""
    reason = f"{column.n_unique:,} texts{said}"
    return ProposedFeature(column.name, CategoricalFeature(missing=missing), reason)


def _from_tokens(column: ColumnProfile, sample: pl.DataFrame, keys: KeysConfig) -> ProposedFeature:
    separator = column.separator or ","
    tokens = sample[column.name].cast(pl.String).str.split(separator)
    if _holds_items(column.name, tokens, sample, keys):
        config = SequenceFeature(table=keys.item, separator=separator)
        return ProposedFeature(column.name, config, f"text of {keys.item} cut at {separator!r}")
    if is_history(column.name):
        config = SequenceFeature(separator=separator)
        return ProposedFeature(column.name, config, f"what went before, cut at {separator!r}")
    mean = tokens.list.len().mean()
    multi = CategoricalFeature(multi=True, separator=separator)
    reason = f"several values cut at {separator!r}, {_short(mean)} per row"
    return ProposedFeature(column.name, multi, reason)


def _from_list(
    column: ColumnProfile, sample: pl.DataFrame, keys: KeysConfig
) -> ProposedFeature | str:
    shortest, longest = column.lengths
    if longest == 0:
        return "lists that are all empty"
    if column.inner == "float":
        if shortest == longest:
            return ProposedFeature(
                column.name, VectorFeature(dim=longest), f"{longest} numbers on every row"
            )
        return f"lists of numbers of {shortest} to {longest}: neither vector nor ids"
    if column.inner not in ("integer", "text"):
        return f"of type {column.dtype}, which no feature kind reads"
    values = sample[column.name]
    if isinstance(values.dtype, pl.Array):
        values = values.arr.to_list()
    if _holds_items(column.name, values, sample, keys):
        config = SequenceFeature(table=keys.item)
        return ProposedFeature(column.name, config, f"lists of {keys.item}, up to {longest}")
    if is_history(column.name):
        return ProposedFeature(column.name, SequenceFeature(), f"lists of up to {longest} ids")
    multi = CategoricalFeature(multi=True)
    return ProposedFeature(column.name, multi, f"lists of up to {longest} values")


def _holds_items(name: str, tokens: pl.Series, sample: pl.DataFrame, keys: KeysConfig) -> bool:
    """Return whether most tokens of the lists are ids of items of the log."""
    if keys.item is None or is_plural(name):
        return False
    flat = tokens.drop_nulls().explode(empty_as_null=True, keep_nulls=True).drop_nulls()
    distinct = flat.cast(pl.String).unique()
    items = sample[keys.item].drop_nulls().cast(pl.String).unique()
    fewest = 0 if is_history(name) else _FEW_FLOATS  # small numbers can be anything
    if len(items) <= _FEW_FLOATS or len(distinct) <= fewest:
        return False
    share = distinct.is_in(items.implode()).mean()
    return isinstance(share, float) and share >= _SHARED_IDS


def _short(value: object) -> str:
    return f"{value:,.4g}" if isinstance(value, int | float) else str(value)
