"""How tasks depend on each other: in the towers, in the losses, in the scores."""

from typing import Annotated

from pydantic import Field

from paretorank.relations.aitm import AITM, AITMConfig
from paretorank.relations.base import (
    Dependencies,
    Generation,
    Penalties,
    Related,
    Relation,
    RelationSection,
    RowLosses,
    Seen,
)
from paretorank.relations.dbmtl import DBMTL, DBMTLConfig
from paretorank.relations.entire_space import EntireSpace
from paretorank.relations.escm2 import ESCM2, ESCM2Config
from paretorank.relations.esmm import ESMM, ESMMConfig
from paretorank.relations.joint_events import JointEvents
from paretorank.relations.parent_logit import ParentLogit, ParentLogitConfig
from paretorank.relations.unrelated import Unrelated, UnrelatedConfig

RelationConfig = Annotated[
    UnrelatedConfig | ESMMConfig | ESCM2Config | AITMConfig | DBMTLConfig | ParentLogitConfig,
    Field(discriminator="kind"),
]

__all__ = [
    "AITM",
    "DBMTL",
    "ESCM2",
    "ESMM",
    "AITMConfig",
    "DBMTLConfig",
    "Dependencies",
    "ESCM2Config",
    "ESMMConfig",
    "EntireSpace",
    "Generation",
    "JointEvents",
    "ParentLogit",
    "ParentLogitConfig",
    "Penalties",
    "Related",
    "Relation",
    "RelationConfig",
    "RelationSection",
    "RowLosses",
    "Seen",
    "Unrelated",
    "UnrelatedConfig",
]
