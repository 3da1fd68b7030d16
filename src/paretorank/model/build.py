"""Configuration + layout -> model."""

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from paretorank.blocks import OutputBank, TowerBank
from paretorank.data.layout import Layout
from paretorank.embedding import FeatureBank, Wide
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.seeds import derive_seed
from paretorank.model.position_bias import PositionBias
from paretorank.model.ranker import MultiTaskRanker
from paretorank.model.settings import ModelConfig
from paretorank.relations import Dependencies
from paretorank.tasks import BinaryTask, Heads, TaskConfig, TaskGraph


def build_model(
    config: ModelConfig, layout: Layout, tasks: Mapping[str, TaskConfig], *, seed: int
) -> MultiTaskRanker:
    """Build a model whose parameters depend on the seed only.

    Raises:
        ConfigError: there is no feature, or `position` is none.
    """
    position = None
    if config.position is not None:
        position = PositionBias(layout, config.position, n_tasks=len(tasks))
        layout = position.layout
    if not (layout.categorical or layout.ragged or layout.numeric):
        raise ConfigError(
            "The configuration declares no feature.",
            hint='Add one: [features] user_id = { kind = "categorical" }.',
        )
    bank = FeatureBank(
        layout,
        default_dim=config.embedding_dim,
        generator=_generator(seed, "embedding"),
        init_std=config.embedding_init_std,
    )
    architecture = config.architecture.build(
        in_dim=bank.out_dim, n_tasks=len(tasks), generator=_generator(seed, "architecture")
    )
    towers = TowerBank(
        architecture.out_dim,
        config.tower_dims,
        len(tasks),
        generator=_generator(seed, "towers"),
        dropout_rate=config.tower_dropout_rate,
    )
    graph = dependencies(tasks)
    relation = config.relations.build(
        graph, in_dim=towers.out_dim, generator=_generator(seed, "relations")
    )
    heads = Heads(tasks)
    output = OutputBank(relation.out_dim, heads.n_outputs, generator=_generator(seed, "outputs"))
    wide = None
    if config.wide:
        wide = Wide(layout, n_tasks=len(tasks), generator=_generator(seed, "wide"))
    return MultiTaskRanker(
        tuple(tasks),
        bank=bank,
        architecture=architecture,
        towers=towers,
        relation=relation,
        output=output,
        heads=heads,
        wide=wide,
        position=position,
    )


def start_at_base_rates(model: MultiTaskRanker, labels: Float[Tensor, "N T"]) -> None:
    """Let every task begin at the best constant prediction; NaN labels were not observed."""
    model.output.set_bias(model.heads.init_bias(model.relation.starting_labels(labels)))


def dependencies(tasks: Mapping[str, TaskConfig]) -> Dependencies:
    """Return the task graph as relations see it."""
    graph = TaskGraph.from_tasks(tasks)
    return Dependencies(
        graph.parents,
        tuple(isinstance(task, BinaryTask) for task in tasks.values()),
        tuple(task.observed_when is not None for task in tasks.values()),
    )


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(seed, "model", name))
