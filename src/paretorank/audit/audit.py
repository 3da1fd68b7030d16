"""Look for what ruins a ranker before it is trained."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from paretorank.audit.columns import check_columns
from paretorank.audit.finding import SPLIT_COLUMN, Audited, Finding, worst_first
from paretorank.audit.labels import check_labels
from paretorank.audit.leakage import check_leakage
from paretorank.audit.outcomes import check_outcomes
from paretorank.audit.rows import check_rows
from paretorank.audit.split import check_split
from paretorank.audit.tables import check_tables
from paretorank.data.labels import check_labels as refuse_wrong_labels
from paretorank.data.labels import label_columns
from paretorank.data.maturity import with_age
from paretorank.data.source import open_log, open_table, require_columns
from paretorank.data.splits import ROW_COLUMN, split_expression
from paretorank.data.suitability import refuse_unsuited, refuse_unsuited_keys
from paretorank.profiling.profile import held_if_small, profile, sample_rows
from paretorank.schema import DataConfig, FeatureConfig, HistoryFeature, LabelSpec

CHECKS: tuple[Callable[[Audited], list[Finding]], ...] = (
    check_outcomes,
    check_leakage,
    check_tables,
    check_labels,
    check_split,
    check_rows,
    check_columns,
)


def audit_data(
    data: DataConfig,
    folder: Path,
    features: Mapping[str, FeatureConfig],
    labels: Sequence[LabelSpec],
) -> list[Finding]:
    """Return everything found in a configured data set, the worst first.

    Sums are taken over all rows with the streaming engine; what needs more than sums looks at a
    seeded sample of about 200,000 rows.

    Raises:
        DataError: a file or a column that the configuration names is missing or of a type that
            cannot be used.
        ConfigError: the split cannot be made from the declared keys.
    """
    audited = open_audited(data, folder, features, labels)
    return worst_first([finding for check in CHECKS for finding in check(audited)])


def open_audited(
    data: DataConfig,
    folder: Path,
    features: Mapping[str, FeatureConfig],
    labels: Sequence[LabelSpec],
) -> Audited:
    """Open and measure a configured data set for the checks."""
    joined = open_log(data, folder)
    require_columns(joined, _needed(data, features, labels))
    refuse_wrong_labels(labels, joined)
    refuse_unsuited(features, joined)
    refuse_unsuited_keys(data, {}, joined)
    numbered = with_age(joined, data, labels).with_row_index(ROW_COLUMN)
    split = split_expression(data, numbered).alias(SPLIT_COLUMN)
    frame = held_if_small(numbered.with_columns(split))
    sample = sample_rows(frame)
    names = joined.collect_schema().names()
    return Audited(
        data=data,
        folder=folder,
        features=features,
        labels=labels,
        log=open_table(data.log, folder),
        frame=frame,
        table=profile(frame.select(names), sample.select(names)),
        sample=sample,
    )


def _needed(
    data: DataConfig, features: Mapping[str, FeatureConfig], labels: Sequence[LabelSpec]
) -> dict[str, str]:
    """Return every column that is asked for -> the configuration key that asks."""
    keys = data.keys
    needed = {
        column: f"data.keys.{role}"
        for role, column in (
            ("user", keys.user),
            ("item", keys.item),
            ("request", keys.request),
            ("time", keys.time),
        )
        if column is not None
    }
    for name, config in features.items():
        needed[config.column or name] = f"features.{name}"
        if isinstance(config, HistoryFeature):
            needed[config.item] = f"features.{name}.item"
    return {**needed, **label_columns(labels)}
