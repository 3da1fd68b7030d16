"""Splits that are empty, too poor to measure, or let the model see the future."""

import polars as pl

from paretorank.audit.finding import SPLIT_COLUMN, Audited, Finding
from paretorank.data.labels import label_expressions
from paretorank.data.source import collect
from paretorank.data.splits import SPLITS, Split

_MIN_POSITIVES = 50
_UNSEEN = 0.0


def check_split(audited: Audited) -> list[Finding]:
    """Report what is wrong with the division into train, valid and test."""
    counts = _counts(audited)
    findings = [_sizes(counts)]
    findings += _empty(audited, counts)
    findings += _poor(audited, counts)
    findings += _time_travel(audited)
    findings += _unseen(audited)
    return findings


def _counts(audited: Audited) -> dict[int, dict[str, int]]:
    """Return rows, observed labels and positives per split."""
    queries: list[pl.Expr] = [pl.len().alias("rows")]
    for label, expression in zip(audited.labels, label_expressions(audited.labels), strict=True):
        queries.append(expression.count().alias(f"{label.name}.observed"))
        queries.append((expression > 0).sum().alias(f"{label.name}.positive"))
    found = collect(audited.frame.group_by(SPLIT_COLUMN).agg(queries))
    by_split = {int(row[SPLIT_COLUMN]): row for row in found.rows(named=True)}
    nothing = dict.fromkeys(found.columns, 0)
    return {code: by_split.get(code, nothing) for code in range(len(SPLITS))}


def _sizes(counts: dict[int, dict[str, int]]) -> Finding:
    sizes = {str(name): int(counts[code]["rows"]) for code, name in enumerate(SPLITS)}
    total = max(sum(sizes.values()), 1)
    shown = ", ".join(f"{name} {n:,} ({n / total:.1%})" for name, n in sizes.items())
    return Finding("note", "split sizes", "data.split", shown, "Nothing to do.", {**sizes})


def _empty(audited: Audited, counts: dict[int, dict[str, int]]) -> list[Finding]:
    split = audited.data.split
    wanted = {"train", "test", "valid"}
    if split.by != "column":
        wanted -= {"valid"} if not split.valid_fraction else set()
        wanted -= {"test"} if not split.test_fraction else set()
    elif not split.valid:
        wanted -= {"valid"}
    return [
        Finding(
            severity="serious",
            check="empty split",
            place="data.split",
            problem=f"no row falls into {name}",
            remedy="Change data.split: other values, other fractions or another way to split.",
        )
        for code, name in enumerate(SPLITS)
        if name in wanted and not counts[code]["rows"]
    ]


def _poor(audited: Audited, counts: dict[int, dict[str, int]]) -> list[Finding]:
    """Report tasks with too few positives, or with one class only, in a split that has rows."""
    findings = []
    for label in audited.labels:
        for code, name in enumerate(SPLITS):
            observed = int(counts[code][f"{label.name}.observed"])
            positive = int(counts[code][f"{label.name}.positive"])
            if not counts[code]["rows"]:
                continue
            problem = ""
            if not observed:
                problem = f"no label of {label.name} is observed in {name}"
            elif label.kind == "binary" and positive in (0, observed):
                problem = f"all {observed:,} labels of {label.name} in {name} are alike"
            elif label.kind == "binary" and min(positive, observed - positive) < _MIN_POSITIVES:
                few = min(positive, observed - positive)
                which = "positives" if few == positive else "negatives"
                problem = f"{label.name} has only {few:,} {which} in {name}"
            if problem:
                findings.append(
                    Finding(
                        "warning",
                        "poor split",
                        f"tasks.{label.name}",
                        problem,
                        "Its metrics there are noise: take more rows, or do not select by it.",
                        {"observed": observed, "positive": positive},
                    )
                )
    return findings


def _time_travel(audited: Audited) -> list[Finding]:
    time, split = audited.data.keys.time, audited.data.split
    if time is None or time not in audited.table.names() or split.by == "time":
        return []
    column = pl.col(time)
    test_start = column.filter(pl.col(SPLIT_COLUMN) == int(Split.TEST)).min()
    train = pl.col(SPLIT_COLUMN) == int(Split.TRAIN)
    query = audited.frame.select(
        (train & (column > test_start)).sum().alias("later"), train.sum().alias("rows")
    )
    later, rows = collect(query).row(0)
    if not later:
        return []
    return [
        Finding(
            severity="warning",
            check="time travel",
            place="data.split.by",
            problem=f"{later:,} training rows ({later / max(rows, 1):.1%}) are later than the "
            f"first test row: a split by {split.by} leaks the future",
            remedy='Set by = "time" under [data.split].',
            numbers={"rows": int(later), "share": round(later / max(rows, 1), 4)},
        )
    ]


def _unseen(audited: Audited) -> list[Finding]:
    """Say how many test rows are of users and items that train does not have."""
    findings = []
    for role in ("user", "item"):
        key: str | None = getattr(audited.data.keys, role)
        if key is None or key not in audited.table.names():
            continue
        by_entity = audited.frame.group_by(key).agg(
            (pl.col(SPLIT_COLUMN) == int(Split.TRAIN)).sum().alias("train"),
            (pl.col(SPLIT_COLUMN) == int(Split.TEST)).sum().alias("test"),
        )
        new = pl.col("train") == 0
        rows, unseen, entities, total = collect(
            by_entity.select(
                pl.col("test").sum().alias("rows"),
                pl.col("test").filter(new).sum().alias("unseen"),
                (new & (pl.col("test") > 0)).sum().alias("entities"),
                (pl.col("test") > 0).sum().alias("total"),
            )
        ).row(0)
        if not rows or unseen / rows <= _UNSEEN:
            continue
        findings.append(
            Finding(
                severity="note",
                check="unseen entities",
                place=f"data.keys.{role}",
                problem=f"{unseen / rows:.1%} of test rows are of {entities:,} values of {key} "
                f"(of {total:,}) that train does not have",
                remedy="Nothing to do; features that describe them help such rows.",
                numbers={"rows": int(unseen), "share": round(unseen / rows, 4)},
            )
        )
    return findings
