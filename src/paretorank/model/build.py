"""Configuration + layout -> model."""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from paretorank.architectures import Architecture, PEPNetConfig
from paretorank.blocks import OutputBank, TowerBank
from paretorank.data.layout import Layout
from paretorank.embedding import FeatureBank, Wide
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.seeds import derive_seed
from paretorank.model.position_bias import PositionBias
from paretorank.model.preference import Preference, preference_vector
from paretorank.model.ranker import MultiTaskRanker
from paretorank.model.settings import ModelConfig
from paretorank.relations import Dependencies
from paretorank.tasks import BinaryTask, Heads, TaskConfig, TaskGraph


def build_model(
    config: ModelConfig, layout: Layout, tasks: Mapping[str, TaskConfig], *, seed: int
) -> MultiTaskRanker:
    """Build a model whose parameters depend on the seed only.

    Raises:
        ConfigError: there is no feature, or the model asks for what the features do not allow.
    """
    heads = Heads(tasks, [column.name for column in layout.numeric])
    position = _position(config, layout, len(tasks))
    layout = layout if position is None else position.layout
    _refuse_no_feature(layout)
    bank = FeatureBank(
        layout,
        default_dim=config.embedding_dim,
        generator=_generator(seed, "embedding"),
        init_std=config.embedding_init_std,
        n_own=len(tasks) if config.architecture.needs.own_tables else 0,
        prior=config.architecture.needs.prior,
    )
    interaction = config.interaction.build(
        in_dim=bank.out_dim, fields=bank.fields(), generator=_generator(seed, "interaction")
    )
    architecture = _build_architecture(
        config,
        in_dim=bank.out_dim if interaction is None else interaction.out_dim,
        n_tasks=len(tasks),
        prior_dims=bank.prior_dims,
        generator=_generator(seed, "architecture"),
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
    output = OutputBank(relation.out_dim, heads.n_outputs, generator=_generator(seed, "outputs"))
    widths = (architecture.out_dim, relation.out_dim)
    return MultiTaskRanker(
        tuple(tasks),
        bank=bank,
        architecture=architecture,
        towers=towers,
        relation=relation,
        output=output,
        heads=heads,
        wide=Wide(layout, n_tasks=len(tasks)) if config.wide else None,
        interaction=interaction,
        position=position,
        preference=_preference(config, tuple(tasks), widths, heads.n_outputs, seed),
    )


def _refuse_no_feature(layout: Layout) -> None:
    has_numbers = any(not column.for_losses for column in layout.numeric)
    if not (layout.categorical or layout.ragged or has_numbers):
        raise ConfigError(
            "The configuration declares no feature.",
            hint='Add one: [features] user_id = { kind = "categorical" }.',
        )


def start_at_base_rates(
    model: MultiTaskRanker,
    labels: Float[Tensor, "N T"],
    numeric: Float[Tensor, "N M"] | None = None,
) -> None:
    """Let every task begin at the best constant prediction; NaN labels were not observed.

    The numeric columns of the rows are only needed if a loss reads one of them.
    """
    starting = model.relation.starting_labels(labels)
    model.output.set_bias(model.heads.init_bias(starting, numeric=numeric))


def dependencies(tasks: Mapping[str, TaskConfig]) -> Dependencies:
    """Return the task graph as relations see it."""
    graph = TaskGraph.from_tasks(tasks)
    return Dependencies(
        graph.parents,
        tuple(isinstance(task, BinaryTask) for task in tasks.values()),
        tuple(task.observed_when is not None for task in tasks.values()),
    )


def _position(config: ModelConfig, layout: Layout, n_tasks: int) -> PositionBias | None:
    if config.position is None:
        return None
    return PositionBias(layout, config.position, n_tasks=n_tasks)


def _preference(
    config: ModelConfig,
    task_names: tuple[str, ...],
    widths: tuple[int, int],
    n_outputs: Sequence[int],
    seed: int,
) -> Preference | None:
    if config.preference is None:
        return None
    return config.preference.build(
        preference_vector(config.preference.default, task_names, key="model.preference.default"),
        width=widths[0],
        hidden_width=widths[1],
        n_outputs=n_outputs,
        generator=_generator(seed, "preference"),
    )


def _build_architecture(
    config: ModelConfig,
    *,
    in_dim: int,
    n_tasks: int,
    prior_dims: Sequence[int],
    generator: torch.Generator,
) -> Architecture:
    if config.preference is not None:
        in_dim += config.preference.added_inputs_per_task * n_tasks
    match config.architecture:
        case PEPNetConfig() as pepnet:
            return pepnet.build(
                in_dim=in_dim, n_tasks=n_tasks, prior_dims=prior_dims, generator=generator
            )
        case other:
            return other.build(in_dim=in_dim, n_tasks=n_tasks, generator=generator)


def _generator(seed: int, name: str) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed(seed, "model", name))
