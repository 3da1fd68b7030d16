"""The loop, and everything that one step needs."""

from paretorank.training.logbook import Logbook
from paretorank.training.settings import EarlyStoppingConfig, ScheduleConfig, TrainingConfig
from paretorank.training.trainer import FitReport, Trainer

__all__ = [
    "EarlyStoppingConfig",
    "FitReport",
    "Logbook",
    "ScheduleConfig",
    "Trainer",
    "TrainingConfig",
]
