"""How well one column alone says what a label is.

The area under the ROC curve is the Mann-Whitney statistic with ties counted half (Hanley and
McNeil, Radiology 1982). Categories and bins of numbers are scored by the mean label of other folds,
so that a category seen once predicts nothing. Everything is counted in cells of fold and code, so
that a further label costs one pass over the rows and no sorting of them.

Shapes: N rows, C cells.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Float, Int64
from scipy.stats import rankdata

from paretorank.profiling.profile import kind_of

N_FOLDS = 5
_N_BINS = 64
_PRIOR_ROWS = 5.0


@dataclass(frozen=True)
class Signal:
    """What a column says about a row: its code, and its rank where the column has an order."""

    cells: Int64[np.ndarray, " N"]
    """Fold times number of codes plus code."""
    n_codes: int
    ranks: Float[np.ndarray, " N"] | None
    """Ranks of a number; missing values stand in the middle. None where nothing is ordered."""


def signal(
    column: pl.Series, generator: np.random.Generator, *, as_category: bool = False
) -> Signal:
    """Prepare a column; with `as_category` numbers are names and keep a code each."""
    column = _plain(column)
    ordered = column.dtype.is_numeric() and not as_category
    codes = _bins(column) if ordered else _categories(column)
    n_codes = int(codes.max()) + 1 if len(codes) else 1
    folds = generator.integers(0, N_FOLDS, len(codes))
    ranks = _ranks(column) if ordered else None
    return Signal(folds * n_codes + codes, n_codes, ranks)


def signal_auc(found: Signal, label: Float[np.ndarray, " N"], rows: np.ndarray) -> float:
    """Return the best AUC on the chosen rows that the column alone reaches, by codes or by order.

    NaN where the labels of the chosen rows are all alike.
    """
    cells, label = found.cells[rows], label[rows]
    size = N_FOLDS * found.n_codes
    counts_C = np.bincount(cells, minlength=size).astype(np.float64)
    sums_C = np.bincount(cells, weights=label, minlength=size)
    best = _auc_of_cells(_cell_scores(sums_C, counts_C), sums_C, counts_C - sums_C)
    if found.ranks is None:
        return best
    ordered = auc(found.ranks[rows], label)
    return max(best, ordered, 1 - ordered)


def signal_correlation(found: Signal, label: Float[np.ndarray, " N"], rows: np.ndarray) -> float:
    """Return the best absolute rank correlation on the chosen rows with a label that is a number.

    NaN where the label does not vary.
    """
    cells, label = found.cells[rows], label[rows]
    size = N_FOLDS * found.n_codes
    counts_C = np.bincount(cells, minlength=size).astype(np.float64)
    scores_C = _cell_scores(np.bincount(cells, weights=label, minlength=size), counts_C)
    options = [rank_correlation(scores_C[cells], label)]
    if found.ranks is not None:
        options.append(rank_correlation(found.ranks[rows], label))
    known = [abs(option) for option in options if np.isfinite(option)]
    return max(known) if known else float("nan")


def auc(score: Float[np.ndarray, " N"], label: Float[np.ndarray, " N"]) -> float:
    """Return the area under the ROC curve; NaN where the labels are all alike."""
    _, cells = np.unique(score, return_inverse=True)
    counts = np.bincount(cells).astype(np.float64)
    positives = np.bincount(cells, weights=(label > 0).astype(np.float64))
    return _auc_of_cells(np.arange(len(counts), dtype=np.float64), positives, counts - positives)


def rank_correlation(x: Float[np.ndarray, " N"], y: Float[np.ndarray, " N"]) -> float:
    """Return Spearman's correlation; NaN where one of the two does not vary."""
    if len(x) < 3 or x.min() == x.max() or y.min() == y.max():  # noqa: PLR2004 - two points always agree
        return float("nan")
    return float(np.corrcoef(rankdata(x), rankdata(y))[0, 1])


def numbers(column: pl.Series) -> Float[np.ndarray, " N"]:
    """Return a column as floats, NaN where it holds no number."""
    cast = column.cast(pl.Float64, strict=False).fill_null(float("nan"))
    return np.asarray(cast.to_numpy(), dtype=np.float64)


def _cell_scores(
    sums_C: Float[np.ndarray, " C"], counts_C: Float[np.ndarray, " C"]
) -> Float[np.ndarray, " C"]:
    """Return each cell's smoothed mean label in the other folds."""
    sums, counts = sums_C.reshape(N_FOLDS, -1), counts_C.reshape(N_FOLDS, -1)
    other_sums, other_counts = sums.sum(axis=0) - sums, counts.sum(axis=0) - counts
    mean = other_sums.sum(axis=1) / np.maximum(other_counts.sum(axis=1), 1.0)
    smoothed = (other_sums + _PRIOR_ROWS * mean[:, None]) / (other_counts + _PRIOR_ROWS)
    # The mean of the other folds falls where a fold holds more positives: centring removes this.
    centred: np.ndarray = (smoothed - mean[:, None]).reshape(-1)
    return np.round(centred, 12)


def _auc_of_cells(
    scores: Float[np.ndarray, " C"],
    positives: Float[np.ndarray, " C"],
    negatives: Float[np.ndarray, " C"],
) -> float:
    if not positives.sum() or not negatives.sum():
        return float("nan")
    _, groups = np.unique(scores, return_inverse=True)
    up = np.bincount(groups, weights=positives)
    down = np.bincount(groups, weights=negatives)
    below = np.cumsum(down) - down
    return float((up * (below + 0.5 * down)).sum() / (up.sum() * down.sum()))


def _plain(column: pl.Series) -> pl.Series:
    """Return a column without lists, times and truth values: as a length or as a number."""
    match kind_of(column.dtype):
        case "list" if isinstance(column.dtype, pl.Array):
            return column.is_not_null().cast(pl.Int8)
        case "list":
            return column.list.len().fill_null(0)
        case "time":
            return column.to_physical()
        case "boolean":
            return column.cast(pl.Int8)
        case "float":
            return column.cast(pl.Float64).fill_nan(None)
        case "other":
            return column.is_not_null().cast(pl.Int8)
        case _:
            return column


def _bins(column: pl.Series) -> Int64[np.ndarray, " N"]:
    """Return the quantile bin of every number, 0 where it is missing."""
    values = numbers(column)
    filled = np.isfinite(values)
    if not filled.any():
        return np.zeros(len(values), dtype=np.int64)
    distinct = np.unique(values[filled])
    if len(distinct) <= _N_BINS:
        edges = distinct[:-1]
    else:
        edges = np.unique(np.quantile(values[filled], np.linspace(0, 1, _N_BINS + 1)[1:-1]))
    return np.where(filled, 1 + np.searchsorted(edges, values, side="left"), 0).astype(np.int64)


def _categories(column: pl.Series) -> Int64[np.ndarray, " N"]:
    values = column.to_frame("value").with_row_index("at")
    known = values.select("value").drop_nulls().unique(maintain_order=True)
    coded = values.join(known.with_row_index("code", offset=1), on="value", how="left")
    return coded.sort("at")["code"].fill_null(0).cast(pl.Int64).to_numpy()


def _ranks(column: pl.Series) -> Float[np.ndarray, " N"]:
    values = numbers(column)
    filled = np.isfinite(values)
    # Not the mean of the two in the middle, which may overflow.
    middle = float(np.quantile(values[filled], 0.5, method="lower")) if filled.any() else 0.0
    return rankdata(np.where(filled, values, middle), method="dense").astype(np.float64)
