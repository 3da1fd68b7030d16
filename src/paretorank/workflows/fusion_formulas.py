"""The formulas of a search: the free one, today's, and every task alone."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from paretorank.config import RunConfig
from paretorank.data.ingest import prepare_frame
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.fusion import Formula, WeightRange, parse_formula
from paretorank.fusion.preset import PresetName, preset_formula
from paretorank.fusion.printer import quoted
from paretorank.workflows.fusion_contest import BASELINE
from paretorank.workflows.fusion_request import FuseRequest, Wishes, parse_ranges
from paretorank.workflows.ingest import ingest_request


@dataclass(frozen=True)
class Formulas:
    """What competes."""

    tasks: tuple[str, ...]
    own: Formula | None
    """The formula that was written down; None takes the preset."""
    preset: PresetName
    ranges: Mapping[str, WeightRange]
    baseline: Formula
    alone: Mapping[str, Formula]
    """The chance of each task on any impression: scores times those of what comes before."""

    @property
    def log_columns(self) -> dict[str, str]:
        """Return the columns of the log that are read, and who asks for each."""
        asked = {"--baseline": self.baseline}
        if self.own is not None:
            asked["--formula"] = self.own
        return {
            column: place
            for place, formula in asked.items()
            for column in formula.columns
            if column not in self.tasks
        }

    def fixed(self) -> dict[str, Formula]:
        """Return what is measured without a search, today's first."""
        return {BASELINE: self.baseline, **{f"{name} alone": f for name, f in self.alone.items()}}

    def searched(self, wishes: Wishes, means: Mapping[str, float]) -> Formula:
        """Return the formula whose weights are searched.

        The first task of a preset is the one whose weight is fixed. It is the one to maximise, as
        that certainly counts; a sum behind a click keeps the order of the configuration.

        Raises:
            ConfigError: a range has no weight.
        """
        if self.own is not None:
            return self.own
        tasks = [metric.task for metric in wishes.maximise if metric.task in self.tasks]
        order = list(dict.fromkeys([*tasks, *self.tasks]))
        gated = self.preset == "click_gated_sum"
        formula = preset_formula(self.preset, self.tasks if gated else order, means)
        ranges = {**formula.ranges, **self.ranges}
        return parse_formula(str(formula), columns=order, ranges=ranges, place="--range")


def formulas_of(request: FuseRequest, config: RunConfig, log_columns: Sequence[str]) -> Formulas:
    """Return the formulas of a request.

    Args:
        request: what was asked for.
        config: of the run.
        log_columns: what a formula may read beside the tasks.

    Raises:
        ConfigError: a formula cannot be read, or today's has free weights.
    """
    tasks = tuple(config.tasks)
    known = [*tasks, *log_columns]
    ranges = parse_ranges(request.ranges)
    own = None
    if request.formula is not None:
        own = parse_formula(request.formula, columns=known, ranges=ranges, place="--formula")
    alone = {name: alone_formula(name, config) for name in tasks}
    baseline = _baseline(request, known, tasks) or alone[tasks[0]]
    return Formulas(tasks, own, request.preset, ranges, baseline, alone)


def log_columns(
    config: RunConfig, rows: pl.LazyFrame | None = None, *, split_from: int = 0
) -> list[str]:
    """Return the columns of the log and its tables, without those that tell the outcome."""
    frame = prepare_frame(
        ingest_request(config, rows, split_from=split_from), with_split=rows is None
    )
    labels = {label.column for label in config.label_specs()}
    names = frame.collect_schema().names()
    return [name for name in names if name not in labels and not name.startswith("__")]


def _baseline(request: FuseRequest, known: Iterable[str], tasks: Sequence[str]) -> Formula | None:
    if request.baseline_column is not None:
        column = request.baseline_column
        if request.baseline is not None:
            raise ConfigError(
                "--baseline and --baseline-column must not be given together.",
                hint="A formula may read columns of the log, too.",
            )
        if column in tasks or column not in known:
            raise ConfigError(
                f"--baseline-column {column}: there is no such column that is neither a task nor "
                "a label.",
                hint=did_you_mean(column, set(known) - set(tasks)),
            )
        return parse_formula(quoted(column), columns=known, place="--baseline-column")
    if request.baseline is None:
        return None
    formula = parse_formula(request.baseline, columns=known, place="--baseline")
    if formula.weights:
        raise ConfigError(
            f"--baseline {request.baseline}: today's formula must not have free weights, got "
            f"${formula.weights[0]}.",
            hint="Write the number that is used today.",
        )
    return formula


def alone_formula(task: str, config: RunConfig) -> Formula:
    """Return the product of the scores that lead to a task, as its own comes only after those."""
    specs = {spec.name: spec for spec in config.label_specs()}
    names, waiting = [task], [task]
    while waiting:
        spec = specs[waiting.pop()]
        if spec.observed_when is not None:
            above = [name for name in spec.parents if name in specs and name not in names]
            names += above
            waiting += above
    return parse_formula(" * ".join(quoted(name) for name in reversed(names)))
