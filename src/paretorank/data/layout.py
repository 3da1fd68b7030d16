"""Which number stands where in the encoded rows: what a model has to know about the data."""

from paretorank.foundation.section import Section
from paretorank.schema import LabelSpec


class TableSpec(Section):
    """One embedding table."""

    name: str
    """Name of the feature that owns the vocabulary."""
    n_codes: int
    """Rows of the table."""
    dim: int | None
    """Width asked for; the model's default where absent."""


class CategoricalColumn(Section):
    """One column of `codes`."""

    feature: str
    table: str


class RaggedColumn(Section):
    """One ragged column of codes."""

    feature: str
    table: str
    pooling: str
    max_length: int | None = None
    """The longest list; None: any length, which only sum, mean and max can take."""
    target: str | None = None
    """Categorical feature of the row that the list is compared with, for target attention."""
    normalize_attention: bool = False
    """Whether the attention of a list sums to one, for target attention."""


class NumericColumn(Section):
    """One column of `numeric`."""

    name: str
    n_bins: int = 0
    """Bins to unfold a piecewise-linear number into; 0: a plain number."""
    has_missing: bool = False
    """Whether training rows had it missing, so that the model gets an indicator."""
    for_losses: bool = False
    """Whether only losses may read it: it is not known when rows are scored, and then NaN."""


class Layout(Section):
    """The columns of encoded rows, in order."""

    tables: tuple[TableSpec, ...]
    categorical: tuple[CategoricalColumn, ...]
    ragged: tuple[RaggedColumn, ...]
    numeric: tuple[NumericColumn, ...]
    labels: tuple[LabelSpec, ...]

    def table(self, name: str) -> TableSpec:
        """Return a table by name."""
        return next(table for table in self.tables if table.name == name)

    @property
    def task_names(self) -> tuple[str, ...]:
        """Return the names along the task axis."""
        return tuple(label.name for label in self.labels)
