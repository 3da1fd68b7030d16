"""Cross-entropy with a softmax over the request beside it.

Source: Cao et al., Learning to Rank: From Pairwise Approach to Listwise Approach, ICML 2007,
    section 4 (ListNet, top-one probabilities).
We deviate: the target of a request is uniform over its positives, not the softmax of the labels,
which would give negatives a share; every positive has the loss -log softmax, so that a request
counts by its positives. Requests without a positive or a negative have none. Costs a few passes
over the rows.
Set `training.loader.shuffle = "requests"`: with single rows a batch holds hardly any list.
"""

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from paretorank.losses.ranked_cross_entropy import RankedCrossEntropy
from paretorank.losses.requests import Requests, has_pair, segment_log_softmax, segments


class Listwise(RankedCrossEntropy):
    """Adds `weight` times the softmax loss of a positive row to its cross-entropy."""

    @override
    def ranking(
        self, logit: Float[Tensor, "B T"], label: Float[Tensor, "B T"], requests: Requests
    ) -> Float[Tensor, "B T"]:
        return listwise_softmax(logit, label, requests)


def listwise_softmax(
    logit: Float[Tensor, "B T"], label: Float[Tensor, "B T"], requests: Requests
) -> Float[Tensor, "B T"]:
    """Return -log softmax of every positive among the rows of its request; 0 for negatives."""
    segment, n_segments = segments(requests.code)
    ranked = has_pair(label, requests.observed, segment, n_segments)
    chance = segment_log_softmax(logit, requests.observed, segment, n_segments)
    return -chance * (ranked & requests.observed) * label
