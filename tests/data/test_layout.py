"""Which number stands where."""

from paretorank.data.layout import Layout, NumericColumn, TableSpec
from paretorank.schema import LabelSpec

LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=5, dim=None), TableSpec(name="item", n_codes=9, dim=4)),
    categorical=(),
    ragged=(),
    numeric=(NumericColumn(name="age", n_bins=3, has_missing=True),),
    labels=(
        LabelSpec(name="click", column="c", kind="binary"),
        LabelSpec(name="watch", column="w", kind="duration"),
    ),
)


def test_tables_are_found_by_name_and_tasks_keep_their_order() -> None:
    assert LAYOUT.table("item").n_codes == 9
    assert LAYOUT.task_names == ("click", "watch")


def test_a_layout_is_written_and_read() -> None:
    assert Layout.model_validate_json(LAYOUT.model_dump_json()) == LAYOUT
