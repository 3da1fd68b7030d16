"""What ruins a ranker, looked for before training."""

from paretorank.audit.audit import audit_data
from paretorank.audit.finding import Finding

__all__ = ["Finding", "audit_data"]
