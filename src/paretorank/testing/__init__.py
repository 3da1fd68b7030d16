"""Checks of what architectures, relations, losses and balancers promise, for parts of your own.

    from paretorank.testing import check_architecture
    check_architecture(MyConfig())

Each raises a `ContractError` that says which promise is broken.
"""

from paretorank.testing.architectures import check_architecture, check_network
from paretorank.testing.balancers import check_balancer
from paretorank.testing.contract import ContractError
from paretorank.testing.losses import check_loss
from paretorank.testing.relations import check_relation
from paretorank.testing.row_balancers import check_row_balancer
from paretorank.testing.weightings import check_weighting

__all__ = [
    "ContractError",
    "check_architecture",
    "check_balancer",
    "check_loss",
    "check_network",
    "check_relation",
    "check_row_balancer",
    "check_weighting",
]
