"""From the path of a configuration to what is wrong with its data."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from paretorank.audit.audit import audit_data
from paretorank.audit.finding import SEVERITIES, Finding
from paretorank.config import load_config


@dataclass(frozen=True)
class AuditReport:
    """Everything found, the worst first."""

    findings: tuple[Finding, ...]

    @property
    def is_serious(self) -> bool:
        """Return whether a model trained on this data would show wrong numbers."""
        return any(finding.severity == "serious" for finding in self.findings)

    def counts(self) -> dict[str, int]:
        """Return how many findings there are of each severity."""
        return {
            severity: sum(finding.severity == severity for finding in self.findings)
            for severity in SEVERITIES
        }

    def as_dict(self) -> dict[str, object]:
        """Return the report for programs."""
        found = [finding.as_dict() for finding in self.findings]
        return {"counts": self.counts(), "findings": found}


def audit_config(path: Path, overrides: Sequence[str] = ()) -> AuditReport:
    """Audit the data that a configuration describes.

    Raises:
        ConfigError: the configuration describes no run.
        DataError: the data cannot be read.
    """
    config = load_config(path, overrides)
    found = audit_data(config.data, config.folder, config.features, config.label_specs())
    return AuditReport(tuple(found))
