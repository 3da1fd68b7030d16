"""What stands in the columns of a table: a streaming pass for numbers, a sample for the rest."""

from dataclasses import dataclass
from typing import Any, Literal

import polars as pl

from paretorank.data.source import collect
from paretorank.profiling.names import is_plural

ColumnKind = Literal["integer", "float", "boolean", "text", "time", "list", "other"]
Value = int | float | str | bool

SAMPLE_ROWS = 200_000
"""Rows that the checks look at which need more than sums."""
_APPROXIMATE_FROM = 2_000_000
_N_TOP = 8
_MIN_CODE_SHARE = 0.0005
_MIN_CODE_ROWS = 5
_CODE_AWAY = 9
_CODE_VALUES = 5
_ALMOST_ALL = 0.999
_ALMOST_ALL_IF_APPROXIMATE = 0.95
_SEPARATORS = (",", "|", ";", " ")
_SHARE_WITH_SEPARATOR = 0.2
_LONGEST_TOKEN = 30
_DATE_TEXT = r"^\d{4}[-/]\d{1,2}[-/]\d{1,2}([ T]\d{1,2}:\d{2}.*)?$"
_HASH_SPAN = 1 << 64
_SMALL_CELLS = 20_000_000


@dataclass(frozen=True)
class ColumnProfile:
    """What is known about one column."""

    name: str
    kind: ColumnKind
    dtype: str
    rows: int
    nulls: int
    """Rows that are null or NaN."""
    n_unique: int
    """Distinct values that are not null; approximate on more than two million rows."""
    minimum: Any
    maximum: Any
    mean: float | None
    zeros: int
    negatives: int
    highest_negative: float | None
    """The negative value nearest to zero; None where nothing is negative."""
    is_whole: bool
    """Whether every number is an integer, whatever the type."""
    top: tuple[tuple[Value, float], ...]
    """Most frequent values and their shares of the filled rows of the sample."""
    text_length: float
    """Mean number of characters, for text."""
    separator: str | None
    """Where the text seems to be cut into several values."""
    is_date_text: bool
    inner: str | None
    """What a list holds: "integer", "float", "text"; None for other columns."""
    lengths: tuple[int, int]
    """Shortest and longest list of the sample."""

    @property
    def filled(self) -> int:
        """Return the rows that hold a value."""
        return self.rows - self.nulls

    @property
    def is_empty(self) -> bool:
        """Return whether no row holds a value."""
        return self.filled == 0

    @property
    def is_constant(self) -> bool:
        """Return whether all rows hold one and the same value."""
        return self.filled > 0 and self.nulls == 0 and self.n_unique == 1

    @property
    def is_number(self) -> bool:
        """Return whether the column holds integers or floats."""
        return self.kind in ("integer", "float")

    @property
    def is_binary(self) -> bool:
        """Return whether the column holds 0 and 1 and nothing else."""
        if self.kind == "boolean":
            return self.n_unique == 2  # noqa: PLR2004 - false and true
        return self.is_number and (self.minimum, self.maximum, self.n_unique) == (0, 1, 2)

    @property
    def is_unique(self) -> bool:
        """Return whether almost every filled row has a value of its own."""
        share = _ALMOST_ALL if self.rows <= _APPROXIMATE_FROM else _ALMOST_ALL_IF_APPROXIMATE
        return self.filled > 1 and self.n_unique >= share * self.filled

    @property
    def missing_code(self) -> int | None:
        """Return the one negative number, such as -124, that cannot be a value of the column."""
        low = self.minimum
        if not self.is_number or not self.is_whole or not isinstance(low, int | float) or low >= 0:
            return None
        alone = self.highest_negative == low
        frequent = self.negatives >= max(_MIN_CODE_ROWS, _MIN_CODE_SHARE * self.filled)
        far = low <= -_CODE_AWAY or (low == -1 and self.n_unique >= _CODE_VALUES)
        return int(low) if alone and frequent and far else None


@dataclass(frozen=True)
class TableProfile:
    """What is known about the columns of a table."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        """Return the profile of one column.

        Raises:
            KeyError: the table has no such column.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def names(self) -> list[str]:
        """Return the names of the columns in the order of the table."""
        return [column.name for column in self.columns]


def profile(frame: pl.LazyFrame, sample: pl.DataFrame | None = None) -> TableProfile:
    """Describe every column of a table.

    Args:
        frame: the whole table; it is read once or twice, never kept.
        sample: rows of it for frequent values and shapes of text; drawn here where absent.
    """
    schema = frame.collect_schema()
    rows = int(collect(frame.select(pl.len())).item())
    sample = sample_rows(frame) if sample is None else sample
    queries = [
        expression
        for name, dtype in schema.items()
        for expression in _aggregates(name, dtype, approximate=rows > _APPROXIMATE_FROM)
    ]
    totals = collect(frame.select(queries)).row(0, named=True) if queries else {}
    columns = [_column(name, dtype, rows, totals, sample) for name, dtype in schema.items()]
    return TableProfile(rows, tuple(columns))


def sample_rows(frame: pl.LazyFrame, n: int = SAMPLE_ROWS, seed: int = 0) -> pl.DataFrame:
    """Return about n rows chosen by a seeded hash of their number, or all where there are fewer."""
    rows = int(collect(frame.select(pl.len())).item())
    if rows <= n:
        return collect(frame)
    border = int(n / rows * _HASH_SPAN)
    index = "__sampled"
    chosen = frame.with_row_index(index).filter(pl.col(index).hash(seed) < border)
    return collect(chosen.drop(index))


