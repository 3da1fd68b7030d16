"""What a configuration key means and allows, read from the sections themselves."""

import inspect
import json
import re
import sys
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from paretorank.config.run import RunConfig
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.section import describe_sections
from paretorank.foundation.suggestions import did_you_mean

_WORDS = {int: "integer", float: "number", str: "text", bool: "true or false", dict: "table"}
_LINES = re.DOTALL | re.MULTILINE
_BOUNDS = {Gt: (">", "gt"), Ge: (">=", "ge"), Lt: ("<", "lt"), Le: ("<=", "le")}


@dataclass(frozen=True)
class Entry:
    """One key inside a section, or one choice of `kind`."""

    name: str
    type: str
    default: str
    meaning: str
    source: str = ""
    """Where a kind comes from; empty where nothing is cited."""
    group: str = ""
    """The heading of a kind, where there are several."""


@dataclass(frozen=True)
class Explanation:
    """What one key means; a key of several kinds of section has one explanation for each."""

    key: str
    section: str
    """The section or kind it belongs to, and what that is; empty for the root."""
    type: str
    default: str
    """As TOML; "required" where there is none, empty for a section chosen by kind."""
    meaning: str
    source: str
    """Where the algorithm comes from; empty where nothing is cited."""
    choices: tuple[Entry, ...]
    """The kinds to choose from."""
    keys: tuple[Entry, ...]
    """The keys inside."""


