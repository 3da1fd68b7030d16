"""Scores that mean what they say: maps fitted on validation rows, kept as data."""

from paretorank.calibration.base import ScoreMap
from paretorank.calibration.beta import BetaMap, fit_beta
from paretorank.calibration.calibration import Calibration, TaskCalibration
from paretorank.calibration.choice import cross_fitted_errors
from paretorank.calibration.down_sampling import corrected, restoring_weight
from paretorank.calibration.fit import FittedMaps, fit_maps, rows_within, too_few
from paretorank.calibration.histogram import HistogramMap, fit_histogram
from paretorank.calibration.identity import IdentityMap, fit_identity
from paretorank.calibration.isotonic import (
    IsotonicMap,
    fit_isotonic,
    fit_isotonic_value,
    isotonic_steps,
)
from paretorank.calibration.knots import Knots
from paretorank.calibration.maps import CHANCE_FITS, VALUE_FITS, CalibrationMap, Method
from paretorank.calibration.platt import PlattMap, fit_platt
from paretorank.calibration.reliability import (
    ReliabilityBin,
    measures,
    reliability,
    wilson_interval,
)
from paretorank.calibration.scale import ScaleMap, fit_scale
from paretorank.calibration.temperature import TemperatureMap, fit_temperature

__all__ = [
    "CHANCE_FITS",
    "VALUE_FITS",
    "BetaMap",
    "Calibration",
    "CalibrationMap",
    "FittedMaps",
    "HistogramMap",
    "IdentityMap",
    "IsotonicMap",
    "Knots",
    "Method",
    "PlattMap",
    "ReliabilityBin",
    "ScaleMap",
    "ScoreMap",
    "TaskCalibration",
    "TemperatureMap",
    "corrected",
    "cross_fitted_errors",
    "fit_beta",
    "fit_histogram",
    "fit_identity",
    "fit_isotonic",
    "fit_isotonic_value",
    "fit_maps",
    "fit_platt",
    "fit_scale",
    "fit_temperature",
    "isotonic_steps",
    "measures",
    "reliability",
    "restoring_weight",
    "rows_within",
    "too_few",
    "wilson_interval",
]
