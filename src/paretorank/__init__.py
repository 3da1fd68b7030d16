"""Multi-task, multi-objective deep ranking for recommender systems."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paretorank.foundation.errors import ParetorankError
    from paretorank.workflows.ranker import Ranker

__all__ = ["ParetorankError", "Ranker", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Load `Ranker` on first use, so that `import paretorank` does not import torch."""
    if name == "ParetorankError":
        from paretorank.foundation.errors import ParetorankError

        return ParetorankError
    if name == "Ranker":
        from paretorank.workflows.ranker import Ranker

        return Ranker
    raise AttributeError(f"module 'paretorank' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
