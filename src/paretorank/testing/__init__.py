"""Checks of what architectures, relations and losses promise, for parts of your own.

    from paretorank.testing import check_architecture
    check_architecture(MyConfig())

Each raises a `ContractError` that says which promise is broken.
"""

from paretorank.testing.architectures import check_architecture, check_network
from paretorank.testing.contract import ContractError
from paretorank.testing.losses import check_loss
from paretorank.testing.relations import check_relation
from paretorank.testing.row_balancers import check_row_balancer

__all__ = [
    "ContractError",
    "check_architecture",
    "check_loss",
    "check_network",
    "check_relation",
    "check_row_balancer",
]
