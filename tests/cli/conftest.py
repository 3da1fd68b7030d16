"""The command line as a user meets it: arguments in, exit code and two streams out."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from paretorank.cli.main import main
from paretorank.datasets import FeedConfig, write_feed

SMALL = (
    "model.architecture.kind=mmoe",
    "model.architecture.n_experts=2",
    "model.architecture.expert_dims=[8]",
    "model.tower_dims=[8]",
    "training.batch_size=512",
    "training.tensorboard=false",
    "evaluation.n_resamples=10",
)


@dataclass(frozen=True)
class Answer:
    """What a command said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Ask = Callable[..., Answer]


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ask:
    def run(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["paretorank", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as stop:
            main()
        streams = capsys.readouterr()
        code = stop.value.code
        return Answer(code if isinstance(code, int) else 0, streams.out, streams.err)

    return run


@pytest.fixture(scope="session")
def feed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a configuration, small as it is written, beside its log."""
    config = FeedConfig(n_rows=2_000, n_users=50, n_items=100, n_authors=20)
    path = write_feed(tmp_path_factory.mktemp("feed"), config)
    small = """
[model]
tower_dims = [8]
embedding_dim = 4
[model.architecture]
kind = "mmoe"
n_experts = 2
expert_dims = [8]
[training]
batch_size = 512
tensorboard = false
[evaluation]
n_resamples = 10
"""
    path.write_text(path.read_text() + small)
    return path


@pytest.fixture(scope="session")
def run_folder(feed: Path) -> Path:
    """Return the folder of a finished run."""
    from paretorank.config import load_config
    from paretorank.workflows.run_folder import RunFolder
    from paretorank.workflows.train import train_run

    folder = feed.parent / "runs" / "shared"
    train_run(load_config(feed), RunFolder(folder))
    return folder
