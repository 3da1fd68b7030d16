"""From a log nobody has described yet to a configuration that can be trained as it stands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from paretorank.audit.finding import describing_key
from paretorank.audit.leakage import find_leaks, purity
from paretorank.audit.tables import added_up_columns
from paretorank.data.source import collect
from paretorank.foundation.errors import DataError
from paretorank.profiling.profile import TableProfile, held_if_small, kind_of, profile, sample_rows
from paretorank.proposal.features import ProposedFeature, find_feature, history_of
from paretorank.proposal.keys import Keys, find_keys
from paretorank.proposal.presets import conditional_on_click, find_preset
from paretorank.proposal.statistics import author_columns, find_statistics
from paretorank.proposal.tasks import ProposedTask, ProposedTasks, find_tasks
from paretorank.proposal.toml import (
    NO_TASK,
    data_lines,
    head_lines,
    left_out_lines,
    rare_lines,
    section_lines,
    task_lines,
)
from paretorank.schema import (
    FeatureConfig,
    HistoryFeature,
    JoinConfig,
    KeysConfig,
    LabelSpec,
    SequenceFeature,
    SplitConfig,
    StatisticConfig,
)

_BORDERS = (0.8, 0.9)
"""Where validation and test begin by default."""
_FEWEST_MOMENTS = 3


@dataclass(frozen=True)
class Proposal:
    """A proposed configuration and what led to it."""

    toml: str
    keys: KeysConfig
    split: SplitConfig
    features: dict[str, FeatureConfig]
    statistics: dict[str, StatisticConfig]
    labels: tuple[LabelSpec, ...]
    left_out: dict[str, str]
    """Column -> why it is no feature."""
    reasons: dict[str, str]
    """Feature or label column -> why it is one."""


def propose(
    frame: pl.LazyFrame,
    log: str,
    joins: Sequence[JoinConfig] = (),
    sides: Mapping[str, pl.LazyFrame] | None = None,
    *,
    preset: str | None = None,
) -> Proposal:
    """Propose a configuration for a log.

    Args:
        frame: the log with its side tables joined.
        log: how the configuration shall name the log.
        joins: the side tables, as the configuration shall name them.
        sides: the columns that each side table adds, under its name in `joins`.
        preset: name of a ready-made choice of relations, architecture and balancer.

    Raises:
        ConfigError: there is no such preset, or the log does not suit it.
        DataError: the log cannot be read or has no row.
    """
    frame, sample = _held(frame, log)
    table = profile(frame, sample)
    keys = find_keys(table)
    own, added_up = _origins(table, joins, sides or {})
    tasks = find_tasks(frame, table, sample, keys.config, own)
    tasks, model_lines = _as_preset(preset, tasks)
    features, left_out = _features(table, sample, keys.config, tasks, added_up)
    _leave_leaks_out(features, left_out, sample, keys.config, tasks.tasks)
    configs = {f.name: f.config for f in features.values()}
    split, split_reason = _split(sample, keys.config)
    counted = _counted_keys(keys.config, split)
    statistics = find_statistics(table, sample, counted, configs, tasks.tasks)
    lines = [
        *head_lines(log, table.rows, len(table.columns)),
        *data_lines(
            log,
            joins,
            keys=keys.config,
            key_reasons=keys.reasons,
            split=split,
            split_reason=split_reason,
            duplicates=_duplicates(frame, own, keys),
        ),
        *section_lines("features", {f.name: (f.config, f.reason) for f in features.values()}),
        *section_lines("statistics", statistics),
        *_task_lines(tasks),
        *model_lines,
        *left_out_lines(left_out),
    ]
    return Proposal(
        toml="\n".join(lines).rstrip() + "\n",
        keys=keys.config,
        split=split,
        features=configs,
        statistics={name: config for name, (config, _) in statistics.items()},
        labels=tuple(_label(task) for task in tasks.tasks),
        left_out=left_out,
        reasons=_reasons(features, tasks.tasks),
    )


def _held(frame: pl.LazyFrame, log: str) -> tuple[pl.LazyFrame, pl.DataFrame]:
    """Return the log, in memory if it is small, and a sample of its rows."""
    frame = held_if_small(frame)
    sample = sample_rows(frame)
    if sample.is_empty():
        raise DataError(
            f"{log} has no row, so nothing can be proposed.",
            hint="Give a log with some thousand impressions.",
        )
    return frame, sample


def _as_preset(name: str | None, tasks: ProposedTasks) -> tuple[ProposedTasks, Sequence[str]]:
    """Return the tasks as a preset wants them, and the lines of model and balancer."""
    if name is None:
        return tasks, _balancer_lines(tasks.tasks)
    preset = find_preset(name)
    if preset.is_conditional:
        tasks = replace(tasks, tasks=conditional_on_click(tasks.tasks))
    return tasks, preset.lines


def _task_lines(tasks: ProposedTasks) -> list[str]:
    lines = [line for task in tasks.tasks for line in task_lines(task)] or [NO_TASK]
    return [*lines, *rare_lines(tasks.rare)]


def _reasons(
    features: Mapping[str, ProposedFeature], tasks: Sequence[ProposedTask]
) -> dict[str, str]:
    reasons = {feature.name: feature.reason for feature in features.values()}
    return reasons | {task.column: task.reason for task in tasks}


def _counted_keys(keys: KeysConfig, split: SplitConfig) -> KeysConfig:
    """Return the keys worth counting: under a split by user, no later row is of a known one."""
    return keys.model_copy(update={"user": None}) if split.by == "user" else keys


def _origins(
    table: TableProfile,
    joins: Sequence[JoinConfig],
    sides: Mapping[str, pl.LazyFrame],
) -> tuple[list[str], set[str]]:
    """Return the columns of the log itself, and those of whole-period statistics."""
    joined: set[str] = set()
    added_up: set[str] = set()
    for join in joins:
        side = sides.get(join.table, pl.LazyFrame())
        schema = side.collect_schema()
        keys = [join.on] if isinstance(join.on, str) else list(join.on)
        joined |= set(schema) - set(keys)
        if added_up_columns(side, keys):
            figures = ("integer", "float")
            added_up |= {n for n, t in schema.items() if kind_of(t) in figures and n not in keys}
    return [name for name in table.names() if name not in joined], added_up


def _features(
    table: TableProfile,
    sample: pl.DataFrame,
    keys: KeysConfig,
    tasks: ProposedTasks,
    added_up: set[str],
) -> tuple[dict[str, ProposedFeature], dict[str, str]]:
    labels = {task.column for task in tasks.tasks}
    features: dict[str, ProposedFeature] = {}
    left_out = dict(tasks.outcomes)
    for column in table.columns:
        name = column.name
        if name in labels or name in left_out:
            continue
        if name in added_up:
            left_out[name] = "feedback added up over a period without a date: it may know the test"
            continue
        found = find_feature(column, sample, keys)
        if isinstance(found, str):
            left_out[name] = found
        else:
            features[name] = found
    first = [name for name in (keys.user, keys.item) if name in features]
    ordered = {name: features[name] for name in (*first, *features)}
    return ordered | _histories(ordered, table, sample, keys), left_out


def _histories(
    features: Mapping[str, ProposedFeature],
    table: TableProfile,
    sample: pl.DataFrame,
    keys: KeysConfig,
) -> dict[str, ProposedFeature]:
    """Return counts of the behaviour lists that hold items."""
    lists = [f for f in features.values() if isinstance(f.config, SequenceFeature)]
    lists = [f for f in lists if isinstance(f.config, SequenceFeature) and f.config.table]
    if not lists:
        return {}
    longest = max(lists, key=lambda feature: _size(sample[feature.name]))
    authors = author_columns(table, keys, {f.name: f.config for f in features.values()})
    match = tuple(a for a in authors if describing_key(sample, a, (keys.item,)))
    made = [history_of(feature, longest, match, keys) for feature in lists]
    return {f.name: f for f in made if f is not None and f.name not in features}


def _size(lists: pl.Series) -> float:
    sizes = lists.str.len_chars() if lists.dtype == pl.String else lists.list.len()
    mean = sizes.mean()
    return float(mean) if isinstance(mean, int | float) else 0.0


def _leave_leaks_out(
    features: dict[str, ProposedFeature],
    left_out: dict[str, str],
    sample: pl.DataFrame,
    keys: KeysConfig,
    tasks: Sequence[ProposedTask],
) -> None:
    """Move features that have plainly seen a label to the columns left out."""
    labels = [_label(task) for task in tasks]
    configs = {f.name: f.config for f in features.values() if f.name not in (keys.user, keys.item)}
    for leak in find_leaks(sample, configs, labels, keys.item):
        if leak.serious and leak.feature in features and len(features) > 1:
            features.pop(leak.feature)
            if leak.feature == leak.column:
                left_out[leak.column] = (
                    f"alone predicts {leak.task} with {leak.measure} {leak.value:.3f}: "
                    "it must have been known only afterwards"
                )
    for name in [name for name in configs if name in features and name in sample.columns]:
        if isinstance(configs[name], HistoryFeature):
            continue
        for label in labels:
            pure = purity(sample[name], sample[label.column]) if label.kind == "binary" else None
            if pure and name in features and len(features) > 1:
                features.pop(name)
                left_out[name] = f"not zero only where {label.name} happened: known only afterwards"


def _split(sample: pl.DataFrame, keys: KeysConfig) -> tuple[SplitConfig, str]:
    if keys.time:
        times = sample[keys.time].drop_nulls().sort()
        moments = times.unique().sort()
        valid_from, test_from = (times[int(len(times) * share)] for share in _BORDERS)
        if moments[0] < valid_from < test_from:
            return SplitConfig(by="time"), "the last rows are the test, as in use"
        if len(moments) >= _FEWEST_MOMENTS and times.dtype.is_integer():
            chosen = SplitConfig(
                by="column", column=keys.time, valid=(moments[-2],), test=(moments[-1],)
            )
            return chosen, f"only {len(moments)} moments: the last is the test"
    if keys.user:
        return SplitConfig(by="user"), "no usable time: whole users"
    return SplitConfig(by="random"), "neither time nor user: single rows"


def _duplicates(frame: pl.LazyFrame, own: Sequence[str], keys: Keys) -> str:
    """Return why rows should be dropped, or ""; without keys, equal rows may be meant."""
    if None in (keys.config.user, keys.config.item, keys.config.time):
        return ""
    hashed = pl.struct(own).hash(0)
    rows, distinct = collect(frame.select(pl.len(), hashed.n_unique().alias("kinds"))).row(0)
    return f"{rows - distinct:,} rows repeat an earlier one" if rows > distinct else ""


def _balancer_lines(tasks: Sequence[ProposedTask]) -> list[str]:
    if len({task.kind for task in tasks}) < 2:  # noqa: PLR2004 - losses of one kind are comparable
        return []
    return ["[balancer]", 'kind = "uncertainty"  # losses of several kinds and units', ""]


def _label(task: ProposedTask) -> LabelSpec:
    return LabelSpec(
        name=task.name,
        column=task.column,
        kind=task.kind,
        parent=task.parent,
        observed_when=task.observed_when,
        scale=task.scale,
        clip=task.clip,
    )
