"""Save and load an encoder: JSON for what is small, Parquet for tables; no pickle."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from pydantic import TypeAdapter

from paretorank.data.encoder import Buckets, Encoder
from paretorank.data.history import FittedHistory, ItemValues
from paretorank.data.layout import Layout
from paretorank.data.numbers import FittedNumber
from paretorank.data.statistics import FittedStatistic, Overall, Totals
from paretorank.data.vocabulary import Vocabulary
from paretorank.foundation.errors import RunError, ShardError
from paretorank.foundation.files import atomic_path, file_digest, read_json, write_json
from paretorank.schema import FeatureConfig, StatisticConfig

_FEATURES: TypeAdapter[dict[str, FeatureConfig]] = TypeAdapter(dict[str, FeatureConfig])


_UNREADABLE = (
    RunError,
    OSError,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    KeyError,
    TypeError,
    ValueError,
)


def save_encoder(encoder: Encoder, folder: Path) -> dict[str, str]:
    """Write an encoder into a folder, and return the digest of every file.

    The same encoder always gives the same files.
    """
    folder.mkdir(parents=True, exist_ok=True)
    vocabularies: dict[str, dict[str, str | int]] = {}
    for at, (name, codes) in enumerate(encoder.vocabularies.items()):
        if isinstance(codes, Buckets):
            vocabularies[name] = {"n_buckets": codes.n_buckets}
            continue
        file = f"vocabulary-{at}.parquet"
        _write_table(folder / file, codes.values.alias("value").to_frame())
        vocabularies[name] = {"file": file, "kind": codes.kind}
    statistics = {}
    for at, (name, statistic) in enumerate(encoder.statistics.items()):
        file = f"statistic-{at}.parquet"
        _write_table(folder / file, _statistic_table(statistic))
        statistics[name] = {
            "file": file,
            "config": statistic.config.model_dump(mode="json"),
            "tasks": statistic.task_names,
            "kinds": statistic.kinds,
        }
    histories = {}
    for at, (name, history) in enumerate(encoder.histories.items()):
        files = [f"history-{at}-{i}.parquet" for i in range(len(history.item_values))]
        for file, known in zip(files, history.item_values, strict=True):
            table = pl.DataFrame({"item": known.items, "value": known.values})
            _write_table(folder / file, table)
        histories[name] = {"column": history.column, "files": files}
    overall = encoder.overall
    content = {
        "layout": encoder.layout.model_dump(mode="json"),
        "features": {n: f.model_dump(mode="json") for n, f in encoder.features.items()},
        "vocabularies": vocabularies,
        "numbers": {n: number.model_dump(mode="json") for n, number in encoder.numbers.items()},
        "statistics": statistics,
        "histories": histories,
        "overall": {
            "names": overall.names,
            "kinds": overall.kinds,
            "means": overall.means.tolist(),
            "stds": overall.stds.tolist(),
        },
    }
    write_json(folder / "encoder.json", content)
    return {path.name: file_digest(path) for path in sorted(folder.iterdir()) if path.is_file()}


def load_encoder(folder: Path) -> Encoder:
    """Read an encoder that `save_encoder` wrote.

    Raises:
        ShardError: a file is missing or damaged.
    """
    try:
        return _load(folder, read_json(folder / "encoder.json"))
    except _UNREADABLE as error:
        problem = (str(error).splitlines() or ["?"])[0]
        raise ShardError(
            f"The encoder in {folder} cannot be read: {problem}",
            hint="Prepare the data again with `paretorank ingest --force`.",
        ) from error


def _load(folder: Path, content: dict[str, Any]) -> Encoder:
    features = _FEATURES.validate_python(content["features"], strict=False)
    overall = content["overall"]
    return Encoder(
        layout=Layout.model_validate(content["layout"], strict=False),
        features=features,
        vocabularies={
            name: _load_codes(folder, entry) for name, entry in content["vocabularies"].items()
        },
        numbers={
            name: FittedNumber.model_validate(entry, strict=False)
            for name, entry in content["numbers"].items()
        },
        histories={
            name: FittedHistory(
                features[name],  # type: ignore[arg-type]  # written from a history feature
                entry["column"],
                tuple(_load_items(folder / file) for file in entry["files"]),
            )
            for name, entry in content["histories"].items()
        },
        statistics={
            name: _load_statistic(folder, entry) for name, entry in content["statistics"].items()
        },
        overall=Overall(
            tuple(overall["names"]),
            tuple(overall["kinds"]),
            np.array(overall["means"], dtype=np.float64),
            np.array(overall["stds"], dtype=np.float64),
        ),
    )


def _statistic_table(statistic: FittedStatistic) -> pl.DataFrame:
    columns = {"key": statistic.keys, "rows": statistic.totals.rows}
    for at, task in enumerate(statistic.task_names):
        columns[f"sum:{task}"] = statistic.totals.sums[:, at]
        columns[f"count:{task}"] = statistic.totals.counts[:, at]
    return pl.DataFrame(columns)


def _load_statistic(folder: Path, entry: dict[str, object]) -> FittedStatistic:
    table = pl.read_parquet(folder / str(entry["file"]))
    tasks = tuple(str(task) for task in entry["tasks"])  # type: ignore[attr-defined]
    kinds = tuple(str(kind) for kind in entry["kinds"])  # type: ignore[attr-defined]
    shape = (len(table), len(tasks))
    totals = Totals(
        table.select([f"sum:{task}" for task in tasks]).to_numpy().reshape(shape),
        table.select([f"count:{task}" for task in tasks]).to_numpy().reshape(shape),
        table["rows"].to_numpy(),
    )
    config = StatisticConfig.model_validate(entry["config"], strict=False)
    return FittedStatistic(config, tasks, kinds, table["key"].to_numpy(), totals)


def _load_codes(folder: Path, entry: dict[str, object]) -> Vocabulary | Buckets:
    if "n_buckets" in entry:
        return Buckets(int(str(entry["n_buckets"])))
    values = pl.read_parquet(folder / str(entry["file"]))["value"]
    return Vocabulary(values, "int" if entry["kind"] == "int" else "text")


def _load_items(path: Path) -> ItemValues:
    table = pl.read_parquet(path)
    return ItemValues(table["item"].to_numpy(), table["value"].to_numpy())


def _write_table(path: Path, table: pl.DataFrame) -> None:
    with atomic_path(path) as temporary:
        table.write_parquet(temporary)
