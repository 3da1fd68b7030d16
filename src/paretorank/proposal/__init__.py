"""A configuration proposed from the data, with the reason for every line."""

from paretorank.proposal.propose import Proposal, propose

__all__ = ["Proposal", "propose"]
