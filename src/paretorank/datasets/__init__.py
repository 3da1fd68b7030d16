"""Data with known properties: simulators, and adapters of public data sets."""

from paretorank.datasets.feed import FeedData, simulate_feed
from paretorank.datasets.feed_config import FeedConfig, FeedRates
from paretorank.datasets.feed_files import feed_config_toml, write_feed
from paretorank.datasets.feed_oracle import bayes_auc, oracle_front
from paretorank.datasets.kuairand import prepare_kuairand
from paretorank.datasets.mmoe_synthetic import (
    MMoESyntheticConfig,
    MMoESyntheticData,
    simulate_mmoe_synthetic,
)

__all__ = [
    "FeedConfig",
    "FeedData",
    "FeedRates",
    "MMoESyntheticConfig",
    "MMoESyntheticData",
    "bayes_auc",
    "feed_config_toml",
    "oracle_front",
    "prepare_kuairand",
    "simulate_feed",
    "simulate_mmoe_synthetic",
    "write_feed",
]
