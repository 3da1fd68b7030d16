"""The event that a task and everything before it happen, as logarithms of its chance.

With conditional chances p_1, ..., p_n along the topological order, log p = sum of log p_i, and the
event fails at its first failure: log (1 - p) = logsumexp over i of log p_1 + ... + log p_(i-1) +
log (1 - p_i). Both stay finite, with finite gradients, for logits of any size.

Shapes: B rows, T tasks, J joint events, n events of the longest path.
"""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Shaped
from torch import Tensor, nn

from paretorank.relations.base import Dependencies


class JointEvents(nn.Module):
    """One event for each binary task that has ancestors, all of them binary."""

    tasks: Tensor
    """The task of each event."""
    _members: Tensor
    """The tasks of each event, in topological order; its own is the last."""
    _is_member: Tensor
    """False for what fills up shorter paths, at their beginning."""

    def __init__(self, graph: Dependencies) -> None:
        super().__init__()
        order = graph.topological_order()
        paths = []
        for task in range(graph.n_tasks):
            above = graph.ancestors(task)
            if above and all(graph.is_binary[member] for member in (*above, task)):
                paths.append([*sorted(above, key=order.index), task])
        longest = max(map(len, paths), default=1)
        members = [[0] * (longest - len(path)) + path for path in paths]
        used = [[False] * (longest - len(path)) + [True] * len(path) for path in paths]
        shape = (len(paths), longest)
        tasks = torch.tensor([path[-1] for path in paths], dtype=torch.long)
        self.register_buffer("tasks", tasks, persistent=False)
        members_ = torch.tensor(members, dtype=torch.long).view(shape)
        self.register_buffer("_members", members_, persistent=False)
        is_member = torch.tensor(used, dtype=torch.bool).view(shape)
        self.register_buffer("_is_member", is_member, persistent=False)

    def __len__(self) -> int:
        return len(self.tasks)

    def own(self, values: Float[Tensor, "B T"]) -> Float[Tensor, "B J"]:
        """Return the column of each event's own task."""
        return values.index_select(1, self.tasks)

    def replace(self, values: Shaped[Tensor, "B T"], own: Shaped[Tensor, "B J"]) -> Tensor:
        """Return the values of all tasks, with others for the tasks of the events."""
        return values.index_copy(1, self.tasks, own)

    def log_chance(self, logits: Float[Tensor, "B T"]) -> Float[Tensor, "B J"]:
        """Return log p of each event."""
        return self._log_happened(logits).sum(dim=2)

    def log_chance_above(self, logits: Float[Tensor, "B T"]) -> Float[Tensor, "B J"]:
        """Return log p of everything before each event's own task."""
        return self._log_happened(logits)[:, :, :-1].sum(dim=2)

    def log_complement(self, logits: Float[Tensor, "B T"]) -> Float[Tensor, "B J"]:
        """Return log (1 - p) of each event."""
        happened = self._log_happened(logits)
        before = F.pad(happened[:, :, :-1], (1, 0)).cumsum(dim=2)
        failed = before + F.logsigmoid(-self._pick(logits))
        return failed.masked_fill(~self._is_member, -torch.inf).logsumexp(dim=2)

    def labels(
        self, labels: Float[Tensor, "B T"], observed: Bool[Tensor, "B T"]
    ) -> tuple[Bool[Tensor, "B J"], Bool[Tensor, "B J"]]:
        """Return whether each event happened, and where that can be told."""
        known = self._pick(observed) & self._is_member
        happened = self._pick(labels) == 1.0
        failed_above = (known & ~happened)[:, :, :-1].any(dim=2)
        all_above = self.all_above(labels, observed)
        own = known[:, :, -1]
        return all_above & own & happened[:, :, -1], failed_above | all_above & own

    def all_above(
        self, labels: Float[Tensor, "B T"], observed: Bool[Tensor, "B T"]
    ) -> Bool[Tensor, "B J"]:
        """Return whether everything before each event's own task was seen to happen."""
        happened = self._pick(observed) & (self._pick(labels) == 1.0)
        return (happened | ~self._is_member)[:, :, :-1].all(dim=2)

    def losses(
        self, logits: Float[Tensor, "B T"], happened: Bool[Tensor, "B J"]
    ) -> Float[Tensor, "B J"]:
        """Return the binary cross-entropy of each event."""
        return -torch.where(happened, self.log_chance(logits), self.log_complement(logits))

    def _log_happened(self, logits: Float[Tensor, "B T"]) -> Float[Tensor, "B J n"]:
        return F.logsigmoid(self._pick(logits)).masked_fill(~self._is_member, 0.0)

    def _pick(self, values: Shaped[Tensor, "B T"]) -> Shaped[Tensor, "B J n"]:
        return values[:, self._members]
