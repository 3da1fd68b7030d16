"""What the user did wrong, where, and what to do about it."""


class ParetorankError(Exception):
    """Says what is wrong and what to do about it; the command line prints both and exits with 2."""

    def __init__(self, problem: str, *, hint: str) -> None:
        super().__init__(problem)
        self.hint = hint


class ConfigError(ParetorankError):
    """The configuration does not describe a run that can be started."""


class DataError(ParetorankError):
    """The data is missing, unreadable, or not what the configuration says it is."""


class ShardError(ParetorankError):
    """A prepared data set is damaged, incomplete, or made by another version."""


class RunError(ParetorankError):
    """A run folder cannot be used for what was asked."""


class TrainingError(ParetorankError):
    """Training cannot go on: the numbers are no longer finite."""
