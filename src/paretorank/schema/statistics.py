"""Which rates and counts of past labels become features."""

from pydantic import NonNegativeFloat

from paretorank.foundation.section import Section


class StatisticConfig(Section):
    """Smoothed rates and counts of every task for one entity or a cross of entities.

    For an entity seen n times with label sum s, and a task of mean m on the training rows, the
    rate is (s + smoothing·m) / (n + smoothing). Rates of binary tasks enter as logits minus the
    logit of m, other labels as the difference of log(1 + ·); counts as log(1 + n).
    """

    of: tuple[str, ...]
    """Columns that together name the entity: ["user_id"] or ["user_id", "tab"]."""
    smoothing: NonNegativeFloat = 20.0
    """Weight of the overall mean, in rows."""
    refresh_s: NonNegativeFloat = 86_400.0
    """With a time key, a training row sees only rows of earlier periods of this length, as at
    serving, where the numbers are renewed so often; 0 means up to the moment before."""
    tasks: tuple[str, ...] | None = None
    """Tasks to count; all where absent."""
