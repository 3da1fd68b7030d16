"""The configuration of a run, read, checked, explained and written."""

from paretorank.config.load import load_config, parse_config
from paretorank.config.run import EvaluationConfig, RunConfig
from paretorank.config.write import to_toml

__all__ = ["EvaluationConfig", "RunConfig", "load_config", "parse_config", "to_toml"]
