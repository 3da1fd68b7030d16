"""Which files are new, and which rows cannot be appended."""

import datetime as dt
from pathlib import Path

import polars as pl
import pytest

from paretorank.data.ingest import IngestRequest
from paretorank.data.new_files import new_files, refuse_earlier, refuse_new_types
from paretorank.data.shard_format import SourceFile
from paretorank.foundation.errors import DataError
from paretorank.schema import DataConfig, KeysConfig, SplitConfig, StatisticConfig


def _files(names: str, size: int = 10) -> list[SourceFile]:
    return [SourceFile(path=name, size=size, mtime_ns=5) for name in names]


def _request(folder: Path, by: str = "time", *, statistics: bool = False) -> IngestRequest:
    data = {
        "log": tuple(str(path) for path in sorted(folder.glob("*.csv"))) or "log.csv",
        "keys": KeysConfig(user="user", time="time"),
        "split": SplitConfig.model_validate({"by": by}),
    }
    counted = {"user": StatisticConfig(of=("user",))} if statistics else {}
    return IngestRequest(DataConfig.model_validate(data), folder, {}, counted, ())


@pytest.mark.parametrize(
    ("known", "found", "new"), [("ab", "abcd", "cd"), ("ab", "ab", ""), ("", "a", "a")]
)
def test_what_comes_after_the_known_files_is_new(known: str, found: str, new: str) -> None:
    assert new_files(_files(known), _files(found)) == tuple(new)


@pytest.mark.parametrize(
    ("found", "problem"),
    [
        ("ac", "b was prepared, but is no longer"),
        ("bac", "b stands where a stood"),
        ("axb", "x is new, but sorts before b,"),
        ("xab", "x is new, but sorts before a,"),
    ],
)
def test_known_files_must_come_first_in_their_order(found: str, problem: str) -> None:
    with pytest.raises(DataError, match=problem) as caught:
        new_files(_files("ab"), _files(found))
    assert "--force" in caught.value.hint


def test_a_known_file_must_not_change() -> None:
    with pytest.raises(DataError, match=r"a has changed .*10 bytes then, 11 now"):
        new_files(_files("a"), _files("a", size=11))
    touched = [SourceFile(path="a", size=10, mtime_ns=6)]
    with pytest.raises(DataError, match=r"a has changed .*time of change"):
        new_files(_files("a"), touched)


def test_a_new_file_that_turns_numbers_into_text_is_refused(tmp_path: Path) -> None:
    known, new = tmp_path / "1.csv", tmp_path / "2.csv"
    known.write_text("user,time,age\n1,1,a\n2,2,b\n")
    new.write_text("user,time,age\n3,3,7\n")
    refuse_new_types(_request(tmp_path), [str(known)])
    new.write_text("user,time,age\nx3,3,7\n")
    with pytest.raises(DataError, match="'user' was Int64, and is String"):
        refuse_new_types(_request(tmp_path), [str(known)])


def _times(*times: object) -> pl.LazyFrame:
    return pl.LazyFrame({"time": times})


def test_time_goes_backwards_by_what_is_told(tmp_path: Path) -> None:
    request = _request(tmp_path)
    refuse_earlier(request, _times(1, 5, None), _times(5, None, 9))
    with pytest.raises(DataError, match=r"begin at 3, .* until 5: .* backwards by 2\."):
        refuse_earlier(request, _times(1, 5), _times(9, 3))
    day = dt.datetime(2022, 5, 1, tzinfo=dt.UTC)
    later = day + dt.timedelta(days=2, hours=1)
    with pytest.raises(DataError, match=r"backwards by 2 days, 1:00:00\."):
        refuse_earlier(request, _times(later), _times(day))


def test_order_matters_only_where_split_or_statistics_go_by_time(tmp_path: Path) -> None:
    refuse_earlier(_request(tmp_path, "user"), _times(5), _times(3))
    refuse_earlier(_request(tmp_path), _times(None, float("nan")), _times(3.0))
    with pytest.raises(DataError, match="backwards by 2"):
        refuse_earlier(_request(tmp_path, "user", statistics=True), _times(5), _times(3))
