"""How an evaluation looks in a terminal."""

from typing import TYPE_CHECKING, Any, Final

from paretorank.cli.console import echo_table, note, number

if TYPE_CHECKING:
    from paretorank.evaluation import EvaluationResult

_IN_UNITS: Final = frozenset({"mae", "rmse"})


def echo_metrics(title: str, result: "EvaluationResult") -> None:
    """Print one line per task, sample space and segment; metrics as value ± half interval.

    Below the task stand the rows that count. Tasks with the same metrics stand in one table.
    """
    rows = list(result.table.fill_nan(None).iter_rows(named=True))
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for row in rows:
        place = (str(row["task"]), str(row["space"]), str(row["segment"]))
        line = lines.setdefault(place, {"rows": f"{row['n_rows']:,}"})
        line[str(row["metric"])] = _cell(row["value"], row["low"], row["high"])
    tables: dict[tuple[str, ...], dict[tuple[str, str, str], dict[str, str]]] = {}
    for place, line in lines.items():
        tables.setdefault(tuple(line), {})[place] = line
    segmented = len({segment for _, _, segment in lines}) > 1
    for number_of_table, (columns, part) in enumerate(tables.items()):
        header = ["task", *(["segment"] if segmented else [])]
        header += [
            column.replace("normalized_entropy", "NE").replace("_", " ") for column in columns
        ]
        cells = [
            [f"{task}\n{space}", *([segment] if segmented else []), *line.values()]
            for (task, space, segment), line in part.items()
        ]
        echo_table("" if number_of_table else title, header, cells, whole=1 + segmented)
    for text in _legend(rows):
        note(text)
    for text in dict.fromkeys(
        f"{row['task']}.{row['metric']}: {row['note']}"
        for row in rows
        if row["note"] and row["segment"] == "all"
    ):
        note(text)


def _legend(rows: "list[dict[str, Any]]") -> list[str]:
    """Return what the table does not say of itself."""
    said = []
    if any(row["low"] is not None for row in rows):
        said.append("±: half of the bootstrap interval (evaluation.confidence)")
    if any(row["metric"] in _IN_UNITS and row["value"] is not None for row in rows):
        said.append("mae and rmse: in the unit of the label times its `scale`")
    return said


def _cell(value: float | None, low: float | None, high: float | None) -> str:
    digits = 2 if value is not None and abs(value) >= 10 else 4  # noqa: PLR2004 - seconds
    if low is None or high is None:
        return number(value, digits)
    return f"{number(value, digits)}\n±{number((high - low) / 2, digits)}"
