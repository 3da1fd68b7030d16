"""What holds for every configuration there can be, drawn from the sections' own annotations."""

import json
import tomllib
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types as at
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from paretorank.config import RunConfig, parse_config, to_toml
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.section import Section

PATH = Path("ranker.toml")
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=9)
SIMPLE = st.sampled_from(["user", "item", "a b", "größe", 'quo"te', "1", "x.y"])
WORDS = st.one_of(SIMPLE, NAMES)


def bounded(kind: type, limits: tuple[Any, ...]) -> st.SearchStrategy[Any]:
    """Return numbers within the limits of a field."""
    low = [x.gt if isinstance(x, at.Gt) else x.ge for x in limits if isinstance(x, at.Gt | at.Ge)]
    high = [x.lt if isinstance(x, at.Lt) else x.le for x in limits if isinstance(x, at.Lt | at.Le)]
    least, most = max(low, default=-1e12), min(high, default=1e12)
    if kind is int:
        some = st.integers(int(least), int(most))
    else:
        some = st.floats(float(least), float(most), allow_nan=False)
    open_ends = {x.gt for x in limits if isinstance(x, at.Gt)}
    open_ends |= {x.lt for x in limits if isinstance(x, at.Lt)}
    return some.filter(lambda value: value not in open_ends)


def anything(annotation: Any, limits: tuple[Any, ...] = ()) -> st.SearchStrategy[Any]:
    """Return values that an annotation allows, as TOML would hold them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        inner, *more = arguments
        unpacked = [m for x in more for m in (x.metadata if isinstance(x, FieldInfo) else [x])]
        return anything(inner, (*limits, *unpacked))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in (Union, types.UnionType):
        return st.one_of([anything(a, limits) for a in arguments if a is not type(None)])
    if origin is tuple:
        least = max([x.min_length for x in limits if isinstance(x, at.MinLen)], default=0)
        return st.lists(anything(arguments[0]), min_size=least, max_size=3)
    if origin is dict:
        return st.dictionaries(WORDS, anything(arguments[1]), min_size=1, max_size=2)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return section(annotation)
    if annotation in (int, float):
        return bounded(annotation, limits)
    return st.booleans() if annotation is bool else WORDS


# Keys that name other keys would almost always name what is not there.
POINTERS = {"parent", "observed_when", "monitor", "table", "weights", "tasks"}


def section(model: type[BaseModel]) -> st.SearchStrategy[dict[str, Any]]:
    """Return the content of a section: what it demands and some of what it allows."""
    required, optional = {}, {}
    for name, field in model.model_fields.items():
        if name == "kind":
            required[name] = st.just(field.default) if field.default else anything(field.annotation)
        elif field.is_required():
            required[name] = anything(field.annotation, tuple(field.metadata))
        elif name not in POINTERS:
            optional[name] = anything(field.annotation, tuple(field.metadata))
    return st.fixed_dictionaries(required, optional=optional)


def loaded(content: dict[str, Any]) -> RunConfig:
    try:
        return parse_config(content, PATH)
    except ConfigError:
        assume(False)  # rules that span keys, such as a split by a column that is not named
        raise


def sections_of(value: Any, place: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the place of every section inside a configuration."""
    if isinstance(value, Section):
        yield place
        for name in type(value).model_fields:
            yield from sections_of(getattr(value, name), (*place, name))
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from sections_of(inner, (*place, name))
    elif isinstance(value, tuple):
        for number, inner in enumerate(value):
            yield from sections_of(inner, (*place, number))


CONTENT = section(RunConfig)


@given(CONTENT)
def test_whatever_loads_comes_back_when_it_is_written(content: dict[str, Any]) -> None:
    config = loaded(content)
    text = to_toml(config)
    again = parse_config(tomllib.loads(text), PATH)
    assert again == config
    assert to_toml(again) == text


@given(content=CONTENT, key=WORDS, data=st.data())
def test_an_unknown_key_is_refused_wherever_it_stands(
    content: dict[str, Any], key: str, data: st.DataObject
) -> None:
    config = loaded(content)
    dump = json.loads(config.model_dump_json(exclude_none=True))
    places = list(sections_of(config))
    here = dump
    for part in data.draw(st.sampled_from(places)):
        here = here[part]
    assume(key not in here)
    known = {name for place in places for name in _fields(config, place)}
    assume(key not in known)
    here[key] = 1
    with pytest.raises(ConfigError, match="is not a key") as error:
        parse_config(dump, PATH)
    assert "Did you mean" in error.value.hint or "Allowed: " in error.value.hint


def _fields(config: RunConfig, place: tuple[Any, ...]) -> list[str]:
    here: Any = config
    for part in place:
        here = getattr(here, str(part)) if isinstance(here, Section) else here[part]
    return list(type(here).model_fields)
