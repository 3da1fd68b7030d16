"""What a column means as an input of the model."""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt

from paretorank.foundation.section import Section

Pooling = Literal["mean", "sum", "max"]
SequencePooling = Literal["mean", "sum", "max", "target_attention", "transformer"]


class CategoricalFeature(Section):
    """One of many values per row, or several of them; each value gets a learned embedding."""

    kind: Literal["categorical"] = "categorical"
    column: str | None = None
    """Column of the log or of a joined table; the feature's own name where absent."""
    dim: PositiveInt | None = None
    """Width of the embedding; `model.embedding_dim` where absent."""
    multi: bool = False
    """Whether a row holds several values: a list, or text cut at `separator`."""
    separator: str = ","
    """Where text is cut when `multi` is set and the column is not a list."""
    pooling: Pooling = "mean"
    """How the embeddings of several values become one."""
    min_count: PositiveInt = 2
    """Values seen less often on the training rows share one code, "rare or unknown"."""
    hash_buckets: PositiveInt | None = None
    """Hash values into this many codes instead of keeping a vocabulary."""
    missing: tuple[int | float | str, ...] = ()
    """Values that mean "missing", such as -124."""
    table: str | None = None
    """Another categorical feature whose vocabulary and embedding this one shares."""


class NumericFeature(Section):
    """A number; stored as one float and, for piecewise-linear, expanded inside the model."""

    kind: Literal["numeric"] = "numeric"
    column: str | None = None
    """Column of the log or of a joined table; the feature's own name where absent."""
    encoding: Literal["standard", "log", "quantile", "piecewise_linear", "none"] = "quantile"
    """standard: (x - mean) / std; log: the same of sign(x)·log(1 + |x|); quantile: the normal
    score of the empirical quantile; piecewise_linear: Gorishniy et al., NeurIPS 2022, eq. 1;
    none: the number as it is."""
    n_bins: PositiveInt = 16
    """Bins of the piecewise-linear encoding, by quantiles of the training rows."""
    missing: tuple[int | float | str, ...] = ()
    """Values that mean "missing", such as -124."""


class SequenceFeature(Section):
    """What a user did before, oldest first: a list of ids, or text cut at `separator`."""

    kind: Literal["sequence"] = "sequence"
    column: str | None = None
    """Column of the log or of a joined table; the feature's own name where absent."""
    table: str | None = None
    """Categorical feature whose vocabulary and embedding the ids share; an own one where absent."""
    pooling: SequencePooling = "mean"
    """How the embeddings of the last `max_length` ids become one; target_attention: weighted by
    what a small network makes of each id and the row's `target` (Zhou et al., KDD 2018);
    transformer: a small causal transformer, read at the last id (Kang and McAuley, ICDM 2018)."""
    target: str | None = None
    """Categorical feature that target_attention compares the ids with, from the same table; where
    absent, the feature that `table` names, or else the first of that table."""
    normalize_attention: bool = False
    """Let the weights of target_attention sum to one; the paper does not, so that a long interest
    counts more than a short one."""
    max_length: PositiveInt = 50
    """Only the last so many ids are kept."""
    separator: str = ","
    """Where text is cut when the column is not a list."""
    dim: PositiveInt | None = None
    """Width of an own embedding; `model.embedding_dim` where absent."""
    min_count: PositiveInt = 2
    """Ids of an own vocabulary seen less often on the training rows share one code."""


class VectorFeature(Section):
    """A dense vector of fixed length, such as an embedding made elsewhere."""

    kind: Literal["vector"] = "vector"
    column: str | None = None
    """Column of lists or arrays of numbers; the feature's own name where absent."""
    dim: PositiveInt
    """Length of every vector."""


class HistoryFeature(Section):
    """Counts and rates from a behaviour list: how much, how often, and how often *this* item."""

    kind: Literal["history"] = "history"
    column: str | None = None
    """List of item ids, oldest first; the feature's own name where absent."""
    item: str
    """Column with the id of the row's own item, of the kind that the list holds."""
    relative_to: str | None = None
    """A longer list (watched of which liked) or a number; adds the smoothed log odds of
    len(column) among it."""
    match: tuple[str, ...] = ()
    """Columns that describe an item, such as its author: adds how many items of the list share
    the value of the row's own item."""
    separator: str = ","
    """Where text is cut when the column is not a list."""


FeatureConfig = Annotated[
    CategoricalFeature | NumericFeature | SequenceFeature | VectorFeature | HistoryFeature,
    Field(discriminator="kind"),
]
