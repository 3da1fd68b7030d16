"""From the logits of gates to weights, with what keeps gates from collapsing.

Source: Shazeer et al., Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts
    Layer, ICLR 2017, section 4, equations 6 and 7 (squared coefficient of variation of the use);
    Fedus et al., Switch Transformers, JMLR 2022, section 2.2 (why a coefficient near 0.01).
We deviate: the use of an expert is the sum over all gates, so tasks may still prefer different
experts, and it is measured against the use under uniform gates, so that gates which see different
experts are treated alike. Experts are dropped before the softmax, so the weights of the others
still sum to 1.
Shapes: B rows, G gates, E experts.
"""

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from typing_extensions import override

from paretorank.blocks.dropout import Dropout
from paretorank.blocks.penalized import Penalized


class GateSoftmax(Penalized):
    """Softmax over experts; a logit of minus infinity stands for an expert a gate cannot see."""

    def __init__(
        self,
        *,
        temperature: float = 1.0,
        dropout_rate: float = 0.0,
        expert_dropout_rate: float = 0.0,
        load_balance: float = 0.0,
        entropy: float = 0.0,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.dropout = Dropout(dropout_rate)
        self.expert_dropout = Dropout(expert_dropout_rate)
        self.load_balance = load_balance
        self.entropy = entropy

    @override
    def forward(self, logits: Float[Tensor, "B G E"]) -> Float[Tensor, "B G E"]:
        """Return weights, and leave the penalty behind while training."""
        logits = self._scaled(logits)
        if self.training:
            self.penalty = self._penalty(logits) if self.load_balance or self.entropy else None
            logits = self._thinned(logits)
        return logits.softmax(dim=2)

    def plain(self, logits: Float[Tensor, "B G E"]) -> Float[Tensor, "B G E"]:
        """Return the weights as they are at inference."""
        return self._scaled(logits).softmax(dim=2)

    def _scaled(self, logits: Float[Tensor, "B G E"]) -> Float[Tensor, "B G E"]:
        return logits if self.temperature == 1.0 else logits / self.temperature

    def _thinned(self, logits: Float[Tensor, "B G E"]) -> Float[Tensor, "B G E"]:
        """Return the logits without the dropped experts; where all would go, all stay."""
        if self.dropout.rate == 0.0 and self.expert_dropout.rate == 0.0:
            return logits
        ones = torch.ones_like(logits)
        kept = (self.dropout(ones) > 0) & (self.expert_dropout(ones[:, :1]) > 0)
        is_empty = ~(kept & (logits > -math.inf)).any(dim=2, keepdim=True)
        return logits.masked_fill(~(kept | is_empty), -math.inf)

    def _penalty(self, logits: Float[Tensor, "B G E"]) -> Float[Tensor, ""]:
        visible = logits.detach()[0] > -math.inf
        penalty = logits.new_zeros(())
        if self.load_balance:
            penalty = penalty + self.load_balance * _imbalance(logits.softmax(dim=2), visible)
        if self.entropy:
            penalty = penalty + self.entropy * _certainty(logits, visible)
        return penalty


def _imbalance(weights: Float[Tensor, "B G E"], visible: Bool[Tensor, "G E"]) -> Float[Tensor, ""]:
    """Return the squared coefficient of variation of the experts' use; 0 if all are used alike."""
    uniform_use = (visible / visible.sum(dim=1, keepdim=True)).sum(dim=0)
    use = weights.mean(dim=0).sum(dim=0) / uniform_use
    return use.var(correction=0) / use.mean().square()


def _certainty(logits: Float[Tensor, "B G E"], visible: Bool[Tensor, "G E"]) -> Float[Tensor, ""]:
    """Return 1 minus the mean entropy in units of its maximum: 0 for uniform gates, at most 1."""
    log_weights = logits.log_softmax(dim=2)
    # Zero times minus infinity would be NaN; an expert out of sight adds nothing.
    finite = log_weights.masked_fill(~visible, 0.0)
    entropy = -(log_weights.exp() * finite).sum(dim=2).mean(dim=0)
    n_visible = visible.sum(dim=1)
    highest = n_visible.to(logits.dtype).log()
    # A gate over a single expert has nothing to choose: it counts as uniform.
    return torch.where(n_visible > 1, 1 - entropy / highest.clamp_min(math.log(2)), 0.0).mean()
