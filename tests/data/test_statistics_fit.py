"""Statistics of the training rows, part by part, are those of all rows at once."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.statistics_fit import StatisticsFit
from paretorank.schema import LabelSpec, StatisticConfig

N_ROWS = 1_000
LABELS = (
    LabelSpec(name="click", column="c", kind="binary"),
    LabelSpec(name="like", column="l", kind="binary"),
)
STATISTICS = {
    "user": StatisticConfig(of=("user",)),
    "cross": StatisticConfig(of=("user", "item"), tasks=("like",)),
}


def _log() -> pl.DataFrame:
    rng = np.random.default_rng(3)
    like = np.where(rng.random(N_ROWS) < 0.3, np.nan, rng.integers(0, 2, N_ROWS))
    return pl.DataFrame(
        {
            "user": pl.Series(rng.integers(0, 40, N_ROWS)).replace(7, None),
            "item": rng.integers(0, 5, N_ROWS),
            "time": np.sort(rng.integers(0, 30, N_ROWS)) * 86_400,
            LABEL_PREFIX + "click": rng.integers(0, 2, N_ROWS).astype(np.float32),
            LABEL_PREFIX + "like": like.astype(np.float32),
        }
    )


@pytest.mark.parametrize("time", ["time", None])
@pytest.mark.parametrize("in_files", [True, False])
def test_parts_do_not_change_a_number(tmp_path: Path, time: str | None, *, in_files: bool) -> None:
    log = _log()
    whole = StatisticsFit(STATISTICS, LABELS, time)
    parts = StatisticsFit(
        STATISTICS, LABELS, time, folder=tmp_path if in_files else None, part_rows=60
    )
    whole.update(log)
    for start in range(0, N_ROWS, 170):
        parts.update(log[start : start + 170])
    fitted, overall, own = whole.finish()
    in_parts = parts.finish(tmp_path / "own" if in_files else None)
    np.testing.assert_array_equal(own, in_parts[2])
    assert np.abs(own).max() > 0.1
    np.testing.assert_array_equal(overall.means, in_parts[1].means)
    for name, statistic in fitted.items():
        other = in_parts[0][name]
        np.testing.assert_array_equal(statistic.keys, other.keys)
        np.testing.assert_array_equal(statistic.totals.sums, other.totals.sums)
        np.testing.assert_array_equal(statistic.totals.counts, other.totals.counts)
        np.testing.assert_array_equal(statistic.totals.rows, other.totals.rows)


def test_only_what_it_returns_is_left_on_disk(tmp_path: Path) -> None:
    fit = StatisticsFit(STATISTICS, LABELS, "time", folder=tmp_path, part_rows=100)
    fit.update(_log())
    fit.finish(tmp_path / "own")
    assert [path.name for path in tmp_path.iterdir()] == ["own"]
