"""How tasks depend on each other: in the towers, in the losses, in the scores."""

from typing import Annotated

from pydantic import Field

from paretorank.relations.base import (
    Dependencies,
    Related,
    Relation,
    RelationSection,
    RowLosses,
    Seen,
)
from paretorank.relations.unrelated import Unrelated, UnrelatedConfig

RelationConfig = Annotated[UnrelatedConfig, Field()]

__all__ = [
    "Dependencies",
    "Related",
    "Relation",
    "RelationConfig",
    "RelationSection",
    "RowLosses",
    "Seen",
    "Unrelated",
    "UnrelatedConfig",
]
