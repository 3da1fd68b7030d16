"""Everything on built-in data."""

from pathlib import Path

import pytest

from paretorank.foundation.progress import Progress
from paretorank.workflows import demo


def test_ten_models_are_put_beside_the_truth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "_QUICK_ROWS", 2_000)
    monkeypatch.setattr(demo, "_EXPERT_DIMS", (8, 4))
    events: list[Progress] = []
    result = demo.run_demo(tmp_path, quick=True, listener=events.append)
    assert result.tasks == ("click", "long_view", "like", "watch")
    assert [(row.model, row.balancer) for row in result.rows] == [
        ("single-task twins", "-"),
        ("shared_bottom", "equal"),
        ("shared_bottom", "uncertainty"),
        ("mmoe", "equal"),
        ("mmoe", "uncertainty"),
        ("attention_mmoe", "equal"),
        ("attention_mmoe", "uncertainty"),
        ("the truth (ceiling)", "-"),
    ]
    for row in result.rows:
        assert {"click.auc", "click.gauc", "long_view.auc", "watch.xauc"} <= set(row.metrics)
    ceiling = result.rows[-1].metrics
    for row in result.rows[:-1]:
        assert row.metrics["click.auc"] < ceiling["click.auc"] + 0.02
        assert row.seconds > 0
    models = [event for event in events if event.stage == "models"]
    assert models[0].total == 10
    assert models[-1].done == 10
    assert (tmp_path / "feed.toml") == result.config_path
    assert (tmp_path / "runs" / "mmoe-uncertainty" / "metrics.json").exists()
    assert (tmp_path / "runs" / "twin-click" / "metrics.json").exists()
