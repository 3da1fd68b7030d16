"""A small simulated feed, and one run that several tests look at."""

from pathlib import Path

import pytest

from paretorank.config import RunConfig, load_config
from paretorank.datasets import FeedConfig, write_feed
from paretorank.workflows.ingest import Prepared, prepare
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun, train_run

SMALL = (
    "model.architecture.kind=mmoe",
    "model.architecture.n_experts=2",
    "model.architecture.expert_dims=[8]",
    "model.tower_dims=[8]",
    "model.embedding_dim=4",
    "training.batch_size=512",
    "training.tensorboard=false",
    "evaluation.n_resamples=20",
    'tasks.like.observed_when="click"',
)


@pytest.fixture(scope="session")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a configuration beside its log of 3,000 rows."""
    config = FeedConfig(
        n_rows=3_000, n_users=60, n_items=150, n_authors=30, missing_rates={"long_view": 0.3}
    )
    return write_feed(tmp_path_factory.mktemp("feed"), config)


@pytest.fixture(scope="session")
def config(feed: Path) -> RunConfig:
    return load_config(feed, SMALL)


@pytest.fixture(scope="session")
def prepared(config: RunConfig) -> Prepared:
    return prepare(config)


@pytest.fixture(scope="session")
def trained(config: RunConfig, prepared: Prepared) -> TrainedRun:
    folder = RunFolder(config.folder / "runs" / "shared")
    return train_run(config, folder, prepared=prepared)
