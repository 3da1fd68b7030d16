"""Where the inputs of chosen features stand among all inputs."""

from collections.abc import Sequence

from paretorank.data.layout import Layout
from paretorank.embedding.parts import Parts
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.suggestions import did_you_mean


def find_prior(names: Sequence[str], layout: Layout, whole: Parts) -> list[list[int]]:
    """Return the places of each feature's inputs.

    Raises:
        ConfigError: a feature has no inputs.
    """
    places = []
    for name in names:
        found = whole.of_feature(layout, name).places(whole)
        if not found:
            raise ConfigError(
                f"The prior of model.architecture names {name!r}, which is no feature of the data.",
                hint=did_you_mean(name, _features(layout)),
            )
        places.append(found)
    return places


def _features(layout: Layout) -> list[str]:
    coded = [column.feature for column in layout.categorical]
    coded += [column.feature for column in layout.ragged]
    return [*coded, *(column.name.partition(".")[0] for column in layout.numeric)]
