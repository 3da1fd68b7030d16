"""`paretorank off-policy` as a user meets it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from paretorank.datasets import FeedConfig, simulate_feed

Ask = Callable[..., Any]
SIZE = 8


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the path of a log whose lists were shown whole."""
    config = FeedConfig(n_rows=4_000, n_users=200, n_items=100, n_authors=20, seed=5)
    path = tmp_path_factory.mktemp("lists") / "lists.parquet"
    simulate_feed(config).log.write_parquet(path)
    return path


def one_shown(log: Path, epsilon: float) -> Path:
    """Write the same rows as candidates of which the first one is mostly shown."""
    rows = pl.read_parquet(log)
    generator = np.random.default_rng(1)
    n_requests = len(rows) // SIZE
    propensity = np.full((n_requests, SIZE), epsilon / SIZE)
    propensity[:, 0] += 1.0 - epsilon
    chosen = (propensity.cumsum(axis=1) > generator.random((n_requests, 1))).argmax(axis=1)
    shown = np.zeros(propensity.shape, dtype=bool)
    shown[np.arange(n_requests), chosen] = True
    path = log.with_name(f"shown-{epsilon}.parquet")
    rows.with_columns(shown=pl.lit(shown.ravel()), chance=pl.lit(propensity.ravel())).write_parquet(
        path
    )
    return path


def test_lists_are_valued_by_place(ask: Ask, run_folder: Path, log: Path) -> None:
    orders = ("--by", "click", "--by", "like", "--formula", "click * like^0.5")
    answer = ask("off-policy", run_folder, "--data", log, "--position", "position", *orders)
    assert answer.code == 0, answer.err
    for word in (
        "click per request",
        "gain",
        "Overlap",
        "support",
        "looks: ",
        "1.000",
        "scores raw",
    ):
        assert word in answer.out
    assert "click*like^0.5" in answer.out.replace(" ", "")
    assert "scored as if shown at the top" in answer.err
    assert "gains have no interval" in " ".join(answer.err.split())


def test_choices_are_valued_by_three_estimators(ask: Ask, run_folder: Path, log: Path) -> None:
    path = one_shown(log, 0.9)
    options = ("--data", path, "--propensity", "chance", "--shown", "shown", "--reward", "click")
    answer = ask("off-policy", run_folder, *options)
    assert answer.code == 0, answer.out + answer.err
    for word in ("ips", "snips", "dr", "click per request", "500 requests"):
        assert word in answer.out
    found = ask("off-policy", run_folder, *options, "--json").json
    (order,) = found["orders"]
    for name in ("ips", "snips", "dr"):
        assert order["answers"][name]["low"] < order["answers"][name]["high"]
        assert order["answers"][name]["overlap"]["support"] == pytest.approx(1.0)
    assert found["is_refused"] is False


def test_without_overlap_there_is_no_number_and_the_gate_fails(
    ask: Ask, run_folder: Path, log: Path
) -> None:
    options = ("--data", one_shown(log, 0.0), "--propensity", "chance", "--shown", "shown")
    answer = ask("off-policy", run_folder, *options)
    assert answer.code == 3
    assert "no number for click: Overlap is missing" in answer.out
    assert "interval" not in answer.out
    told = ask("off-policy", run_folder, *options, "--json")
    assert told.code == 3
    assert told.json["is_refused"] is True
    assert "value" not in told.json["orders"][0]["answers"]["dr"]


def test_one_user_gives_no_number_and_the_gate_fails(ask: Ask, run_folder: Path, log: Path) -> None:
    rows = pl.read_parquet(log)
    path = log.with_name("one-user.parquet")
    rows.with_columns(user_id=pl.lit(rows["user_id"][0], rows["user_id"].dtype)).write_parquet(path)
    answer = ask("off-policy", run_folder, "--data", path, "--position", "position")
    assert answer.code == 3, answer.err
    assert "no number for click: An interval needs 2 users or more" in answer.out
    assert "nan" not in answer.out


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ([], "Exactly one of --position and --propensity"),
        (["--position", "positon"], "'positon'"),
        (["--position", "position", "--by", "clik"], "Did you mean 'click'?"),
        (["--position", "position", "--examination", "1,high"], "is not a list of numbers"),
        (["--position", "position", "--k", "0"], "--k"),
        (["--position", "position", "--confidence", "1"], "--confidence must be between 0 and 1"),
        (["--propensity", "position"], "several shown rows"),
    ],
)
def test_mistakes_exit_with_2(ask: Ask, run_folder: Path, options: list[str], problem: str) -> None:
    answer = ask("off-policy", run_folder, *options)
    assert answer.code == 2
    assert problem in answer.err
    assert "Traceback" not in answer.err