def held_if_small(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Return a small table held in memory, its joins made once; a large one as it is."""
    rows = int(collect(frame.select(pl.len())).item())
    cells = rows * len(frame.collect_schema())
    return collect(frame).lazy() if cells <= _SMALL_CELLS else frame


def kind_of(dtype: Any) -> ColumnKind:
    """Return which of our few kinds a Polars type is."""
    if dtype.is_integer():
        return "integer"
    if dtype.is_float() or dtype.is_decimal():
        return "float"
    if dtype == pl.Boolean:
        return "boolean"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    if dtype.is_temporal():
        return "time"
    return "list" if isinstance(dtype, pl.List | pl.Array) else "other"


def _aggregates(name: str, dtype: Any, *, approximate: bool) -> list[pl.Expr]:
    kind = kind_of(dtype)
    column = pl.col(name)
    if kind == "float":
        column = column.cast(pl.Float64).fill_nan(None)
    facts = {"nulls": column.null_count()}
    if kind not in ("list", "other"):
        values = column.drop_nulls()
        exact = not approximate or kind == "boolean" or dtype in (pl.Categorical, pl.Enum)
        facts["n_unique"] = values.n_unique() if exact else values.approx_n_unique()
        facts |= {"minimum": column.min(), "maximum": column.max()}
    if kind in ("integer", "float"):
        facts |= {
            "mean": column.cast(pl.Float64).mean(),
            "zeros": (column == 0).sum(),
            "negatives": (column < 0).sum(),
            "highest_negative": column.filter(column < 0).max(),
            "is_whole": (column.round() == column).all() if kind == "float" else pl.lit(True),
        }
    if kind == "boolean":
        facts |= {"mean": column.mean(), "zeros": (~column).sum()}
    return [fact.alias(f"{name}\x1f{key}") for key, fact in facts.items()]


def _column(
    name: str, dtype: Any, rows: int, totals: dict[str, Any], sample: pl.DataFrame
) -> ColumnProfile:
    kind = kind_of(dtype)
    values = sample[name].drop_nulls()
    values = values.cast(pl.Float64) if dtype.is_decimal() else values

    def fact(key: str, otherwise: Any = 0) -> Any:
        found = totals.get(f"{name}\x1f{key}")
        return otherwise if found is None else found

    texts = values.cast(pl.String) if kind == "text" else None
    lengths = values.list.len() if isinstance(dtype, pl.List) else pl.Series([0])
    if isinstance(dtype, pl.Array):
        lengths = pl.Series([dtype.shape[0]])
    highest = totals.get(f"{name}\x1fhighest_negative")
    mean = totals.get(f"{name}\x1fmean")
    return ColumnProfile(
        name=name,
        kind=kind,
        dtype=str(dtype),
        rows=rows,
        nulls=int(fact("nulls")),
        n_unique=min(int(fact("n_unique")), rows - int(fact("nulls"))),
        minimum=totals.get(f"{name}\x1fminimum"),
        maximum=totals.get(f"{name}\x1fmaximum"),
        mean=None if mean is None else float(mean),
        zeros=int(fact("zeros")),
        negatives=int(fact("negatives")),
        highest_negative=None if highest is None else float(highest),
        is_whole=bool(fact("is_whole", otherwise=False)),
        top=_top(values) if kind in ("integer", "float", "boolean", "text") else (),
        text_length=_mean_length(texts),
        separator=None if texts is None else _separator(texts, is_plural(name)),
        is_date_text=texts is not None and _share(texts.str.contains(_DATE_TEXT)) > _ALMOST_ALL,
        inner=kind_of(dtype.inner) if isinstance(dtype, pl.List | pl.Array) else None,
        lengths=(_as_int(lengths.min()), _as_int(lengths.max())),
    )


def _top(values: pl.Series) -> tuple[tuple[Value, float], ...]:
    if values.is_empty():
        return ()
    counted = values.cast(pl.String) if values.dtype in (pl.Categorical, pl.Enum) else values
    table = pl.DataFrame({"value": counted}).group_by("value").len()
    rows = table.sort(["len", "value"], descending=[True, False]).head(_N_TOP).rows()
    return tuple((value, count / len(values)) for value, count in rows)


def _separator(texts: pl.Series, several: bool) -> str | None:
    """Return the character that cuts texts into short tokens which come again, if there is one."""
    if texts.is_empty() or _share(texts.str.contains(r"[()\[\]{}\"]")) > 0:
        return None
    for separator in _SEPARATORS:
        held = texts.filter(texts.str.contains(separator, literal=True))
        if len(held) < _SHARE_WITH_SEPARATOR * len(texts):
            continue
        tokens = held.str.split(separator)
        flat = tokens.explode(empty_as_null=True, keep_nulls=True).drop_nulls()
        numbers = _share(flat.str.contains(r"^-?\d+$")) > _ALMOST_ALL
        short = _as_int(flat.str.len_chars().max()) <= _LONGEST_TOKEN
        plain = _share(flat.str.contains(r"^\s|\s$|^$|:")) == 0
        varied = several or tokens.list.len().n_unique() > 1 or len(held) < len(texts)
        again = flat.n_unique() < 0.5 * len(flat)
        if numbers or (short and plain and varied and again and separator != " "):
            return separator
    return None


def _mean_length(texts: pl.Series | None) -> float:
    mean = None if texts is None else texts.str.len_chars().mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


def _share(hits: pl.Series) -> float:
    mean = hits.mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


def _as_int(value: object) -> int:
    return int(value) if isinstance(value, int | float) else 0
