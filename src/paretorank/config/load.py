"""TOML and `--set a.b=1` -> RunConfig; errors say file, key, value, rule and remedy."""

import datetime as dt
import json
import re
import tomllib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

import torch
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from paretorank.balancing import BalancedTasks, EqualConfig, RowSection, refuse_unknown_segment
from paretorank.config.run import RunConfig
from paretorank.evaluation import Monitor
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.model import (
    ModelConfig,
    refuse_unfit,
    refuse_unknown_position,
    refuse_unpaired_preference,
)
from paretorank.schema import CategoricalFeature, NumericFeature
from paretorank.tasks import (
    TaskGraph,
    refuse_dropped_losses,
    refuse_scattered_requests,
    refuse_unknown_durations,
)
from paretorank.training.passes import refuse_micro_batches

_VALUE_LENGTH = 60
_MAX_DEPTH = 20


def load_config(path: Path, overrides: Sequence[str] = ()) -> RunConfig:
    """Read and check a configuration.

    Args:
        path: a TOML file.
        overrides: settings such as "training.epochs=2"; the value is TOML, or else plain text.

    Raises:
        ConfigError: the file cannot be read, or describes no run that can be started.
    """
    return parse_config(read_toml(path), path, overrides)


def parse_config(
    content: Mapping[str, Any], path: Path, overrides: Sequence[str] = ()
) -> RunConfig:
    """Check the content of a configuration file."""
    merged = _plain_copy(content, path)
    for override in overrides:
        _apply(merged, override)
    _fill_kinds(merged)
    try:
        config = RunConfig.model_validate_json(json.dumps(merged)).at(path)
    except ValidationError as error:
        raise _explain(error.errors(include_url=False), path, merged) from None
    try:
        TaskGraph.from_tasks(config.tasks)
        _check_position(config)
        Monitor(config.training.early_stopping.monitor, config.label_specs())
        refuse_unfit(config.model, config.features, config.statistics)
        refuse_unknown_durations(config.tasks, config.features)
        refuse_unpaired_preference(config.model, config.balancer, list(config.tasks))
        _refuse_unfit_balancer(config)
        refuse_scattered_requests(config.tasks, config.training.loader.shuffle)
        if config.model.relations.replaces_losses:
            refuse_dropped_losses(config.tasks, config.model.relations.kind)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}", hint=error.hint) from None
    return config


def _refuse_unfit_balancer(config: RunConfig) -> None:
    """Build the balancer for nothing: it refuses settings that do not fit the tasks."""
    if isinstance(config.balancer, RowSection) and config.balancer.segment is not None:
        refuse_unknown_segment(config.balancer.segment, config.features)
    factors, generator = torch.ones(len(config.tasks)), torch.Generator().manual_seed(0)
    balancer = config.balancer.make(BalancedTasks(tuple(config.tasks), factors, generator))
    refuse_micro_batches(config.training.micro_batch_size, balancer)


def _check_position(config: RunConfig) -> None:
    if config.model.position is not None:
        single = [
            name
            for name, feature in config.features.items()
            if isinstance(feature, NumericFeature)
            or (isinstance(feature, CategoricalFeature) and not feature.multi)
        ]
        refuse_unknown_position(config.model.position, single)


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file without checking what it means."""
    text = ""
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(
            f"{path} does not exist.", hint="`paretorank init LOG` writes one from your data."
        ) from None
    except RecursionError:
        raise _too_deep(str(path)) from None
    except ValueError as error:  # not TOML, not UTF-8, or a number of thousands of digits
        raise ConfigError(
            f"{path} is not valid TOML: {_short_text(str(error), 2 * _VALUE_LENGTH)}"
            f"{_named_line(str(error), text)}.",
            hint="Look at the line that is named; every key and section may stand there once.",
        ) from None
    except OSError as error:  # a folder, a forbidden file, an impossible name
        raise ConfigError(
            f"{path} cannot be read: {error.strerror}.", hint="Give a TOML file."
        ) from None


def _named_line(problem: str, text: str) -> str:
    found = re.search(r"at line (\d+)", problem)
    lines = text.splitlines()
    named = int(found[1]) - 1 if found else len(lines)
    return f": {_short_text(lines[named].strip())}" if named < len(lines) else ""


def _plain_copy(content: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Return the content as JSON would give it back; refuses what no section is deep enough for."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(content, default=_plain))
        _refuse_depth(copy, str(path), _MAX_DEPTH)
    except RecursionError:
        raise _too_deep(str(path)) from None
    return copy


def _refuse_depth(content: Any, place: str, depth: int) -> None:
    if depth == 0:
        raise _too_deep(place)
    inner = content.values() if isinstance(content, dict) else content
    for value in inner if isinstance(content, dict | list) else ():
        _refuse_depth(value, place, depth - 1)


def _too_deep(place: str) -> ConfigError:
    return ConfigError(
        f"{place} nests sections or lists more than {_MAX_DEPTH} deep.",
        hint="No key needs that; look for brackets or dots that repeat.",
    )


def _plain(value: Any) -> str:
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    return str(value)


def _apply(content: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(
            f"--set {override!r} is not of the form key=value.",
            hint="For instance: --set training.epochs=2 or --set balancer.kind=uncertainty.",
        )
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except RecursionError:
        raise _too_deep(f"--set {key}") from None
    except ValueError:
        value = text.strip()
    target = content
    for part in parts[:-1]:
        inner = target.setdefault(part, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f"--set {override!r}: {part!r} is not a section.", hint="Check the key."
            )
        target = inner
    target[parts[-1]] = _plain_copy({"value": value}, Path(f"--set {key}"))["value"]


def _fill_kinds(content: dict[str, Any]) -> None:
    """Let a section that has a default and names no kind be of the default's kind."""
    model = content.get("model")
    architecture = model.get("architecture") if isinstance(model, dict) else None
    for section, kind in (
        (architecture, ModelConfig().architecture.kind),
        (content.get("balancer"), EqualConfig().kind),
    ):
        if isinstance(section, dict) and section:
            section.setdefault("kind", kind)


