"""The critic of PAPERec, and how actor and critic learn from each other.

Source: Lillicrap et al., Continuous control with deep reinforcement learning (DDPG), arXiv
    1509.02971, algorithm 1: the critic learns R + gamma Q'(s', pi'(s')), the actor climbs
    Q(s, pi(s)), target networks Q' and pi' follow slowly.
Our construction: Q(s, a) = b(s) - |A(s) a|^2. The reward is a quadratic form of the weights, and
what follows does not depend on them, so nothing is lost, and A^T A becomes the expected inner
products of the gradients. All transitions are of the present step: there is no replay, as the
gradients of old steps are those of another model.
Shapes: B rows, T tasks, S width of a row's state.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.func import functional_call

from paretorank.balancing.paperec_policy import Policy
from paretorank.blocks import MLP
from paretorank.blocks.linear import Linear


def next_in_request(request: Int[Tensor, " B"]) -> Int[Tensor, " B"]:
    """Return for each row the next row of the step with the same request; -1 for the last one."""
    order = request.argsort(stable=True)
    same = request[order[1:]] == request[order[:-1]]
    following = torch.full_like(request, -1, dtype=torch.int64)
    following[order[:-1]] = torch.where(same, order[1:], -1)
    return following


class Critic(nn.Module):
    """Expects the reward of weights in a state, and what follows."""

    def __init__(
        self,
        state_dim: int,
        hidden_dims: Sequence[int],
        n_tasks: int,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self.n_tasks = n_tasks
        self.body = MLP(state_dim, hidden_dims, generator=generator)
        self.head = Linear(self.body.out_dim, n_tasks**2 + 1, generator=generator)

    def forward(
        self, state: Float[Tensor, "B S"], weights: Float[Tensor, "B T"]
    ) -> Float[Tensor, " B"]:
        """Return Q(s, a)."""
        outputs: Tensor = self.head(self.body(state))
        factors = outputs[:, :-1].view(-1, self.n_tasks, self.n_tasks)
        return outputs[:, -1] - torch.bmm(factors, weights.unsqueeze(2)).square().sum(dim=(1, 2))


class Follower(nn.Module):
    """A copy of a network's parameters that moves towards them, in buffers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        for name, parameter in network.named_parameters():
            self.register_buffer(_buffer(name), parameter.detach().clone())

    @torch.no_grad()
    def follow_(self, network: nn.Module, rate: float) -> None:
        """Move a part of the way."""
        for name, parameter in network.named_parameters():
            self.get_buffer(_buffer(name)).lerp_(parameter, rate)

    @torch.no_grad()
    def forward(self, network: nn.Module, *given: Tensor) -> Tensor:
        """Return what the network would return with these parameters."""
        names = [name for name, _ in network.named_parameters()]
        own = {name: self.get_buffer(_buffer(name)) for name in names}
        result: Tensor = functional_call(network, own, given)
        return result


class ActorCritic(nn.Module):
    """The critic, and slow copies of it and of the policy."""

    def __init__(
        self,
        policy: Policy,
        state_dim: int,
        hidden_dims: Sequence[int],
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        n_tasks = len(policy.bounds)
        self.critic = Critic(state_dim, hidden_dims, n_tasks, generator=generator)
        self.target_policy, self.target_critic = Follower(policy), Follower(self.critic)

    def follow_(self, policy: Policy, rate: float) -> None:
        """Move the target networks."""
        self.target_policy.follow_(policy, rate)
        self.target_critic.follow_(self.critic, rate)

    def following(
        self,
        policy: Policy,
        state: Float[Tensor, "B S"],
        observed: Bool[Tensor, "B T"],
        next_row: Int[Tensor, " B"],
    ) -> Float[Tensor, " B"]:
        """Return what the target networks expect of the next row; 0 where there is none."""
        weights = self.target_policy(policy, state, observed)
        values = self.target_critic(self.critic, state, weights)
        return torch.where(next_row >= 0, values[next_row], 0.0)

    def forward(
        self,
        state: Float[Tensor, "B S"],
        weights: Float[Tensor, "B T"],
        explored: Float[Tensor, "B T"],
        values: Float[Tensor, " B"],
    ) -> Float[Tensor, ""]:
        """Return what actor and critic descend; the actor's part does not reach the critic.

        Args:
            state: of the rows.
            weights: of the policy, with gradient.
            explored: weights that were tried.
            values: what they came to.
        """
        error = (self.critic(state, explored) - values).square().mean()
        fixed = {name: p.detach() for name, p in self.critic.named_parameters()}
        expected: Tensor = functional_call(self.critic, fixed, (state, weights))
        return error - expected.mean()


def _buffer(name: str) -> str:
    return name.replace(".", "_")
