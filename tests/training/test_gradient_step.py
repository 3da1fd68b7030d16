"""Steps of balancers that look at gradients: what every parameter gets."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from typing_extensions import override

from paretorank.architectures import (
    ArchitectureConfig,
    AttentionMMoEConfig,
    CGCConfig,
    MMoEConfig,
    OMoEConfig,
    PLEConfig,
)
from paretorank.architectures.gates_config import GatesConfig
from paretorank.balancing import (
    Balancer,
    GramianBalancer,
    JacobianBalancer,
    RowBalancer,
    RowWeights,
    SeenGradients,
    SeenRows,
    Static,
    UPGrad,
)
from paretorank.balancing.gradient_balancer import Place
from paretorank.data.batch import Batch
from paretorank.data.layout import NumericColumn
from paretorank.foundation.errors import ConfigError, TrainingError
from paretorank.model import ModelConfig, MultiTaskRanker, build_model
from paretorank.relations import ESCM2Config
from paretorank.tasks import BinaryTask, TaskConfig
from paretorank.tasks.binary import DelayConfig
from paretorank.training.gradient_places import refuse_nothing_shared
from paretorank.training.step import StepResult, backward_step
from tests.training.test_task_gradients import LAYOUT, build, rows

NAMES = ("click", "rating", "like")
GATES = GatesConfig(load_balance=0.5)
PLACES: list[Place] = ["representation", "last_layer", "parameters"]


class Fixed(GramianBalancer):
    """Gives the present tasks 0.5, 2, 3, ... in turn, whatever their gradients."""

    seen: SeenGradients | None = None

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, " P"]:
        self.seen = seen
        return torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)[seen.tasks]


class PerTensor(GramianBalancer):
    """Weighs every second tensor double."""

    weighs_tensors = True

    @override
    def weigh(self, seen: SeenGradients) -> Float[Tensor, "N P"]:
        assert seen.by_tensor is not None
        factors = 1.0 + torch.arange(len(seen.by_tensor)) % 2
        return factors.unsqueeze(1).expand(-1, len(seen.tasks)).double()


class Total(JacobianBalancer):
    """The plain sum."""

    @override
    def aggregate(
        self, jacobian: Float[Tensor, "P N"], tasks: Int[Tensor, " P"]
    ) -> Float[Tensor, " N"]:
        return jacobian.sum(dim=0)


class Rows(RowBalancer):
    """Weighs every row and task alike, and remembers what it saw."""

    seen: SeenRows | None = None

    @override
    def weigh_rows(self, rows: SeenRows) -> RowWeights:
        self.seen = rows
        return RowWeights(torch.full_like(rows.losses, 2.0))


def model() -> MultiTaskRanker:
    return build(MMoEConfig(n_experts=2, expert_dims=(8, 6))).train()


def step(
    balancer: Balancer, network: MultiTaskRanker | None = None, batch: Batch | None = None
) -> tuple[StepResult, dict[str, Tensor]]:
    network = network or model()
    ones = torch.ones(3, dtype=torch.float64)
    result = backward_step(network, balancer, ones, batch or rows(), place="here")
    grads = {
        name: torch.zeros_like(p) if p.grad is None else p.grad.to_dense()
        for name, p in network.named_parameters()
    }
    return result, grads


def static(weights: Sequence[float]) -> Static:
    return Static(NAMES, weights=torch.tensor(weights)).double()


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    for name, grad in expected.items():
        assert torch.allclose(found[name], grad, rtol=1e-9, atol=1e-14), name


def without(task: int) -> Batch:
    batch = rows()
    batch.observed[:, task] = False
    return batch


@pytest.mark.parametrize("at", PLACES)
def test_weights_are_those_of_the_plain_weighted_sum(at: Place) -> None:
    found, grads = step(Fixed(NAMES, at=at).double())
    expected, plain = step(static([0.5, 2.0, 3.0]))
    assert_same(grads, plain)
    assert torch.equal(found.weights, expected.weights)


@pytest.mark.parametrize("at", PLACES)
def test_an_absent_task_is_not_shown_and_gets_no_weight(at: Place) -> None:
    balancer = Fixed(NAMES, at=at).double()
    found, grads = step(balancer, batch=without(1))
    _, plain = step(static([0.5, 2.0, 3.0]), batch=without(1))
    assert balancer.seen is not None
    assert balancer.seen.tasks.tolist() == [0, 2]
    assert found.weights.isnan().tolist() == [False, True, False]
    assert_same(grads, plain)


@pytest.mark.parametrize("at", PLACES)
def test_the_sum_of_gradients_is_the_gradient_of_the_sum(at: Place) -> None:
    found, grads = step(Total(NAMES, at=at))
    _, plain = step(static([1.0, 1.0, 1.0]))
    assert_same(grads, plain)
    assert torch.allclose(found.weights, torch.ones(3, dtype=torch.float64), rtol=1e-6)


@pytest.mark.parametrize("at", PLACES)
@pytest.mark.parametrize("kind", [Fixed, Total])
@pytest.mark.parametrize(
    "architecture",
    [
        OMoEConfig(n_experts=3, expert_dims=(8,), gates=GATES),
        PLEConfig(expert_dims=(8,), gates=GATES),
        AttentionMMoEConfig(n_experts=3, expert_dims=(8,), gates=GATES),
    ],
    ids=lambda config: config.kind,
)
def test_what_is_added_to_the_losses_reaches_shared_parameters_too(
    architecture: ArchitectureConfig, kind: type[Fixed] | type[Total], at: Place
) -> None:
    relation = ESCM2Config(estimator="dr")  # its guesses are learned by an auxiliary loss
    weights = [0.5, 2.0, 3.0] if kind is Fixed else [1.0, 1.0, 1.0]
    _, grads = step(kind(NAMES, at=at).double(), build(architecture, relation).train())
    _, plain = step(static(weights), build(architecture, relation).train())
    for name, grad in plain.items():
        assert torch.allclose(grads[name], grad, rtol=1e-8, atol=1e-13), name


def waiting_model() -> MultiTaskRanker:
    delay = DelayConfig(mean_delay_s=3.0)
    tasks: dict[str, TaskConfig] = {
        "click": BinaryTask(label="c"),
        "buy": BinaryTask(label="b", matures_after=9.0, delayed_feedback=delay),
    }
    layout = LAYOUT.model_copy(
        update={
            "numeric": (*LAYOUT.numeric, NumericColumn(name="__waiting:buy", for_losses=True)),
        }
    )
    config = ModelConfig(architecture=MMoEConfig(n_experts=2, expert_dims=(8, 6)), tower_dims=(4,))
    return build_model(config, layout, tasks, seed=1).double().train()


def waiting_rows() -> Batch:
    batch = rows()
    age = torch.full((len(batch), 1), torch.nan, dtype=torch.float64)
    age[:5] = 2.0
    batch.observed[:5, 1] = False
    return replace(
        batch,
        numeric=torch.cat([batch.numeric, age], dim=1),
        labels=batch.labels[:, :2],
        observed=batch.observed[:, :2],
    )


def test_rows_that_wait_are_weighed_like_others() -> None:
    ones, names = torch.ones(2, dtype=torch.float64), ("click", "buy")
    grads = []
    balancer = Rows(names)
    for each in (balancer, Static(names, weights=torch.tensor([2.0, 2.0])).double()):
        network = waiting_model()
        backward_step(network, each, ones, waiting_rows(), place="here")
        grads.append(
            {n: p.grad.to_dense() for n, p in network.named_parameters() if p.grad is not None}
        )
    assert balancer.seen is not None
    assert bool(balancer.seen.observed[:5, 1].all())
    assert_same(*grads)


@pytest.mark.parametrize("at", ["last_layer", "parameters"])
@pytest.mark.parametrize("kind", [Fixed, Total])
def test_where_nothing_is_shared_no_gradients_are_asked_for(
    kind: type[Fixed] | type[Total], at: Place
) -> None:
    apart = build(CGCConfig(expert_dims=(8,), n_shared_experts=0))
    with pytest.raises(ConfigError, match=f"balancer.at = '{at}' needs parameters"):
        refuse_nothing_shared(kind(NAMES, at=at), apart)
    refuse_nothing_shared(kind(NAMES), apart)
    refuse_nothing_shared(kind(NAMES, at=at), model())


def test_weights_of_tensors_scale_each_tensor() -> None:
    network = model()
    _, grads = step(PerTensor(NAMES, at="parameters").double(), network)
    _, plain = step(static([1.0, 1.0, 1.0]))
    shared = {id(p): at for at, p in enumerate(network.shared_parameters())}
    factors = [1.0, 2.0]
    seen = 0
    for name, parameter in network.named_parameters():
        if id(parameter) in shared:
            factor = factors[shared[id(parameter)] % 2]
            assert torch.allclose(grads[name], factor * plain[name], rtol=1e-9, atol=1e-14)
            seen += 1
    assert seen == len(shared) > 1


def test_rows_are_weighed_one_by_one() -> None:
    balancer = Rows(NAMES)
    found, grads = step(balancer)
    _, plain = step(static([2.0, 2.0, 2.0]))
    assert_same(grads, plain)
    assert torch.allclose(found.weights, torch.full((3,), 2.0, dtype=torch.float64))


def test_the_gramian_of_a_row_is_that_of_its_own_losses() -> None:
    balancer, network = Rows(NAMES), model()
    step(balancer, network)
    seen = balancer.seen
    assert seen is not None
    result = network.training_losses(rows(), with_cut=True)
    assert result.cut is not None
    assert result.cut.experts is not None
    row = int(seen.observed.all(dim=1).nonzero()[0])
    grads = [
        torch.autograd.grad(loss, result.cut.experts, retain_graph=True)[0][row].flatten()
        for loss in result.rows.losses[row]
    ]
    jacobian = torch.stack(grads)
    assert torch.allclose(seen.gramians[row], jacobian @ jacobian.T, rtol=1e-9)
    hidden = ~seen.observed
    assert bool((seen.gramians.diagonal(dim1=1, dim2=2)[hidden] == 0).all())
    assert bool((seen.losses[hidden] == 0).all())


def test_weights_stand_between_the_steps_at_which_they_are_computed() -> None:
    balancer = UPGrad(NAMES, every_steps=2).double()
    first, _ = step(balancer)
    second, _ = step(balancer, batch=without(1))
    third, _ = step(balancer, batch=without(1))
    assert torch.equal(second.weights[[0, 2]], first.weights[[0, 2]])
    assert not torch.equal(third.weights[[0, 2]], first.weights[[0, 2]])


def test_a_step_without_any_task_descends_nothing() -> None:
    batch = rows()
    batch.observed[:] = False
    for balancer in (Fixed(NAMES), Total(NAMES), Rows(NAMES)):
        result, grads = step(balancer, batch=batch)
        assert result.weights.isnan().all()
        assert all(bool((grad == 0).all()) for grad in grads.values())


def test_a_gradient_that_is_not_finite_names_the_task() -> None:
    network = model()

    def spoil(grad: Tensor) -> Tensor:
        spoiled = grad.clone()
        spoiled[:, 1] = torch.inf
        return spoiled

    class Spoiled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.inner = inner
            self.out_dim = 4

        @override
        def forward(self, h: Tensor) -> Tensor:
            h = h * 1.0
            h.register_hook(spoil)
            return self.inner(h)

    network.towers = Spoiled(network.towers)  # type: ignore[assignment]
    with pytest.raises(TrainingError, match="gradient is not finite for rating"):
        step(Fixed(NAMES).double(), network)
