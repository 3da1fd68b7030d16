"""A prepared data set of a few hundred rows whose labels follow from its inputs."""

from pathlib import Path

import numpy as np
import pytest

from paretorank.data.encoded import EncodedRows
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, TableSpec
from paretorank.data.shard_format import FORMAT_VERSION, Manifest, ShardEntry
from paretorank.data.shard_reader import ShardSet
from paretorank.data.shard_writer import ShardWriter
from paretorank.schema import LabelSpec, SplitName

N_USERS, N_ITEMS = 12, 20
LAYOUT = Layout(
    tables=(
        TableSpec(name="user", n_codes=N_USERS, dim=3),
        TableSpec(name="item", n_codes=N_ITEMS, dim=4),
    ),
    categorical=(
        CategoricalColumn(feature="user", table="user"),
        CategoricalColumn(feature="item", table="item"),
    ),
    ragged=(),
    numeric=(NumericColumn(name="x"),),
    labels=(
        LabelSpec(name="click", column="c", kind="binary"),
        LabelSpec(name="watch", column="w", kind="regression"),
    ),
)


def rows(n: int, *, seed: int) -> EncodedRows:
    rng = np.random.default_rng(seed)
    user, item = rng.integers(N_USERS, size=n), rng.integers(N_ITEMS, size=n)
    x = rng.normal(size=n)
    appeal = np.sin(user) + np.cos(2 * item) + 0.5 * x
    click = (rng.random(n) < 1 / (1 + np.exp(-2 * appeal))).astype(np.float32)
    watch = (3 + 2 * appeal + 0.3 * rng.normal(size=n)).astype(np.float32)
    return EncodedRows(
        codes=np.stack([user, item], axis=1).astype(np.int32),
        numeric=x[:, None].astype(np.float32),
        ragged=(),
        labels=np.stack([click, np.where(rng.random(n) < 0.7, watch, np.nan)], axis=1).astype(
            np.float32
        ),
        weight=np.ones(n, np.float32),
        user=user,
        request=user,
        row=np.arange(n),
    )


@pytest.fixture(scope="session")
def splits(tmp_path_factory: pytest.TempPathFactory) -> dict[SplitName, ShardSet]:
    folder: Path = tmp_path_factory.mktemp("prepared")
    sizes: dict[SplitName, int] = {"train": 400, "valid": 150}
    shards: list[ShardEntry] = []
    for seed, (split, n) in enumerate(sizes.items()):
        writer = ShardWriter(folder, split, shard_rows=180)
        writer.append(rows(n, seed=seed))
        shards += writer.finish()
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        made_from="a test",
        layout=LAYOUT,
        shards=tuple(shards),
        labels=(),
    )
    return {split: ShardSet(folder, manifest, split) for split in sizes}
