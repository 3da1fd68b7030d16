"""All calibration maps, and how each is fitted."""

from collections.abc import Callable
from typing import Annotated, Final, Literal

from pydantic import Field

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.beta import BetaMap, fit_beta
from paretorank.calibration.histogram import HistogramMap, fit_histogram
from paretorank.calibration.identity import IdentityMap, fit_identity
from paretorank.calibration.isotonic import IsotonicMap, fit_isotonic, fit_isotonic_value
from paretorank.calibration.platt import PlattMap, fit_platt
from paretorank.calibration.scale import ScaleMap, fit_scale
from paretorank.calibration.temperature import TemperatureMap, fit_temperature
from paretorank.metrics import Rows

CalibrationMap = Annotated[
    IdentityMap | TemperatureMap | PlattMap | BetaMap | HistogramMap | IsotonicMap | ScaleMap,
    Field(discriminator="kind"),
]
Method = Literal[
    "auto", "identity", "temperature", "platt", "beta", "histogram", "isotonic", "scale"
]
Fit = Callable[[Rows], ScoreMap]

CHANCE_FITS: Final[dict[Method, Fit]] = {
    "identity": fit_identity,
    "temperature": fit_temperature,
    "platt": fit_platt,
    "beta": fit_beta,
    "histogram": fit_histogram,
    "isotonic": fit_isotonic,
}
"""For chances, the simplest first."""
VALUE_FITS: Final[dict[Method, Fit]] = {
    "identity": fit_identity,
    "scale": fit_scale,
    "isotonic": fit_isotonic_value,
}
"""For expected values, the simplest first."""
