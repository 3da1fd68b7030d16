"""The found formula as an ONNX file that fuses as `predict --fused` does."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from paretorank.foundation.errors import ConfigError, RunError
from paretorank.foundation.files import write_json
from paretorank.fusion import FusionScorer, onnx_graph, parse_formula
from paretorank.workflows.fusion_graph import check_graph_path, write_fusion_graph
from paretorank.workflows.train import TrainedRun

TEXT = "click * (like + 0.01)^0.5 + rank(hour)"


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    """Return a folder with the result of a search."""
    folder = tmp_path / "search"
    folder.mkdir()
    facts = {"formula": TEXT, "lists": "request_id", "settings": {"calibration": "a1b2"}}
    write_json(folder / "fusion.json", facts)
    return folder


def test_the_file_fuses_and_says_what_goes_in(
    trained: TrainedRun, searched: Path, tmp_path: Path
) -> None:
    path = tmp_path / "deploy" / "fusion.onnx"
    write_fusion_graph(trained.folder, path, searched_in=searched)
    facts = {fact.key: fact.value for fact in onnx.load(path).metadata_props}
    assert facts["formula"] == TEXT
    assert json.loads(facts["columns"]) == ["click", "like", "hour"]
    assert json.loads(facts["tasks"]) == ["click", "like"]
    assert (facts["scores"], facts["calibration"]) == ("calibrated", "a1b2")
    assert facts["lists"] == "request_id"
    rows = np.random.default_rng(0).random((9, 3))
    columns = dict(zip(("click", "like", "hour"), rows.T, strict=True))
    (fused,) = onnxruntime.InferenceSession(path).run(["fused"], columns)
    expected = FusionScorer(parse_formula(TEXT), list(columns), rows)()
    np.testing.assert_allclose(fused, expected, rtol=1e-9)


def test_without_a_search_there_is_nothing_to_write(trained: TrainedRun, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no weights were searched"):
        write_fusion_graph(trained.folder, tmp_path / "f.onnx", searched_in=tmp_path)
    assert not (tmp_path / "f.onnx").exists()


def test_what_could_not_be_written_is_refused_before_the_search(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.onnx, got fusion\.json"):
        check_graph_path(Path("fusion.json"))
    with pytest.raises(ConfigError, match="may be called 'fused'"):
        check_graph_path(Path("fusion.onnx"), ["click", "fused"])
    with pytest.raises(ConfigError, match="must be text without NUL"):
        check_graph_path(Path("fusion.onnx"), ["click", "li\0ke"])
    monkeypatch.setattr(onnx_graph, "find_spec", lambda _: None)
    with pytest.raises(ConfigError, match="onnx, which is not installed"):
        check_graph_path(Path("fusion.onnx"))
