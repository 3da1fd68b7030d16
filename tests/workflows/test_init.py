import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer import Typer
from typer.testing import CliRunner

from paretorank.cli.init import init
from paretorank.config import load_config
from paretorank.foundation.errors import ConfigError, DataError
from paretorank.workflows.init import init_config
from paretorank.workflows.run_folder import RunFolder
from paretorank.workflows.train import train_run

app = Typer()
app.command()(init)


def shop() -> pl.DataFrame:
    """Text ids, text times, a funnel with conversions, revenue, tags."""
    rng = np.random.default_rng(0)
    n = 3_000
    user, item = rng.integers(0, 200, n), rng.zipf(1.5, n) % 150
    channel = rng.choice(["web", "app", "mail"], n)
    click = rng.random(n) < 0.3 + 0.2 * (channel == "app") + 0.2 * (item % 2)
    order = click & (rng.random(n) < 0.2)
    price = 5 + (item * 37 % 200) * 1.1
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - logs seldom name a zone
    return pl.DataFrame(
        {
            "event_id": [f"e{k:06d}" for k in range(n)],
            "event_time": [str(start + timedelta(minutes=9 * k)) for k in range(n)],
            "customer_id": [f"C{one:04d}" for one in user],
            "product_id": [f"sku-{one}" for one in item],
            "channel": channel,
            "price": price,
            "is_vip": user % 5 == 0,
            "tags": [f"t{one % 4}|{kind}" for one, kind in zip(item, channel, strict=True)],
            "click": click.astype(np.int64),
            "conversion": order.astype(np.int64),
            "revenue": np.where(order, price, 0.0),
        }
    )


def movies() -> pl.DataFrame:
    """Four columns of numbers: who, what, how good, when."""
    rng = np.random.default_rng(1)
    n = 2_000
    user, movie = rng.integers(1, 150, n), rng.integers(1, 200, n)
    rating = np.clip(np.round(3.5 + np.sin(user) + rng.normal(0, 0.7, n)), 1, 5)
    time = np.sort(rng.integers(964_000_000, 1_000_000_000, n))
    return pl.DataFrame({"userId": user, "movieId": movie, "rating": rating, "timestamp": time})


def tiny() -> pl.DataFrame:
    """Three columns and no key."""
    rng = np.random.default_rng(2)
    n = 800
    x = rng.normal(size=n)
    label = (rng.random(n) < 1 / (1 + np.exp(-x))).astype(np.int64)
    return pl.DataFrame({"x": x, "group": rng.choice(["a", "b"], n), "label": label})


def written(frame: pl.DataFrame, folder: Path) -> Path:
    frame.write_csv(folder / "log.csv")
    return folder / "log.csv"


@pytest.mark.parametrize(
    ("make", "tasks"),
    [(shop, ["click", "conversion"]), (movies, ["rating"]), (tiny, ["label"])],
)
def test_three_csv_files_train_without_editing(
    make: Callable[[], pl.DataFrame], tasks: list[str], tmp_path: Path
) -> None:
    out = tmp_path / "ranker.toml"
    init_config(str(written(make(), tmp_path)), out)
    config = load_config(out, ["training.epochs=1", "training.tensorboard=false"])
    assert list(config.tasks) == tasks
    run = train_run(config, RunFolder(tmp_path / "run"))
    assert run.result.table["task"].unique().sort().to_list() == tasks


def test_the_funnel_of_the_shop_is_found(tmp_path: Path) -> None:
    out = tmp_path / "ranker.toml"
    found = init_config(str(written(shop(), tmp_path)), out)
    config = load_config(out)
    assert config.tasks["conversion"].parent == "click"
    assert {"revenue", "event_id"} <= set(found.left_out)
    assert {"is_vip", "tags", "price"} <= set(config.features)


def test_paths_are_relative_to_the_file_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tiny(), tmp_path)
    monkeypatch.chdir(tmp_path)
    init_config("log.csv", Path("deep/er/ranker.toml"))
    assert load_config(Path("deep/er/ranker.toml")).data.log == "../../log.csv"


def test_side_tables_are_joined_and_written(tmp_path: Path) -> None:
    items = pl.DataFrame({"movieId": range(1, 200), "year": [1950 + k % 70 for k in range(199)]})
    items.write_csv(tmp_path / "items.csv")
    out = tmp_path / "ranker.toml"
    log = str(written(movies(), tmp_path))
    found = init_config(log, out, joins=[f"{tmp_path / 'items.csv'}:movieId"])
    assert "year" in found.features
    assert load_config(out).data.joins[0].on == "movieId"


def test_an_existing_file_is_kept_unless_forced(tmp_path: Path) -> None:
    out = tmp_path / "ranker.toml"
    out.write_text("mine")
    log = str(written(tiny(), tmp_path))
    with pytest.raises(ConfigError, match="exists"):
        init_config(log, out)
    assert out.read_text() == "mine"
    init_config(log, out, force=True)
    assert out.read_text() != "mine"


@pytest.mark.parametrize("join", ["items.csv", ":movieId", "items.csv:"])
def test_a_join_without_table_and_key_is_refused(join: str, tmp_path: Path) -> None:
    log = str(written(movies(), tmp_path))
    with pytest.raises(ConfigError, match="TABLE:KEY"):
        init_config(log, tmp_path / "ranker.toml", joins=[join])


def test_an_absent_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError):
        init_config(str(tmp_path / "ghost.csv"), tmp_path / "ranker.toml")


def test_the_command_says_what_it_found(tmp_path: Path) -> None:
    log, out = str(written(movies(), tmp_path)), str(tmp_path / "ranker.toml")
    result = CliRunner().invoke(app, [log, "--out", out, "--json"])
    assert result.exit_code == 0
    assert list(json.loads(result.stdout)["tasks"]) == ["rating"]


def test_the_command_says_so_when_nothing_can_be_predicted(tmp_path: Path) -> None:
    log = str(written(tiny().drop("label"), tmp_path))
    result = CliRunner().invoke(app, [log, "--out", str(tmp_path / "ranker.toml")])
    assert result.exit_code == 0
    assert "tasks: none" in result.stdout
