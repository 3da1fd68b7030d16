"""The hyper-parameters that mixtures of experts have in common."""

from typing import Annotated, Any

import torch
from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from paretorank.architectures.base import ArchitectureSection
from paretorank.architectures.gates_config import GatesConfig
from paretorank.blocks import Activation, ExpertBank, ExtractionLevel


class ExpertShapeConfig(ArchitectureSection):
    """What every expert looks like."""

    expert_dims: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (256, 128)
    """Widths of the layers of each expert; the last one is what the towers read."""
    activation: Activation = "relu"
    """Applied after each layer of an expert."""
    dropout_rate: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.0
    """Share of the units of each layer that are dropped while training."""

    def expert_settings(self) -> dict[str, Any]:
        """Return the settings that experts are built with, beside their number and input."""
        return {
            "hidden_dims": self.expert_dims,
            "activation": self.activation,
            "dropout_rate": self.dropout_rate,
        }


class ExpertsConfig(ExpertShapeConfig):
    """Experts that all tasks share."""

    n_experts: PositiveInt = 8
    """Number of experts; 4 to 8 are usual."""

    def build_experts(self, *, in_dim: int, generator: torch.Generator) -> ExpertBank:
        """Return the experts with initial values drawn from `generator`."""
        return ExpertBank(
            in_dim, n_experts=self.n_experts, generator=generator, **self.expert_settings()
        )


class ExtractionConfig(ExpertShapeConfig):
    """Experts of each task's own beside shared ones."""

    n_task_experts: NonNegativeInt = 2
    """Experts that each task has of its own, at each level."""
    n_shared_experts: NonNegativeInt = 2
    """Experts that all tasks share, at each level; without any, tasks are fully separate."""
    gates: GatesConfig = GatesConfig()
    """How gates weigh experts, and what keeps them from collapsing."""

    @model_validator(mode="after")
    def _has_experts(self) -> "ExtractionConfig":
        if self.n_task_experts + self.n_shared_experts == 0:
            raise ValueError("n_task_experts and n_shared_experts must not both be 0")
        return self

    def build_level(
        self, *, in_dim: int, n_tasks: int, has_shared_gate: bool, generator: torch.Generator
    ) -> ExtractionLevel:
        """Return one level with initial values drawn from `generator`."""
        return ExtractionLevel(
            in_dim,
            n_tasks=n_tasks,
            n_task_experts=self.n_task_experts,
            n_shared_experts=self.n_shared_experts,
            has_shared_gate=has_shared_gate,
            softmax=self.gates.build_softmax(),
            generator=generator,
            **self.expert_settings(),
        )
