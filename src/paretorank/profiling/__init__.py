"""What stands in the columns of a table, and what their names suggest."""

from paretorank.profiling.profile import TableProfile, profile

__all__ = ["TableProfile", "profile"]
