"""A proposal as TOML, with the reason for every line as a comment on it."""

import json
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paretorank.proposal.tasks import ProposedTask
from paretorank.schema import FeatureConfig, JoinConfig, SplitConfig, StatisticConfig
from paretorank.schema.dataset import KeysConfig

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
_WIDTH = 100

NO_TASK = """[tasks]
# No column looks like feedback. Say what shall be predicted, for instance:
# [tasks.click]
# kind = "binary"        # or regression, duration, count
# label = "COLUMN"       # 0 or 1
"""


def head_lines(log: str, rows: int, columns: int) -> list[str]:
    """Return what a reader should know first."""
    name = Path(log).name or log
    return [
        comment(f"Proposed by `paretorank init` from {name}: {rows:,} rows, {columns} columns."),
        comment("Look through it, [tasks] above all. Then: paretorank audit, paretorank train."),
        "",
    ]


def data_lines(
    log: str,
    joins: Sequence[JoinConfig],
    *,
    keys: KeysConfig,
    key_reasons: Mapping[str, str],
    split: SplitConfig,
    split_reason: str,
    duplicates: str,
) -> list[str]:
    """Return the section [data] with its keys and its split."""
    lines = ["[data]", f"log = {value(log)}"]
    if joins:
        tables = [join.model_dump(mode="json", exclude_defaults=True) for join in joins]
        lines.append(f"joins = {value(tables)}")
    if duplicates:
        lines.append(_line("drop_duplicates", True, duplicates))
    lines += ["", "[data.keys]"]
    for role, column in keys.model_dump(exclude_none=True).items():
        lines.append(_line(role, column, key_reasons.get(role, "")))
    lines += ["", "[data.split]"]
    chosen = split.model_dump(mode="json", exclude_defaults=True)
    lines.append(_line("by", split.by, split_reason))
    if split.by != "column":
        chosen |= {"valid_fraction": split.valid_fraction, "test_fraction": split.test_fraction}
    lines += [_line(name, item, "") for name, item in chosen.items() if name != "by"]
    return [*lines, ""]


def section_lines(
    name: str, content: Mapping[str, tuple[FeatureConfig | StatisticConfig, str]]
) -> list[str]:
    """Return [features] or [statistics], one line each."""
    if not content:
        return [f"[{name}]", ""]
    keys = {key: _key(key) for key in content}
    width = max(len(key) for key in keys.values())
    lines = [f"[{name}]"]
    for key, (config, reason) in content.items():
        plain = config.model_dump(mode="json", exclude_defaults=True)
        kind = getattr(config, "kind", None)
        shown = {"kind": kind, **plain} if kind else plain
        lines.append(f"{keys[key]:<{width}} = {value(shown)}{_after(reason)}")
    return [*lines, ""]


def task_lines(task: ProposedTask) -> list[str]:
    """Return one section [tasks.NAME]."""
    lines = [f"[tasks.{_key(task.name)}]", _line("kind", task.kind, "")]
    lines.append(_line("label", task.column, task.reason))
    remarks = list(task.remarks)
    if task.parent:
        lines.append(_line("parent", task.parent, remarks.pop(0) if remarks else ""))
        if task.observed_when is None:
            lines.append(
                f"# observed_when = {value(task.parent)}  # or: learn from those rows only"
            )
    if task.observed_when:
        lines.append(_line("observed_when", task.observed_when, remarks.pop(0) if remarks else ""))
    if task.scale != 1:
        lines.append(_line("scale", task.scale, "milliseconds to seconds"))
    if task.clip is not None:
        lines.append(_line("clip", task.clip, "99.9 % of rows lie below"))
    lines += [comment(remark) for remark in remarks]
    return [*lines, ""]


def rare_lines(tasks: Sequence[ProposedTask]) -> list[str]:
    """Return tasks that are too rare to be measured, ready to be uncommented."""
    lines = []
    for task in tasks:
        lines += [f"# {line}".rstrip() for line in task_lines(task)[:-1]] + [""]
    return lines


def left_out_lines(left_out: Mapping[str, str]) -> list[str]:
    """Return the columns that are no features, and why."""
    if not left_out:
        return []
    by_reason: dict[str, list[str]] = {}
    for name, why in left_out.items():
        by_reason.setdefault(_CONTROL.sub(" ", why), []).append(_CONTROL.sub(" ", name))
    lines = ["# Columns left out:"]
    for why, names in by_reason.items():
        text = f"{', '.join(names)}: {why}"
        lines += textwrap.wrap(
            text, _WIDTH, initial_indent="#   ", subsequent_indent="#     ", break_long_words=False
        )
    return lines


def comment(text: str) -> str:
    """Return a comment on one line, whatever stands in the text."""
    return "# " + _CONTROL.sub(" ", text)


def value(item: Any) -> str:
    """Return a value as TOML on one line."""
    if isinstance(item, dict):
        inner = ", ".join(f"{_key(key)} = {value(inside)}" for key, inside in item.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(item, list | tuple):
        return f"[{', '.join(map(value, item))}]"
    return json.dumps(item, ensure_ascii=False).replace("\x7f", "\\u007f")


def _line(key: str, item: Any, reason: str) -> str:
    return f"{_key(key)} = {value(item)}{_after(reason)}"


def _after(reason: str) -> str:
    return f"  {comment(reason)}" if reason else ""


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else value(key)