def explain_key(key: str = "") -> list[Explanation]:
    """Return what a dotted key means; the root with its sections for an empty key.

    Names of features, tasks and statistics may stand in the key or be left out, and a kind may
    stand for the section it chooses: `features.numeric.encoding`, `tasks.click.label`. A `kind`
    that chooses among several is explained as what it chooses: `balancer.kind` as `balancer`.

    Raises:
        ConfigError: there is no such key.
    """
    describe_sections()
    places = [_Place(annotation=RunConfig)]
    walked: list[str] = []
    parts = _parts(key)
    for part in parts:
        inner = [found for place in places for found in _step(place, part)]
        if not inner:
            allowed = {name for place in places for name in _names_at(place)}
            where = ".".join(walked) or "the configuration"
            raise ConfigError(f"{part!r} is no key of {where}.", hint=did_you_mean(part, allowed))
        if part == "kind" and part is parts[-1] and len(inner) > 1:
            break
        walked.append(part)
        places = inner
    return _merged([_explain(key, place) for place in places])


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of a whole configuration."""
    describe_sections()
    schema: dict[str, Any] = RunConfig.model_json_schema()
    return schema


@dataclass(frozen=True)
class _Place:
    annotation: Any
    field: FieldInfo | None = None
    owner: type[BaseModel] | None = None


def _merged(answers: Sequence[Explanation]) -> list[Explanation]:
    """Return one explanation for all sections in which a key means the same."""
    groups: dict[Explanation, list[Explanation]] = {}
    for answer in answers:
        groups.setdefault(replace(answer, section="", source=""), []).append(answer)
    return [
        members[0]
        if len(members) == 1
        else replace(
            answer,
            section=_listed([member.section for member in members]),
            source=_shared([member.source for member in members]),
        )
        for answer, members in groups.items()
    ]


def _listed(sections: Sequence[str]) -> str:
    return ", ".join(section.partition(":")[0] for section in sections)


def _shared(sources: Sequence[str]) -> str:
    """Return the source of all sections, or nothing: each kind cites its own."""
    return sources[0] if len(set(sources)) == 1 else ""


def _parts(key: str) -> list[str]:
    return [part for part in re.sub(r"\[\d*\]", "", key).split(".") if part]


def _step(place: _Place, part: str) -> list[_Place]:
    found: list[_Place] = []
    for member in _members(place.annotation):
        origin = get_origin(member)
        if _is_section(member):
            field = member.model_fields.get(part)
            if field is not None:
                found.append(_Place(field.annotation, field, member))
            elif _kind(member) == part:
                found.append(_Place(member, None, member))
        elif origin is dict:
            value = _Place(get_args(member)[1])
            # A name that the user chose stands between a table and the keys of its values.
            found += _step(value, part) or ([value] if _has_sections(value.annotation) else [])
        elif origin in (tuple, list):
            found += _step(_Place(get_args(member)[0]), part)
    return found


def _names_at(place: _Place) -> list[str]:
    names: list[str] = []
    for member in _members(place.annotation):
        if _is_section(member):
            names += member.model_fields
            names += [kind] if (kind := _kind(member)) else []
        elif get_origin(member) in (dict, tuple, list):
            inner = get_args(member)[1 if get_origin(member) is dict else 0]
            names += _names_at(_Place(inner))
    return names


def _explain(key: str, place: _Place) -> Explanation:
    sections = _sections(place.annotation)
    kinds = [section for section in sections if _kind(section)]
    single = sections[0] if len(sections) == 1 else None
    described = single if place.field is None else None
    meaning = (
        _first_line(described) if described else _flat(place.field and place.field.description)
    )
    return Explanation(
        key=key,
        section=_owner(place) if place.owner is not described else "",
        type=_type(place.annotation, place.field),
        default=_default(place.field) if place.field is not None else "",
        meaning=meaning,
        source=_source(single or (place.owner if not sections else None)),
        choices=tuple(
            Entry(
                str(_kind(section)),
                "kind",
                "",
                _about(section, kinds),
                _source(section),
                getattr(section, "group", ""),
            )
            for section in kinds
        )
        if len(kinds) > 1
        else (),
        keys=tuple(_entries(single)) if single else (),
    )


def _entries(section: type[BaseModel]) -> list[Entry]:
    return [
        Entry(name, _type(field.annotation, field), _default(field), _flat(field.description))
        for name, field in section.model_fields.items()
    ]


def _owner(place: _Place) -> str:
    if place.owner is None or place.owner is RunConfig:
        return ""
    kind = _kind(place.owner)
    name = f'kind = "{kind}"' if kind else place.owner.__name__.removesuffix("Config")
    return f"{name}: {_first_line(place.owner)}"


def _type(annotation: Any, field: FieldInfo | None = None) -> str:
    """Return a type in words, with what its values must be."""
    if get_origin(annotation) is Annotated:
        base, *metadata = get_args(annotation)
        return _type(base) + _bounds(metadata)
    bounds = _bounds(field.metadata) if field is not None else ""
    origin = get_origin(annotation)
    if origin is Literal:
        return " | ".join(json.dumps(value) for value in get_args(annotation)) + bounds
    if origin in (Union, types.UnionType):
        sections = [m for m in _members(annotation) if _is_section(m)]
        if len(sections) > 1:
            return "section, chosen by `kind`"
        words = [_type(member) for member in get_args(annotation)]
        return " or ".join("absent" if word == "NoneType" else word for word in words) + bounds
    if origin in (dict, Mapping):
        return f"table of NAME = {_type(get_args(annotation)[1])}"
    if origin in (tuple, list):
        return f"list of {_type(get_args(annotation)[0])}{bounds}"
    if _is_section(annotation):
        return "section"
    return _WORDS.get(annotation, getattr(annotation, "__name__", str(annotation))) + bounds


def _bounds(metadata: Sequence[Any]) -> str:
    found = []
    for item in metadata:
        for kind, (sign, attribute) in _BOUNDS.items():
            if isinstance(item, kind):
                found.append(f" {sign} {getattr(item, attribute)}")
    return ",".join(found)


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True, validated_data={})
    if value is None:
        return "absent"
    if isinstance(value, BaseModel):
        kind = getattr(value, "kind", None)
        return f'kind = "{kind}"' if kind else "see its keys"
    return json.dumps(value)


def _source(section: type[BaseModel] | None) -> str:
    """Return the citation of a section, or else of the module that it belongs to."""
    if section is None:
        return ""
    own = re.search(r"^Source: (.+?)(?:\n\n|\Z)", inspect.cleandoc(section.__doc__ or ""), _LINES)
    if own:
        return _flat(own[1])
    text = sys.modules[section.__module__].__doc__ or ""
    cited = re.search(r"^Source: (.+?)(?:\n\n|\n\S|\Z)", text, flags=_LINES)
    return _flat(cited[1]) if cited else ""


def _sections(annotation: Any) -> list[type[BaseModel]]:
    """Return the sections that a value can be, tables and lists looked through."""
    found = []
    for member in _members(annotation):
        if _is_section(member):
            found.append(member)
        elif get_origin(member) in (dict, tuple, list):
            found += _sections(get_args(member)[1 if get_origin(member) is dict else 0])
    return found


def _has_sections(annotation: Any) -> bool:
    return bool(_sections(annotation))


def _members(annotation: Any) -> list[Any]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _members(get_args(annotation)[0])
    if origin in (Union, types.UnionType):
        return [member for inner in get_args(annotation) for member in _members(inner)]
    return [annotation]


def _kind(section: type[BaseModel]) -> str | None:
    field = section.model_fields.get("kind")
    return field.default if field is not None and isinstance(field.default, str) else None


def _is_section(candidate: Any) -> bool:
    return inspect.isclass(candidate) and issubclass(candidate, BaseModel)


def _about(section: type[BaseModel], kinds: Sequence[type[BaseModel]]) -> str:
    """Return what a kind is: the first line of its file if it has one of its own."""
    alone = sum(other.__module__ == section.__module__ for other in kinds) == 1
    text = (sys.modules[section.__module__].__doc__ or "") if alone else ""
    return _flat(text.strip().split("\n\n")[0]) or _first_line(section)


def _first_line(section: type[BaseModel]) -> str:
    return _flat((section.__doc__ or "").strip().split("\n\n")[0])


def _flat(text: str | None) -> str:
    return " ".join((text or "").split())
