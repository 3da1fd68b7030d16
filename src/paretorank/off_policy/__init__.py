"""The value of another ranking, from a log of the one that was shown."""
