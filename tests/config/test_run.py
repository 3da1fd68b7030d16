"""The root of a configuration."""

from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from paretorank.config import EvaluationConfig, RunConfig
from paretorank.foundation.section import Section, describe_sections
from paretorank.schema import CategoricalFeature, DataConfig
from paretorank.tasks import BinaryTask

CONFIG = RunConfig(
    data=DataConfig(log="log.parquet"),
    features={"user": CategoricalFeature()},
    tasks={"click": BinaryTask(label="c")},
)


def test_it_knows_the_folder_that_relative_paths_begin_at() -> None:
    moved = CONFIG.at(Path("some/where/ranker.toml"))
    assert moved.folder == Path("some/where")
    assert moved.path.name == "ranker.toml"
    assert CONFIG.path == Path("paretorank.toml")


def test_a_changed_copy_stays_at_its_place() -> None:
    moved = CONFIG.at(Path("a/b.toml"))
    copy = moved.model_copy(update={"evaluation": EvaluationConfig(n_resamples=0)})
    assert copy.path == Path("a/b.toml")


def test_nothing_can_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        CONFIG.data = DataConfig(log="other")  # type: ignore[misc]


def sections(model: type[BaseModel], seen: set[type[BaseModel]]) -> set[type[BaseModel]]:
    """Return a section and all sections that stand in its fields."""
    if model in seen:
        return seen
    seen.add(model)
    for field in model.model_fields.values():
        pending: list[object] = [field.annotation]
        while pending:
            annotation = pending.pop()
            if isinstance(annotation, type) and issubclass(annotation, BaseModel):
                sections(annotation, seen)
            pending += getattr(annotation, "__args__", ())
    return seen


def test_every_key_is_described_and_every_section_is_strict() -> None:
    describe_sections()
    found = sections(RunConfig, set())
    assert len(found) > 30
    for model in found:
        assert issubclass(model, Section)
        assert model.__doc__
        undescribed = {
            name
            for name, field in model.model_fields.items()
            if name != "kind" and not field.description
        }
        assert not undescribed, f"{model.__name__}: {undescribed}"
