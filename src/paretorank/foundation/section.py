"""The base of every configuration part."""

import ast
import inspect
import itertools
import textwrap
from collections.abc import Iterator
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A frozen part of the configuration that refuses unknown keys and wrong types.

    The string under a field says what it means. Reading it from the source takes time, so a field
    has its `description` only after `describe_sections`.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        validate_default=True,
        allow_inf_nan=False,
    )
    group: ClassVar[str] = ""
    """Under which heading it is listed among many kinds; empty where there is only one."""


def describe_sections() -> None:
    """Give every field of every section that is imported its description, for whoever explains."""
    waiting = [section for section in _below(Section) if not _is_described(section)]
    for section in waiting:
        for name, text in _strings_under_fields(section).items():
            section.model_fields[name].description = text
    done: set[type[Section]] = set()
    for section in waiting:
        for part in _inside_out(section, done):
            part.model_rebuild(force=True)


def _is_described(section: type[Section]) -> bool:
    fields = section.model_fields
    return all(field.description for name, field in fields.items() if name != "kind")


def _below(section: type[Section]) -> Iterator[type[Section]]:
    for child in section.__subclasses__():
        yield child
        yield from _below(child)


def _inside_out(section: type[Section], done: set[type[Section]]) -> Iterator[type[Section]]:
    """Yield the sections that fields hold, then the section itself; each once."""
    if section in done:
        return
    done.add(section)
    for field in section.model_fields.values():
        for part in _sections_in(field.annotation):
            yield from _inside_out(part, done)
    yield section


def _sections_in(annotation: Any) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for inner in get_args(annotation):
        yield from _sections_in(inner)


def _strings_under_fields(section: type[Section]) -> dict[str, str]:
    """Return field -> the string under it, inherited fields too."""
    found: dict[str, str] = {}
    for base in reversed(section.__mro__):
        if not issubclass(base, Section) or base is Section:
            continue
        (written,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        body = written.body if isinstance(written, ast.ClassDef) else []
        for field, below in itertools.pairwise(body):
            match field, below:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(text))),
                ) if name in section.model_fields:
                    found[name] = inspect.cleandoc(text)
    return found
