"""Balancers whose solvers are packages that not everybody has installed."""

from importlib.util import find_spec

from paretorank.foundation.errors import ConfigError


def require_packages(kind: str, packages: tuple[str, ...]) -> None:
    """Stop where a balancer cannot run.

    Raises:
        ConfigError: A package is not installed.
    """
    missing = [name for name in packages if find_spec(name) is None]
    if missing:
        raise ConfigError(
            f'balancer.kind = "{kind}" needs {", ".join(packages)}; '
            f"not installed: {', '.join(missing)}.",
            hint='pip install "paretorank[balancers]"',
        )
