"""PAPERec, our construction: a policy gives every row task weights of its own, by its input.

Source: Xie et al., Personalized Approximate Pareto-Efficient Recommendation, WWW 2021: state,
    action (weights per user and moment), reward by |sum_k a_k g_k|, actor and critic.
OUR CONSTRUCTION: the authors published no code, and we do not claim that this is what they ran.
- State: the row's input. Not the items shown before it, unless the features hold them.
- Weights: c + (1 - sum c) softmax(MLP(s)) over the observed tasks, times their number, so that the
  start is the plain sum of the losses. They depend on inputs only, never on labels: a model that
  predicts every task as well as can be is left where it is.
- `gradient`, the default, descends E[a^T M a | s] itself, as the reward is a known function of the
  weights. `ddpg` learns the same from rewards alone, with an actor and a critic (`paperec_critic`).
- The weight goes to tasks whose gradients are short in a state: those that are answered clearly
  there (inverse variances, where gradients do not correlate), but also those the representation
  does not serve, as a tower that makes nothing of it is flat. `bounds` limit what that can do.
- The norm is that of single rows. That of their mean would not do: where training stands still, it
  is 0 for the weights that led there, whatever they are. Their noise tells weights apart.
- In a log, the next row does not depend on the weights, so neither does what follows: gamma
  changes the critic, not the best weights. Optimal are the min-norm weights of E[M | s].
Shapes: B rows, T tasks, S width of a row's state.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from paretorank.balancing.base import BalancedTasks, by_task
from paretorank.balancing.gradient_balancer import RowBalancer, RowSection, RowWeights, SeenRows
from paretorank.balancing.paperec_critic import ActorCritic, next_in_request
from paretorank.balancing.paperec_policy import Policy
from paretorank.balancing.paperec_reward import GradientScales, GradientUnit, squared_norm
from paretorank.balancing.running_moments import RunningMoments
from paretorank.foundation.errors import ConfigError
from paretorank.foundation.seeds import derive_seed

LARGEST_SEED = 2**62
ROUNDING = 1e-9  # by which written bounds such as 0.1 + 0.2 + 0.7 may miss a sum of 1


class PAPERecConfig(RowSection):
    """Hyper-parameters of PAPERec; our construction, as the authors published no code."""

    kind: Literal["paperec"] = "paperec"
    solver: Literal["gradient", "ddpg"] = "gradient"
    """gradient: descend the squared norm itself; ddpg: learn it with a critic, as in the paper."""
    bounds: Mapping[str, NonNegativeFloat] = Field(default_factory=dict)
    """Least share of a task, where it is observed; 0 where not named; they sum to at most 1."""
    gradients: GradientUnit = "task"
    """What a gradient is divided by: its task's root mean square, or its own length (row), after
    which two tasks weigh the same in every row, or nothing (raw)."""
    hidden_dims: tuple[PositiveInt, ...] = (32,)
    """Widths of the hidden layers of policy and critic."""
    gamma: float = Field(default=0.9, ge=0, lt=1)
    """How much the next row of the request counts; ddpg only."""
    target_rate: float = Field(default=0.01, gt=0, le=1)
    """How far the target networks move in a step; ddpg only."""
    exploration: float = Field(default=1.0, ge=0, le=1)
    """Share of Dirichlet(1) noise in the weights the critic learns from; the model is never
    trained with them, so there is no price for it; ddpg only."""

    @override
    def make(self, tasks: BalancedTasks) -> "PAPERec":
        seed = int(torch.randint(LARGEST_SEED, (), generator=tasks.generator))
        return PAPERec(self, tasks.names, seed=seed)


class PAPERec(RowBalancer):
    """Weighs the tasks of a row as a policy says that is learned from their gradients."""

    seed: Tensor
    n_steps: Tensor

    def __init__(self, config: PAPERecConfig, task_names: Sequence[str], *, seed: int) -> None:
        super().__init__(task_names)
        self.config = config
        bounds = by_task(config.bounds, self.task_names, key="bounds", default=0.0)
        if (total := sum(config.bounds.values())) > 1 + ROUNDING:
            raise ConfigError(
                f"`balancer.bounds` must sum to at most 1, got {total:.6g}.",
                hint="A bound is the least share of a task; the policy gives out the rest.",
            )
        self.bounds = bounds
        self.state_dim = 0
        self.scales = GradientScales(len(self.task_names), config.gradients)
        self.register_buffer("seed", torch.tensor(seed))
        self.register_buffer("n_steps", torch.tensor(0))

    @override
    def begin(self, state_dim: int) -> None:
        """Make the networks.

        Raises:
            ValueError: they are there already, for states of another width.
        """
        if self.state_dim not in {0, state_dim}:
            raise ValueError(f"`state_dim` must stay {self.state_dim}, got {state_dim}.")
        if self.state_dim:
            return
        self.state_dim = state_dim
        config, seed = self.config, int(self.seed)
        generator = torch.Generator().manual_seed(derive_seed(seed, "policy"))
        self.moments = RunningMoments(state_dim)
        self.policy = Policy(state_dim, config.hidden_dims, self.bounds, generator=generator)
        if config.solver == "ddpg":
            generator = torch.Generator().manual_seed(derive_seed(seed, "critic"))
            self.critic = ActorCritic(
                self.policy, state_dim, config.hidden_dims, generator=generator
            )

    @torch.no_grad()
    def weights_of(
        self, state: Float[Tensor, "B S"], observed: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T"]:
        """Return the policy's weights of rows with these inputs, which sum to 1; learn nothing.

        Args:
            state: the inputs of the rows.
            observed: which tasks take part; all of them if it is not given.
        """
        self._check_begun()
        if observed is None:
            shape = len(state), len(self.task_names)
            observed = torch.ones(shape, dtype=torch.bool, device=state.device)
        weights: Tensor = self.policy(self.moments(state), observed)
        return weights

    @override
    def weigh_rows(self, rows: SeenRows) -> RowWeights:
        self._check_begun()
        if self.config.solver == "ddpg" and int(self.n_steps):  # after the step before this one
            self.critic.follow_(self.policy, self.config.target_rate)
        self.moments.update_(rows.state)
        state = self.moments(rows.state)
        shares: Tensor = self.policy(state, rows.observed)
        own_loss = self._own_loss(rows, state, shares)
        self.n_steps += 1
        weights = shares.detach() * rows.observed.sum(dim=1, keepdim=True)
        return RowWeights(weights.to(rows.losses), own_loss)

    def _own_loss(self, rows: SeenRows, state: Tensor, shares: Tensor) -> Tensor | None:
        self.scales.update_(rows.gramians, rows.observed)
        gramians, counts = self.scales(rows.gramians, rows.observed)
        if not bool(counts.any()):
            return None
        if self.config.solver == "gradient":
            return squared_norm(gramians[counts], shares[counts]).mean()
        seed = derive_seed(int(self.seed), "exploration", int(self.n_steps))
        generator = torch.Generator().manual_seed(seed)
        explored = self.policy.explored(
            shares.detach(), rows.observed, self.config.exploration, generator=generator
        )
        values = -squared_norm(gramians, explored)
        next_row = next_in_request(rows.request)
        if self.config.gamma and bool((next_row >= 0).any()):
            following = self.critic.following(self.policy, state, rows.observed, next_row)
            values = values + self.config.gamma * following
        loss: Tensor = self.critic(state[counts], shares[counts], explored[counts], values[counts])
        return loss

    def _check_begun(self) -> None:
        if not self.state_dim:
            raise ValueError("`begin` must be called with the width of the states first.")
