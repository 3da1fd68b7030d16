"""What an encoder learns from rows that are appended: new values, new items, more past.

Vocabularies: known values keep their codes; a value that is new, or was too rare before, gets one
after them if it occurs min_count times on the appended training rows alone. Histories: new items
are added, known ones stay as they are. Statistics: totals are added up. Everything else stays:
knots, bins, missing indicators, overall means, the columns of the layout, and whether values are
compared as numbers or as text. So every row reads after the growth as it did before, but for what
was unknown, and for statistics.
"""

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

from paretorank.data.encoder import Buckets, Encoder
from paretorank.data.fit import FitPlan, counts_values, item_table, plan_columns, values_of
from paretorank.data.history import FittedHistory, grow_item_values
from paretorank.data.labels import LABEL_PREFIX
from paretorank.data.layout import Layout
from paretorank.data.sketches import ValueCounts
from paretorank.data.statistics import FittedStatistic, add_totals, entity_keys, fit_totals
from paretorank.data.vocabulary import Vocabulary, grow_vocabulary

_MERGE_EVERY = 16


class Growth:
    """Summaries of appended training rows; memory grows with distinct values, not with rows."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self._counted = {n: f for n, f in encoder.features.items() if counts_values(f)}
        self._counts = {name: ValueCounts() for name in self._counted}
        self._totals = {name: [(s.keys, s.totals)] for name, s in encoder.statistics.items()}

    @property
    def columns(self) -> list[str]:
        """Return the columns that `update` reads."""
        configs = {name: s.config for name, s in self._encoder.statistics.items()}
        read = plan_columns(FitPlan(dict(self._counted), configs, (), None))
        return read + [LABEL_PREFIX + name for name in self._encoder.layout.task_names]

    def update(self, chunk: pl.DataFrame) -> None:
        """Take in one chunk of appended training rows."""
        for name, feature in self._counted.items():
            self._counts[name].update(values_of(feature, chunk[feature.column or name]))
        self.update_statistics(chunk)

    def update_statistics(self, chunk: pl.DataFrame) -> None:
        """Take in rows that were valid or test before: their values were learned about already."""
        for name, statistic in self._encoder.statistics.items():
            tasks = [LABEL_PREFIX + task for task in statistic.task_names]
            labels = chunk.select(pl.col(tasks).fill_null(float("nan")).cast(pl.Float32))
            entity = entity_keys(chunk, statistic.config.of, statistic.kinds)
            parts = self._totals[name]
            parts.append(fit_totals(entity, labels.to_numpy()))
            if len(parts) > _MERGE_EVERY:
                self._totals[name] = [parts[0], add_totals(parts[1:])]

    def finish(self, items: Sequence[pl.DataFrame]) -> Encoder:
        """Return the grown encoder; `items` are tables from item to matched column."""
        encoder = self._encoder
        vocabularies = {
            name: self._vocabulary(name, codes) for name, codes in encoder.vocabularies.items()
        }
        return replace(
            encoder,
            layout=_with_sizes(encoder.layout, vocabularies),
            vocabularies=vocabularies,
            histories={n: _with_items(h, items) for n, h in encoder.histories.items()},
            statistics={n: self._statistic(n, s) for n, s in encoder.statistics.items()},
        )

    def _vocabulary(self, name: str, codes: Vocabulary | Buckets) -> Vocabulary | Buckets:
        if isinstance(codes, Buckets):
            return codes
        counts = self._counts[name].result()
        return grow_vocabulary(codes, counts, min_count=self._counted[name].min_count)

    def _statistic(self, name: str, statistic: FittedStatistic) -> FittedStatistic:
        keys, totals = add_totals(self._totals[name])
        return replace(statistic, keys=keys, totals=totals)


def _with_sizes(layout: Layout, vocabularies: dict[str, Vocabulary | Buckets]) -> Layout:
    tables = tuple(
        table.model_copy(update={"n_codes": vocabularies[table.name].n_codes})
        for table in layout.tables
    )
    return layout.model_copy(update={"tables": tables})


def _with_items(history: FittedHistory, items: Sequence[pl.DataFrame]) -> FittedHistory:
    item = history.config.item
    return replace(
        history,
        item_values=tuple(
            grow_item_values(known, item_table(items, item, match), item, match)
            for known, match in zip(history.item_values, history.config.match, strict=True)
        ),
    )
