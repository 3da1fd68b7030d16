import json
from pathlib import Path

import numpy as np
import polars as pl
from typer import Typer
from typer.testing import CliRunner

from paretorank.cli.audit import audit
from paretorank.workflows.audit import audit_config

app = Typer()
app.command()(audit)

TOML = """
[data]
log = "log.parquet"
[features]
x = { kind = "numeric" }
[tasks.click]
kind = "binary"
label = "is_click"
"""


def written(folder: Path) -> Path:
    rng = np.random.default_rng(0)
    click = (rng.random(3_000) < 0.4).astype(np.int64)
    frame = pl.DataFrame({"x": rng.normal(size=3_000), "is_click": click, "told": click * 2})
    frame.write_parquet(folder / "log.parquet")
    path = folder / "ranker.toml"
    path.write_text(TOML)
    return path


def test_a_clean_configuration_exits_with_0(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, [str(written(tmp_path))])
    assert result.exit_code == 0
    assert "0 serious" in result.stdout


def test_a_leak_exits_with_3_and_is_printed_for_programs(tmp_path: Path) -> None:
    leak = 'features.x.column="told"'
    result = CliRunner().invoke(app, [str(written(tmp_path)), "--set", leak, "--json"])
    assert result.exit_code == 3
    findings = json.loads(result.stdout)["findings"]
    assert findings[0]["severity"] == "serious"
    assert findings[0]["place"] == "features.x"


def test_the_report_counts_by_severity(tmp_path: Path) -> None:
    report = audit_config(written(tmp_path))
    assert not report.is_serious
    assert report.counts()["note"] == len(report.findings)
