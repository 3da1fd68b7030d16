"""A log that is asked about other rankings: places, candidates, and where people look.

Shapes: N rows, G requests, K places.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from jaxtyping import Bool, Float, Int

from paretorank.config import RunConfig
from paretorank.data.hashing import stable_hash
from paretorank.data.ingest import prepare_frame
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.source import collect, require_columns
from paretorank.data.splits import SPLIT_COLUMN, Split
from paretorank.evaluation import ScoredRows, views_of
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.off_policy import (
    LoggedChoices,
    Refusal,
    estimate_examination,
    positions_by_score,
)
from paretorank.workflows.ingest import ingest_request


@dataclass(frozen=True)
class LoggedLists:
    """Whole lists, in the order in which they were shown."""

    request: Int[np.ndarray, " N"]
    place: Int[np.ndarray, " N"]
    """1 is the top."""
    reward: Float[np.ndarray, " N"]
    user: Int[np.ndarray, " N"]

    def reordered(self, score: Float[np.ndarray, " N"]) -> Int[np.ndarray, " N"]:
        """Return the places if the same places of each list were filled by falling score."""
        by_score = np.lexsort((positions_by_score(score, self.request), self.request))
        by_place = np.lexsort((self.place, self.request))
        result = np.empty_like(self.place)
        result[by_score] = self.place[by_place]
        return result

    def total(self, n_places: int | None) -> Float[np.ndarray, " G"]:
        """Return what the first places of each list brought."""
        counted = self.reward if n_places is None else self.reward * (self.place <= n_places)
        return np.bincount(np.unique(self.request, return_inverse=True)[1], weights=counted)


def numbers_of(column: pl.Series, option: str) -> Float[np.ndarray, " N"]:
    """Return a column of numbers or truth values; NaN where there is none.

    Raises:
        DataError: the column holds something else.
    """
    if not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise DataError(
            f"{option} {column.name}: the column must hold numbers, got {column.dtype}.",
            hint="Name another column, or write numbers into this one.",
        )
    return column.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def places_of(column: pl.Series, first: int) -> Int[np.ndarray, " N"]:
    """Return places that count from 1.

    Args:
        column: places as the log has them.
        first: what the log calls the top, 0 or 1.

    Raises:
        DataError: a place is missing, or is no whole number from `first` on.
    """
    values = numbers_of(column, "--position")
    wrong = ~((values >= first) & (values == np.floor(values)))
    if wrong.any():
        raise DataError(
            f"--position {column.name}: a place must be a whole number of {first} or more, got "
            f"{column[int(np.flatnonzero(wrong)[0])]} ({int(wrong.sum()):,} rows).",
            hint="Name the column that says at which place of its list a row was shown.",
        )
    return values.astype(np.int64) - first + 1


def first_place(frame: pl.LazyFrame, column: str) -> int:
    """Return what the log calls the top: 0 if that occurs, else 1.

    Raises:
        DataError: there is no such column, or it holds no numbers.
    """
    require_columns(frame, {column: "--position"})
    numbers_of(collect(frame.select(column).head(0))[column], "--position")
    return 0 if collect(frame.select((pl.col(column) == 0).any()))[0, 0] else 1


def known_requests(
    request: Int[np.ndarray, " N"], is_known: Bool[np.ndarray, " N"]
) -> Bool[np.ndarray, " N"]:
    """Return the rows of the requests all of whose rows are known."""
    _, place = np.unique(request, return_inverse=True)
    unknown = np.bincount(place, weights=~is_known)
    return unknown[place] == 0.0


def choices_of(
    request: Int[np.ndarray, " N"],
    user: Int[np.ndarray, " N"],
    reward: Float[np.ndarray, " N"],
    propensity: Float[np.ndarray, " N"],
    is_shown: Bool[np.ndarray, " N"],
) -> tuple[LoggedChoices, Bool[np.ndarray, " N"]]:
    """Return requests of which one candidate was shown and has a reward, and which rows those are.

    Raises:
        DataError: several candidates of a request were shown, or a propensity is no chance.
    """
    _, place = np.unique(request, return_inverse=True)
    n_shown = np.bincount(place, weights=is_shown)
    many = int((n_shown > 1).sum())
    if many:
        raise DataError(
            f"--propensity: {many:,} of {len(n_shown):,} requests have several shown rows, up to "
            f"{int(n_shown.max())}.",
            hint="Name the column that marks the one that was shown: --shown COLUMN; for lists "
            "that were shown whole, --position COLUMN.",
        )
    rewarded = np.bincount(place, weights=is_shown & np.isfinite(reward))
    kept = rewarded[place] == 1.0
    try:
        log = LoggedChoices(
            request[kept], is_shown[kept], reward[kept], propensity[kept], user[kept]
        )
    except ValueError as error:
        raise DataError(
            f"--propensity: {error}",
            hint="The chance with which each candidate would have been shown; empty where that is "
            "unknown for one that was not.",
        ) from None
    return log, kept


def fit_examination(
    config: RunConfig,
    position: str,
    first: int,
    task: str,
    *,
    rows: pl.LazyFrame | None = None,
    split_from: int = 0,
) -> Float[np.ndarray, " K"] | Refusal:
    """Return how often each place is looked at, by the training rows or, if given, new rows.

    Args:
        config: of the run.
        position: column of the places.
        first: what the log calls the top.
        task: whose labels show who looked.
        rows: new rows.
        split_from: that of the run's prepared data.

    Raises:
        ConfigError: items are not known, or the task's labels are not 0 and 1.
        DataError: a place is missing.
    """
    item, hint = config.data.keys.item, "Give the chances: --examination 1,0.7,0.5."
    if item is None:
        raise ConfigError(
            "data.keys.item must be set to find out which places are looked at.", hint=hint
        )
    if task not in config.tasks or config.tasks[task].kind != "binary":
        raise ConfigError(
            f"Which places are looked at can be seen by labels of 0 and 1 only, not by {task}.",
            hint="Name such a task: --examination-from click; or give --examination 1,0.7,0.5.",
        )
    frame = prepare_frame(
        ingest_request(config, rows, split_from=split_from), with_split=rows is None
    )
    if rows is None:
        frame = frame.filter(pl.col(SPLIT_COLUMN) == int(Split.TRAIN))
    labels = config.label_specs()
    names = [LABEL_PREFIX + label.name for label in labels]
    read = collect(frame.select(list(dict.fromkeys([item, position, *names]))))
    truth = read.select(names).fill_null(float("nan")).to_numpy().astype(np.float64)
    view = [v for v in views_of(ScoredRows(tuple(labels), truth, truth)) if v.task == task][-1]
    known = np.isfinite(view.label)
    codes = stable_hash(read[item]).view(np.int64)
    places = places_of(read[position], first)
    return estimate_examination(codes[known], places[known], view.label[known].astype(np.float64))
