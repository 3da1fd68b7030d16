"""How many rows each split has, and whether a model can be trained on their labels."""

from collections.abc import Mapping, Sequence

import polars as pl

from paretorank.data.labels import (
    LABEL_PREFIX,
    refuse_one_value,
    refuse_violations,
    violation_expressions,
)
from paretorank.data.source import collect
from paretorank.data.splits import SPLIT_COLUMN, SPLITS, Split
from paretorank.foundation.errors import DataError
from paretorank.schema import LabelSpec, SplitName


def count_rows(
    labels: Sequence[LabelSpec], frame: pl.LazyFrame, *, alone: bool = True
) -> dict[SplitName, int]:
    """Count the rows of every split, and refuse labels outside their kind.

    Args:
        labels: the labels.
        frame: rows with their split and labels.
        alone: refuse as well what a model cannot be trained on, were these all the rows.
    """
    violations = [
        expression.alias(f"violation:{label.name}")
        for label, expression in zip(labels, violation_expressions(labels), strict=True)
    ]
    observed = [pl.col(LABEL_PREFIX + label.name).count() for label in labels]
    averages = [
        pl.col(LABEL_PREFIX + label.name).mean().alias(f"mean:{label.name}") for label in labels
    ]
    totals = collect(
        frame.group_by(SPLIT_COLUMN).agg(pl.len().alias("rows"), *violations, *observed, *averages)
    )
    found = dict(zip(totals[SPLIT_COLUMN].to_list(), totals["rows"].to_list(), strict=True))
    counts: dict[SplitName, int] = {s: found.get(code, 0) for code, s in enumerate(SPLITS)}
    sums = {
        label.name: int(totals[f"violation:{label.name}"].fill_null(0).sum()) for label in labels
    }
    refuse_violations(labels, sums)
    if alone:
        _refuse_unlearnable(labels, counts, totals)
    return counts


def _refuse_unlearnable(
    labels: Sequence[LabelSpec], counts: Mapping[SplitName, int], totals: pl.DataFrame
) -> None:
    if not counts["train"]:
        raise DataError(
            "No row is left for training.",
            hint="Is the log empty, or does data.split send every row elsewhere?",
        )
    train = totals.filter(pl.col(SPLIT_COLUMN) == int(Split.TRAIN))
    means = {
        label.name: train[f"mean:{label.name}"].item()
        for label in labels
        if train[LABEL_PREFIX + label.name].item()
    }
    for label in labels:
        if not train[LABEL_PREFIX + label.name].sum():
            raise DataError(
                f"tasks.{label.name}: the column {label.column!r} holds no observed label on the "
                "training rows.",
                hint="Check the column, observed_when and the split; or remove the task.",
            )
    refuse_one_value(labels, means)