def _explain(errors: Sequence[ErrorDetails], path: Path, content: Mapping[str, Any]) -> ConfigError:
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    first = (unknown or errors)[0]  # a misspelt key explains why another one is missing
    place = _place(first["loc"], content, is_absent=first["type"] == "missing")
    others = f" ({len(errors) - 1} more)" if len(errors) > 1 else ""
    match first["type"]:
        case "extra_forbidden":
            allowed = _fields_at(first["loc"][:-1])
            return ConfigError(
                f"{path}: {place} is not a key{others}.",
                hint=did_you_mean(str(first["loc"][-1]), allowed),
            )
        case "missing":
            return ConfigError(
                f"{path}: {place} is missing{others}.",
                hint=f"`paretorank explain {place}` says what it means.",
            )
        case "union_tag_invalid" | "union_tag_not_found":
            return _wrong_kind(first, path, place, others)
        case _:
            value = _short(first["input"])
            rule = first["msg"][:1].lower() + first["msg"][1:]
            return ConfigError(
                f"{path}: {place} = {value}: {rule}{others}.",
                hint=f"`paretorank explain {place}` says what is allowed.",
            )


def _wrong_kind(error: ErrorDetails, path: Path, place: str, others: str) -> ConfigError:
    context = error.get("ctx", {})
    if error["type"] == "union_tag_not_found":
        allowed = " or ".join(f'kind = "{kind}"' for kind in _kinds_at(error["loc"]))
        return ConfigError(f"{path}: {place} has no `kind`{others}.", hint=f"Say which: {allowed}.")
    tag = str(context.get("tag"))
    allowed_tags = [known.strip(" '") for known in str(context["expected_tags"]).split(",")]
    return ConfigError(
        f"{path}: {place}.kind = {_short_text(tag)!r} is not known{others}.",
        hint=did_you_mean(tag, allowed_tags),
    )


def _place(location: Sequence[str | int], content: Any, *, is_absent: bool) -> str:
    """Return the key as the user wrote it: pydantic also names the members of unions.

    An absent key is the last part of the location and not in the content.
    """
    text, here = "", content
    for at, part in enumerate(location):
        last = at == len(location) - 1
        inside = isinstance(here, Mapping) and part in here
        inside = inside or (isinstance(here, list) and isinstance(part, int) and part < len(here))
        if not inside and not (last and is_absent):
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{_short_text(part)}"
        here = here[part] if inside else None
    return text.lstrip(".")


def _fields_at(location: Sequence[str | int]) -> list[str]:
    """Return the field names of the section at a place of the error."""
    models = _annotations_at(location)
    return sorted({name for m in models if _is_model(m) for name in m.model_fields})


def _kinds_at(location: Sequence[str | int]) -> list[str]:
    """Return the values of `kind` that a section at a place of the error may have."""
    members = [member for a in _annotations_at(location) for member in _members(a)]
    return [str(m.model_fields["kind"].default) for m in members if _is_model(m)]


def _annotations_at(location: Sequence[str | int]) -> list[Any]:
    annotations: list[Any] = [RunConfig]
    for part in location:
        annotations = [inner for outer in annotations for inner in _step_into(outer, part)]
    return annotations


def _step_into(annotation: Any, part: str | int) -> list[Any]:
    found: list[Any] = []
    for member in _members(annotation):
        if _is_model(member):
            kind = member.model_fields.get("kind")
            if kind is not None and part == kind.default:
                found.append(member)
            elif part in member.model_fields:
                found.append(member.model_fields[str(part)].annotation)
        elif get_origin(member) in (dict, tuple, list):
            found.append(get_args(member)[-1 if get_origin(member) is dict else 0])
    return found


def _members(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [member for inner in get_args(annotation) for member in _members(inner)]
    return [annotation]


def _is_model(candidate: Any) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)


def _short(value: Any) -> str:
    return _short_text(json.dumps(value, default=str, ensure_ascii=False))


def _short_text(text: str, length: int = _VALUE_LENGTH) -> str:
    return text if len(text) <= length else text[: length - 3] + "..."
