"""Binary cross-entropy where a 0 may only be a 1 that has not come yet.

Source: Chapelle, Modeling Delayed Feedback in Display Advertising, KDD 2014. The event comes after
    an exponential delay, if it comes: a row that has waited for e seconds without it has the
    likelihood 1 - p + p exp(-e / mean delay), and one with it p, up to what does not depend on p.
We deviate: the mean delay is a setting, not another network; delays end with the window after
which a 0 is final, so that the likelihood is the plain one from there on.
With F(e) the share of events that have come by then, the loss of a waiting row is -log(1 - p F(e)):
nothing for a row that was shown just now, and the cross-entropy of a 0 at the end. Its gradient by
the logit is that of cross-entropy with the chance that the event is still to come as the label.
"""

from math import expm1, isinf
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.base import Loss, weighted_mean
from paretorank.losses.binary import BinaryCrossEntropy

EM_STEPS = 50  # enough for three digits where nine rows of ten wait


class DelayedFeedback(BinaryCrossEntropy):
    """Cross-entropy; rows that wait, given their age, count as far as they have waited."""

    counts_waiting: ClassVar[bool] = True

    def __init__(self, mean_delay_s: float, window_s: float) -> None:
        super().__init__()
        if not (mean_delay_s > 0 and window_s > 0):
            raise ValueError(
                f"`mean_delay_s` and `window_s` must be above 0, got {mean_delay_s}, {window_s}."
            )
        self.mean_delay_s = mean_delay_s
        self.window_s = window_s

    @override
    def given(self, columns: Float[Tensor, "B T"]) -> Loss:
        return _Waiting(self, columns)

    def waiting_losses(
        self, logit: Float[Tensor, "*rows"], age_s: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows"]:
        """Return the losses of rows that have waited so long."""
        to_come = torch.log1p(-self.share_come(age_s)).to(logit.dtype)
        return -torch.logaddexp(to_come + F.logsigmoid(logit), F.logsigmoid(-logit))

    def share_come(self, age_s: Float[Tensor, "*rows"]) -> Float[Tensor, "*rows"]:
        """Return the share of events that come within so many seconds, below 1."""
        whole = 1.0 if isinf(self.window_s) else -expm1(-self.window_s / self.mean_delay_s)
        share = -torch.expm1(-age_s.clamp(min=0.0) / self.mean_delay_s) / whole
        return share.clamp(max=1 - torch.finfo(share.dtype).eps)


class _Waiting(BinaryCrossEntropy):
    """The same loss on rows of which some wait; their age is NaN where they do not."""

    def __init__(self, loss: DelayedFeedback, age_s: Float[Tensor, "B T"]) -> None:
        super().__init__()
        self.loss = loss
        self.age_s = age_s

    @override
    def forward(
        self, logit: Float[Tensor, "B T"], label: Float[Tensor, "B T"]
    ) -> Float[Tensor, "B T"]:
        waits = ~self.age_s.isnan()
        waiting = self.loss.waiting_losses(logit, self.age_s.nan_to_num(nan=0.0))
        own: Tensor = self.loss(logit, label)
        return torch.where(waits, waiting, own)

    @override
    def constant_logit(
        self, label: Float[Tensor, "N T"], weight: Float[Tensor, "N T"]
    ) -> Float[Tensor, " T"]:
        """Return the logit of the rate of events, of those too that are still to come.

        It is found by expectation maximisation.
        """
        waits = ~self.age_s.isnan()
        share = self.loss.share_come(self.age_s.nan_to_num(nan=0.0)).double()
        expected = torch.where(waits, 0.0, label).double()
        for _ in range(EM_STEPS):
            rate = weighted_mean(expected, weight)
            to_come = rate * (1 - share) / (1 - rate * share)
            expected = torch.where(waits, to_come, expected)
        return super().constant_logit(expected, weight).to(label.dtype)
