"""How an evaluation looks in a terminal."""

from typing import TYPE_CHECKING

from paretorank.cli.console import echo_table, note, number

if TYPE_CHECKING:
    from paretorank.evaluation import EvaluationResult


def echo_metrics(title: str, result: "EvaluationResult") -> None:
    """Print one line per task, sample space and segment; metrics as value ± half interval."""
    rows = list(result.table.fill_nan(None).iter_rows(named=True))
    metrics = list(dict.fromkeys(str(row["metric"]) for row in rows))
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        place = (str(row["task"]), str(row["space"]), str(row["segment"]))
        line = lines.setdefault(place, {"rows": f"{row['n_rows']:,}"})
        line[str(row["metric"])] = _cell(row["value"], row["low"], row["high"])
    segmented = len({segment for _, _, segment in lines}) > 1
    header = ["task", "rows that count", *(["segment"] if segmented else []), "rows"]
    header += [metric.replace("_", "\n") for metric in metrics]
    echo_table(
        title,
        header,
        [
            [
                task,
                space,
                *([segment] if segmented else []),
                line["rows"],
                *(line.get(metric, "") for metric in metrics),
            ]
            for (task, space, segment), line in lines.items()
        ],
    )
    for text in dict.fromkeys(
        f"{row['task']}.{row['metric']}: {row['note']}"
        for row in rows
        if row["note"] and row["segment"] == "all"
    ):
        note(text)


def _cell(value: float | None, low: float | None, high: float | None) -> str:
    digits = 2 if value is not None and abs(value) >= 10 else 4  # noqa: PLR2004 - seconds
    if low is None or high is None:
        return number(value, digits)
    return f"{number(value, digits)} ±{number((high - low) / 2, digits)}"
