"""What was fitted at another preference than scores are asked for at is named."""

import shutil
from pathlib import Path

import pytest

from paretorank.config import RunConfig, load_config
from paretorank.fusion import parse_formula
from paretorank.workflows.calibrate import calibrate_run
from paretorank.workflows.calibrated import read_calibration
from paretorank.workflows.calibration_fit import CalibrationWish
from paretorank.workflows.fuse import fuse_run
from paretorank.workflows.fusion_request import FuseRequest
from paretorank.workflows.fusion_result import ReadyFusion, read_fusion
from paretorank.workflows.ingest import Prepared
from paretorank.workflows.preference_notes import preference_notes
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import TrainedRun, train_run
from tests.workflows.conftest import SMALL

LIKES = {"like": 2.0}


@pytest.fixture(scope="module")
def told(feed: Path, prepared: Prepared) -> RunFolder:
    settings = ("model.preference.kind=film", "balancer.kind=preference", "training.epochs=1")
    config: RunConfig = load_config(feed, (*SMALL, *settings))
    folder = RunFolder(feed.parent / "runs" / "told-notes")
    train_run(config, folder, prepared=prepared)
    return folder


def test_a_calibration_knows_the_preference_of_its_fit(told: RunFolder, tmp_path: Path) -> None:
    folder = RunFolder(Path(shutil.copytree(told.path, tmp_path / "run")))
    assert preference_notes(folder, LIKES) == []  # nothing was fitted
    calibrate_run(folder, CalibrationWish(method="platt"))
    assert preference_notes(folder, None) == []
    assert preference_notes(folder, dict.fromkeys(folder.read_config().tasks, 3.0)) == []
    (text,) = preference_notes(folder, LIKES)
    assert "was fitted at the default preference, not at preference like=2" in text
    assert preference_notes(folder, LIKES, is_calibrated=False) == []
    (text,) = preference_notes(folder, {"like": "share"})
    assert "not at preference like=share" in text
    calibrate_run(folder, CalibrationWish(method="platt", preference=LIKES))
    found = read_calibration(folder)
    assert found is not None
    assert found.preference == LIKES
    assert preference_notes(folder, {"like": 1.0}) == []
    (text,) = preference_notes(folder, None)
    assert "was fitted at preference like=2, not at the default preference" in text


def test_fusion_weights_know_the_preference_of_their_search(
    told: RunFolder, tmp_path: Path
) -> None:
    folder = RunFolder(Path(shutil.copytree(told.path, tmp_path / "run")))
    request = FuseRequest(("click.ndcg@10",), formula="click", n_resamples=5, preference=LIKES)
    fuse_run(folder, request)
    fusion = read_fusion(folder.fusion_path)
    assert fusion.preference == LIKES
    assert preference_notes(folder, LIKES, fusion=fusion) == []
    (text,) = preference_notes(folder, None, fusion=fusion)
    assert "was searched at preference like=2, not at the default preference" in text


def test_a_run_that_reads_no_preference_has_nothing_to_say(trained: TrainedRun) -> None:
    fusion = ReadyFusion(parse_formula("click"), "request_id", preference=LIKES)
    assert preference_notes(trained.folder, None, fusion=fusion) == []
