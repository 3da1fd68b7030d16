"""Bad input of every kind: it works if it can, and is refused in one message if it cannot."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

Ask = Callable[..., Any]
N_ROWS = 200
BASE = """
[data]
log = "log.parquet"
keys = { user = "user", time = "time" }
split = { by = "time", valid_fraction = 0.2, test_fraction = 0.2 }
[features]
user = { kind = "categorical" }
item = { kind = "categorical" }
price = { kind = "numeric" }
[tasks.click]
kind = "binary"
label = "click"
[tasks.watch]
kind = "duration"
label = "watch"
[model]
embedding_dim = 2
tower_dims = [4]
[model.architecture]
kind = "shared_bottom"
hidden_dims = [4]
[training]
epochs = 1
batch_size = 64
tensorboard = false
[evaluation]
n_resamples = 0
"""


def _log() -> pl.DataFrame:
    row = np.arange(N_ROWS)
    generator = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "user": row % 10,
            "item": row % 13,
            "price": generator.normal(size=N_ROWS),
            "time": row * 60,
            "click": generator.integers(0, 2, N_ROWS),
            "watch": generator.random(N_ROWS),
        }
    )


def _with(**columns: pl.Expr | pl.Series) -> Callable[[Path], None]:
    return lambda path: _log().with_columns(**columns).write_parquet(path)


def _broken(path: Path) -> None:
    _log().write_parquet(path)
    path.write_bytes(path.read_bytes()[:-300])


def _mixed_zones(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()
    for zone in ("UTC", "Asia/Tokyo"):
        moments = pl.col("time").cast(pl.Datetime("us")).dt.replace_time_zone(zone)
        _log().with_columns(time=moments).write_parquet(path / f"{zone[:3]}.parquet")


@dataclass(frozen=True)
class Refused:
    """Something that must be refused, and the words of the message and of the hint."""

    name: str
    words: tuple[str, ...]
    write: Callable[[Path], None] = field(default=_with())
    settings: tuple[str, ...] = ()
    toml: str = BASE
    commands: tuple[str, ...] = ("ingest", "train", "audit")


TRAIN_ONLY = ("train",)
REFUSED = [
    Refused("missing file", ("gone.parquet", "spelling"), settings=("data.log=gone.parquet",)),
    Refused("broken Parquet", ("log.parquet", "complete"), _broken),
    Refused(
        "unknown column",
        ("features.price", "'prize'", "Did you mean 'price'"),
        settings=("features.price.column=prize",),
    ),
    Refused(
        "wrong type in the configuration",
        ("training.epochs", '"many"', "integer"),
        settings=("training.epochs=many",),
    ),
    Refused(
        "wrong type in the log",
        ("tasks.click.label", "'time'", "numbers"),
        _with(time=pl.col("time").cast(pl.Datetime("us"))),
        settings=("tasks.click.label=time",),
    ),
    Refused(
        "unknown key",
        ("training.epoch", "Did you mean 'epochs'"),
        settings=("training.epoch=3",),
    ),
    Refused(
        "label outside its kind",
        ("tasks.click", "0, 1", "kind"),
        _with(click=pl.col("click") * 2),
        commands=("ingest", "train"),
    ),
    Refused(
        "all-null label",
        ("tasks.click", "no observed label", "observed_when"),
        _with(click=pl.lit(None, pl.Int64)),
        commands=("ingest", "train"),
    ),
    Refused(
        "one-class task",
        ("tasks.click", "one value", "remove the task"),
        _with(click=pl.lit(1)),
        commands=TRAIN_ONLY,
    ),
    Refused(
        "empty validation split",
        ("validation", "valid_fraction"),
        settings=("data.split.valid_fraction=0",),
        commands=TRAIN_ONLY,
    ),
    Refused(
        "empty training split",
        ("No row is left", "data.split"),
        settings=('data.split={by="column", column="user", test=[0,1,2,3,4,5,6,7,8,9]}',),
        commands=("ingest", "train"),
    ),
    Refused(
        "duplicate feature",
        ("TOML", "price", "line"),
        toml=BASE.replace("[tasks.click]", 'price = { kind = "numeric" }\n[tasks.click]'),
    ),
    Refused(
        "cyclic task graph",
        ("parent", "click", "Remove one"),
        settings=(
            'tasks.like={kind="binary", label="click", parent="click"}',
            "tasks.click.parent=like",
        ),
    ),
    Refused(
        "cyclic sample spaces",
        ("observed_when", "leads back to itself", "circle"),
        settings=("tasks.watch.observed_when=click", "tasks.click.observed_when=watch"),
    ),
    Refused(
        "infinite labels",
        ("tasks.watch", "finite"),
        _with(watch=pl.lit(float("inf"))),
        commands=("ingest", "train"),
    ),
    Refused(
        "labels that float32 cannot hold",
        ("tasks.watch", "1e30"),
        _with(watch=pl.lit(1e300)),
        commands=("ingest", "train"),
    ),
    Refused("mixed time zones", ("time", "every file"), _mixed_zones),
    Refused(
        "negative durations",
        ("tasks.watch", ">= 0", "observed_when"),
        _with(watch=pl.col("watch") - 0.5),
        commands=("ingest", "train"),
    ),
    Refused(
        "nested types",
        ("features.item", "Struct", "multi"),
        _with(item=pl.struct("item", "user")),
    ),
    Refused(
        "a nested label",
        ("tasks.click.label", "List", "numbers"),
        _with(click=pl.concat_list("click", "item")),
    ),
    Refused(
        "a feature without an order or a name",
        ("features.item", "Binary", "Convert"),
        _with(item=pl.lit(b"\xff\x00")),
    ),
    Refused("a number that is bytes", ("features.price", "numbers"), _with(price=pl.lit(b"\xff"))),
    Refused(
        "a key that is a list",
        ("data.keys.request", "List", "one value per row"),
        _with(lists=pl.concat_list("item", "user")),
        settings=("data.keys.request=lists",),
    ),
    Refused(
        "an entity that is a span of time",
        ("statistics.s.of", "Duration", "Name a column"),
        _with(span=pl.col("time").cast(pl.Duration("us"))),
        settings=('statistics.s={of=["span"]}',),
        commands=("ingest", "train"),
    ),
    Refused(
        "a weight that is text",
        ("data.weight", "text", "numbers"),
        _with(heavy=pl.lit("a")),
        settings=("data.weight=heavy",),
    ),
    Refused(
        "a sequence of structures",
        ("features.seen", "Struct", "lists of numbers or text"),
        _with(seen=pl.concat_list(pl.struct("item"))),
        settings=('features.seen={kind="sequence"}',),
    ),
    Refused("zero rows", ("empty",), lambda path: _log().head(0).write_parquet(path)),
    Refused("an empty path", ("names no file", "Paths are"), settings=('data.log=""',)),
    Refused("a path too long", ("no path", "glob"), settings=(f"data.log={'x' * 5_000}",)),
    Refused("brackets without end", ("deep", "repeat"), toml=BASE + "x = " + "[" * 5_000),
]


def _write(case: Refused, folder: Path) -> list[object]:
    (folder / "run.toml").write_text(case.toml, encoding="utf-8")
    case.write(folder / ("log" if case.write is _mixed_zones else "log.parquet"))
    folder_log = ("data.log=log",) if case.write is _mixed_zones else ()
    settings = (*folder_log, *case.settings)
    return [folder / "run.toml", *(part for text in settings for part in ("--set", text))]


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_it_is_refused_with_place_rule_and_remedy(case: Refused, ask: Ask, tmp_path: Path) -> None:
    arguments = _write(case, tmp_path)
    for command in case.commands:
        answer = ask(command, *arguments)
        assert (command, answer.code) == (command, 2), answer.err
        assert answer.err.count("error:") == 1
        assert answer.err.count("hint:") == 1
        assert "Traceback" not in answer.err
        assert len(answer.err) < 1_500
        for word in case.words:
            assert word in answer.err
    assert not list(tmp_path.glob("**/manifest.json"))  # it came before the long work


WORKS: dict[str, dict[str, pl.Expr]] = {
    "ids of 2^40 and more": {"item": pl.col("item") + 2**40, "user": pl.col("user") + 2**62},
    "negative ids": {"item": pl.col("item") - 2**62},
    "unsigned ids": {"item": pl.col("item").cast(pl.UInt64) + (2**64 - 100)},
    "empty strings": {"item": pl.when(pl.col("item") > 5).then(pl.lit("")).otherwise(pl.lit("x"))},
    "huge strings": {"item": pl.col("item").cast(pl.String) + "\U0001f4a5" * 20_000},
    "strings with zeros and controls": {
        "item": pl.lit("\0\r\n\x1b[31m") + pl.col("item").cast(pl.String)
    },
    "infinite features": {"price": pl.when(pl.col("item") < 4).then(float("inf")).otherwise(1.0)},
    "features that are all missing": {"price": pl.lit(None, pl.Float64), "item": pl.lit(None)},
    "features beyond float32": {"price": pl.col("price") * 1e300},
    "features as wide as float64": {
        "price": pl.when(pl.col("item") > 5).then(1e308).otherwise(-1e308)
    },
    "long ids as decimals": {
        "item": (pl.col("item").cast(pl.Decimal(38, 0)) + pl.lit(2**60).cast(pl.Decimal(38, 0)))
    },
    "enormous durations": {"watch": pl.when(pl.col("item") == 3).then(1e25).otherwise("watch")},
    "decimals": {"price": pl.col("price").cast(pl.Decimal(20, 4))},
    "dates as time": {"time": pl.col("time").cast(pl.Datetime("ns", "Asia/Tokyo"))},
    "missing times": {"time": pl.when(pl.col("item") > 3).then("time")},
}


@pytest.mark.parametrize("columns", WORKS.values(), ids=WORKS)
def test_it_works(columns: dict[str, pl.Expr], ask: Ask, tmp_path: Path) -> None:
    arguments = _write(Refused("works", (), _with(**columns)), tmp_path)
    assert ask("ingest", *arguments, "--json").code == 0
    assert ask("train", *arguments, "--json").code == 0
    assert ask("audit", *arguments).code in {0, 3}
    assert ask("init", tmp_path / "log.parquet", "--out", tmp_path / "own.toml").code == 0


def test_ten_thousand_columns_work_where_few_are_used(ask: Ask, tmp_path: Path) -> None:
    arguments = _write(Refused("wide", ()), tmp_path)
    extra = {f"c{at}": np.zeros(20, np.int8) for at in range(10_000)}
    _log().sample(20, seed=1).hstack(pl.DataFrame(extra)).write_parquet(tmp_path / "log.parquet")
    assert ask("ingest", *arguments, "--json").code == 0


@pytest.mark.parametrize(
    ("write", "word"),
    [
        (_broken, "complete"),
        (lambda path: _log().head(0).write_parquet(path), "row"),
        (lambda path: path.write_bytes(b""), "complete"),
        (lambda path: path.write_bytes(b"PAR1" * 9), "complete"),
    ],
    ids=["torn", "zero rows", "empty file", "only magic"],
)
def test_init_refuses_what_it_cannot_read(
    write: Callable[[Path], None], word: str, ask: Ask, tmp_path: Path
) -> None:
    write(tmp_path / "log.parquet")
    answer = ask("init", tmp_path / "log.parquet", "--out", tmp_path / "own.toml")
    assert answer.code == 2
    assert word in answer.err
    assert not (tmp_path / "own.toml").exists()


def test_init_copes_with_nested_and_hopeless_columns(ask: Ask, tmp_path: Path) -> None:
    hopeless = {
        "struct": pl.struct("item", "price"),
        "lists": pl.concat_list(pl.concat_list("item", "user")),
        "bytes": pl.col("item").cast(pl.String).cast(pl.Binary),
        "nothing": pl.lit(None),
        "money": pl.col("price").cast(pl.Decimal(20, 4)),
        "span": pl.col("time").cast(pl.Duration("us")),
        "clock": pl.col("time").cast(pl.Datetime("us")).dt.time(),
        "kind": pl.col("item").cast(pl.String).cast(pl.Categorical),
        "huge": pl.lit(float("inf")),
    }
    _with(**hopeless)(tmp_path / "log.parquet")
    assert ask("init", tmp_path / "log.parquet", "--out", tmp_path / "own.toml").code == 0
    assert ask("ingest", tmp_path / "own.toml").code == 0
    assert ask("audit", tmp_path / "own.toml").code in {0, 3}


def test_a_folder_or_a_missing_file_is_no_configuration(ask: Ask, tmp_path: Path) -> None:
    for place in (tmp_path, tmp_path / "gone.toml", tmp_path / ("x" * 300)):
        for command in ("ingest", "train", "audit"):
            answer = ask(command, place)
            assert answer.code == 2
            assert "hint:" in answer.err
