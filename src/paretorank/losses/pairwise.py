"""Cross-entropy with a pairwise logistic loss beside it: clicked above not clicked, per request.

Source: Burges et al., Learning to Rank using Gradient Descent, ICML 2005, section 3 (RankNet, with
    certain preferences): softplus(z_j - z_i) for a positive i and a negative j of one request.
The ranking loss of a row is the mean over the pairs that it is part of, 0 without any, so that long
requests do not outweigh short ones. Costs one logistic per pair and task; see `pairs_of`.
Set `training.loader.shuffle = "requests"`: with single rows a batch holds hardly any pair.
Shapes: P pairs.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.ranked_cross_entropy import RankedCrossEntropy
from paretorank.losses.requests import Requests, pairs_of, segments


class Pairwise(RankedCrossEntropy):
    """Adds `weight` times the mean logistic loss of a row's pairs to its cross-entropy."""

    @override
    def ranking(
        self, logit: Float[Tensor, "B T"], label: Float[Tensor, "B T"], requests: Requests
    ) -> Float[Tensor, "B T"]:
        return pairwise_logistic(logit, label, requests)


def pairwise_logistic(
    logit: Float[Tensor, "B T"], label: Float[Tensor, "B T"], requests: Requests
) -> Float[Tensor, "B T"]:
    """Return for every row the mean loss of its pairs."""
    one, other = pairs_of(segments(requests.code)[0])
    both = requests.observed[one] & requests.observed[other]
    preferred = torch.where(both, label[one] - label[other], 0.0).sign()
    loss = F.softplus(preferred * (logit[other] - logit[one])) * preferred.abs()
    total, count = torch.zeros_like(logit), torch.zeros_like(logit)
    for rows in (one, other):
        total = total.index_add(0, rows, loss)
        count = count.index_add(0, rows, preferred.abs().to(count.dtype))
    return total / count.clamp(min=1.0)
