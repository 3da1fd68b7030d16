"""Whether a model can be built on the features of a configuration, asked before any work."""

from collections.abc import Collection, Mapping, Sequence

from paretorank.architectures import PEPNetConfig
from paretorank.balancing import BalancerConfig, PreferenceConfig
from paretorank.embedding import FMConfig, InputField, NoInteractionConfig, equal_dim
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean
from paretorank.model.preference import preference_vector
from paretorank.model.settings import ModelConfig
from paretorank.schema import CategoricalFeature, FeatureConfig, SequenceFeature


def refuse_unfit(
    config: ModelConfig, features: Mapping[str, FeatureConfig], statistics: Collection[str] = ()
) -> None:
    """Refuse a model that its features do not allow.

    Raises:
        ConfigError: a prior names what is no feature or statistic, a factorization machine finds
            embeddings of several widths, or an interaction meets tables of each task's own.
    """
    architecture = config.architecture
    if isinstance(architecture, PEPNetConfig):
        known = [*features, *statistics]
        for key, names in (("prior", architecture.prior), ("domain", architecture.domain)):
            _refuse_unknown(key, names, known)
    if isinstance(config.interaction, FMConfig):
        equal_dim(_fields(config, features))
    if architecture.needs.own_tables and not isinstance(config.interaction, NoInteractionConfig):
        raise ConfigError(
            f"model.interaction.kind is {config.interaction.kind!r}, but model.architecture.kind = "
            f"{architecture.kind!r} reads embeddings of each task's own, which do not interact.",
            hint='Set model.interaction.kind = "none", or choose another architecture.',
        )


def refuse_unpaired_preference(
    config: ModelConfig, balancer: BalancerConfig, task_names: Sequence[str]
) -> None:
    """Refuse a model that reads preferences nobody draws, and preferences that nobody reads.

    Raises:
        ConfigError: only one of `model.preference` and `balancer.kind = "preference"` is there, or
            the default preference is none.
    """
    is_drawn = isinstance(balancer, PreferenceConfig)
    if config.preference is None and is_drawn:
        raise ConfigError(
            'balancer.kind = "preference" draws preferences, but the model reads none.',
            hint='Add [model.preference] with kind = "film".',
        )
    if config.preference is not None:
        preference_vector(config.preference.default, task_names, key="model.preference.default")
        if not is_drawn:
            raise ConfigError(
                f"model.preference reads preferences, but balancer.kind = {balancer.kind!r} draws "
                "none, so that it would learn nothing.",
                hint='Set balancer.kind = "preference", or leave model.preference out.',
            )


def _refuse_unknown(key: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            raise ConfigError(
                f"model.architecture.{key} names {name!r}, which is no feature.",
                hint=did_you_mean(name, known),
            )


def _fields(config: ModelConfig, features: Mapping[str, FeatureConfig]) -> list[InputField]:
    fields = []
    for name, feature in features.items():
        if isinstance(feature, CategoricalFeature | SequenceFeature):
            owner = features.get(feature.table or name, feature)
            dim = getattr(owner, "dim", None) or config.embedding_dim
            fields.append(InputField(name, dim))
    return fields
