"""One step: its gradients, weights, absent tasks, sample weights and errors."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from paretorank.architectures import MMoEConfig
from paretorank.architectures.gates_config import GatesConfig
from paretorank.balancing import Equal, LossBalancer, Static, Uncertainty
from paretorank.data.batch import Batch
from paretorank.data.layout import CategoricalColumn, Layout, NumericColumn, TableSpec
from paretorank.foundation.errors import TrainingError
from paretorank.model import ModelConfig, MultiTaskRanker, build_model
from paretorank.tasks import BinaryTask, RegressionTask, TaskConfig
from paretorank.training.step import StepResult, backward_step

TASKS: dict[str, TaskConfig] = {
    "click": BinaryTask(label="c"),
    "rating": RegressionTask(label="r"),
    "like": BinaryTask(label="l"),
}
NAMES = tuple(TASKS)
LIKE = 2
LAYOUT = Layout(
    tables=(TableSpec(name="user", n_codes=6, dim=3),),
    categorical=(CategoricalColumn(feature="user", table="user"),),
    ragged=(),
    numeric=(NumericColumn(name="x"),),
    labels=(),
)
N_ROWS = 30


def build(tasks: Sequence[str] = NAMES, architecture: MMoEConfig | None = None) -> MultiTaskRanker:
    architecture = architecture or MMoEConfig(n_experts=2, expert_dims=(8,))
    config = ModelConfig(architecture=architecture, tower_dims=(4,), wide=True)
    return build_model(config, LAYOUT, {name: TASKS[name] for name in tasks}, seed=1).double()


def rows(n: int = N_ROWS, *, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (n, 3), generator=generator).double()
    labels[:, 1] = torch.randn(n, generator=generator).double() * 2 + 3
    return Batch(
        codes=torch.randint(6, (n, 1), generator=generator, dtype=torch.int32),
        numeric=torch.randn(n, 1, generator=generator).double(),
        ragged=(),
        labels=labels,
        observed=torch.rand(n, 3, generator=generator) < 0.8,
        weight=torch.rand(n, generator=generator).double() + 0.5,
        request=torch.arange(1000, 1000 + n),
        row=torch.arange(1000, 1000 + n),
    )


def take(batch: Batch, index: Sequence[int], weight: Sequence[float] | None = None) -> Batch:
    at = torch.tensor(index)
    return replace(
        batch,
        codes=batch.codes[at],
        numeric=batch.numeric[at],
        labels=batch.labels[at],
        observed=batch.observed[at],
        weight=torch.ones(len(at)).double() if weight is None else torch.tensor(weight).double(),
        request=batch.request[at],
        row=batch.row[at],
    )


def without(batch: Batch, task: int, *, keep: int = 0) -> Batch:
    """Return the batch with a task observed on its first `keep` observed rows only."""
    observed = batch.observed.clone()
    at = observed[:, task].nonzero().flatten()[keep:]
    observed[at, task] = False
    labels = batch.labels.clone()
    labels[~observed] = 0.0
    return replace(batch, observed=observed, labels=labels)


def step(
    model: MultiTaskRanker,
    balancer: LossBalancer,
    batch: Batch,
    static_weights: Sequence[float] = (1.0, 1.0, 1.0),
) -> StepResult:
    for parameter in (*model.parameters(), *balancer.parameters()):
        parameter.grad = None
    weights = torch.tensor(static_weights, dtype=torch.float64)
    return backward_step(model, balancer, weights, batch, place="step 7 (epoch 1)")


def gradients(module: torch.nn.Module) -> dict[str, Tensor]:
    return {
        name: (p.grad.to_dense() if p.grad.is_sparse else p.grad).clone()
        for name, p in module.named_parameters()
        if p.grad is not None
    }


def explicit_losses(model: MultiTaskRanker, batch: Batch) -> list[Tensor]:
    """Return the mean losses of all tasks, written out."""
    logits, losses = model(batch), []
    for task, name in enumerate(NAMES):
        seen = batch.observed[:, task]
        logit, label, weight = logits[seen, task], batch.labels[seen, task], batch.weight[seen]
        per_row = (
            (logit - label) ** 2
            if name == "rating"
            else F.binary_cross_entropy_with_logits(logit, label, reduction="none")
        )
        losses.append((weight * per_row).sum() / weight.sum())
    return losses


def double(values: Sequence[float]) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def uncertainty(s: Sequence[float] = (0.3, -0.8, 1.1)) -> Uncertainty:
    balancer = Uncertainty(NAMES, double([1.0, 0.5, 1.0]), starts_at_data=False).double()
    with torch.no_grad():
        for parameter, value in zip(balancer.log_variances, s, strict=True):
            parameter.fill_(value)
    return balancer


def assert_same(one: dict[str, Tensor], two: dict[str, Tensor], *, bitwise: bool = False) -> None:
    assert one.keys() == two.keys()
    tolerance = 0.0 if bitwise else 1e-10
    for name, value in one.items():
        expected = two[name]
        torch.testing.assert_close(
            value, expected, rtol=tolerance, atol=tolerance, msg=lambda text, n=name: f"{n}: {text}"
        )


def test_equal_weights_descend_the_sum_of_the_losses() -> None:
    model, other, batch = build(), build(), rows()
    result = step(model, Equal(NAMES).double(), batch)
    losses = explicit_losses(other, batch)
    torch.stack(losses).sum().backward()
    assert_same(gradients(model), gradients(other))
    assert result.losses.tolist() == pytest.approx([float(loss.detach()) for loss in losses])
    assert result.weights.tolist() == [1.0, 1.0, 1.0]


def test_static_weights_scale_each_loss() -> None:
    model, other, batch = build(), build(), rows()
    result = step(model, Static(NAMES, double([2.0, 0.0, 0.25])), batch)
    click, _, like = explicit_losses(other, batch)
    (2.0 * click + 0.25 * like).backward()
    assert_same(gradients(model), gradients(other))
    assert result.weights.tolist() == [2.0, 0.0, 0.25]


@pytest.mark.parametrize("factor", [0.0, 0.7])
def test_what_gates_add_to_the_loss_is_descended_as_it_is(factor: float) -> None:
    gates = GatesConfig(entropy=factor)
    model = build(architecture=MMoEConfig(n_experts=2, expert_dims=(8,), gates=gates))
    with torch.no_grad():
        model.architecture.get_parameter("gates.weight").mul_(100)
    result = step(model, Static(NAMES, double([3.0, 0.0, 0.5])), rows())
    got = gradients(model)
    model.zero_grad()
    click, _, like = explicit_losses(model, rows())
    auxiliary = model.architecture.auxiliary_loss()
    assert (auxiliary is None) == (factor == 0.0)
    (3.0 * click + 0.5 * like + (0.0 if auxiliary is None else auxiliary)).backward()
    assert_same(got, gradients(model))
    assert result.weights.tolist() == [3.0, 0.0, 0.5]


@pytest.mark.parametrize("static", [(1.0, 1.0, 1.0), (3.0, 0.5, 2.0)])
def test_uncertainty_descends_the_composed_total_and_steers_its_own_parameters(
    static: tuple[float, ...],
) -> None:
    model, other, batch = build(), build(), rows()
    ours, theirs = uncertainty(), uncertainty()
    result = step(model, ours, batch, static)
    losses, c = explicit_losses(other, batch), (1.0, 0.5, 1.0)
    s = list(theirs.log_variances)
    total = sum(
        c[k]
        * torch.exp(-s[k])
        * (losses[k].detach() + static[k] * (losses[k] - losses[k].detach()))
        + 0.5 * s[k]
        for k in range(3)
    )  # the fixed factor scales what reaches the model, not what the variances see
    assert isinstance(total, Tensor)
    total.backward()
    assert_same(gradients(model), gradients(other))
    assert_same(gradients(ours), gradients(theirs))
    expected = [w * f * math.exp(-v) for w, f, v in zip(static, c, (0.3, -0.8, 1.1), strict=True)]
    assert result.weights.tolist() == pytest.approx(expected)


def test_a_variance_moves_for_a_loss_of_point_three() -> None:
    balancer = Uncertainty(("click",), double([1.0]), starts_at_data=False).double()
    model, batch = build(("click",)), rows(40)
    only = replace(batch, labels=torch.zeros(40, 1).double(), observed=batch.observed[:, :1])
    with torch.no_grad():
        model.output.logit_weight.zero_()
        model.output.logit_bias.fill_(math.log(math.exp(0.3) - 1))  # costs .3 where nobody clicks
    result = step(model, balancer, only, (1.0,))
    assert float(result.losses[0]) == pytest.approx(0.3)
    grad = balancer.log_variances[0].grad
    assert grad is not None
    assert float(grad) == pytest.approx(0.5 - 0.3)


def test_a_fixed_factor_of_zero_silences_a_task() -> None:
    model, batch = build(), rows()
    step(model, Equal(NAMES).double(), batch, (1.0, 0.0, 1.0))
    towers = model.output.logit_weight.grad
    assert towers is not None
    assert (towers[1] == 0).all()
    assert (towers[0] != 0).any()


def balancers() -> list[LossBalancer]:
    return [Equal(NAMES).double(), Static(NAMES, double([2.0, 0.5, 3.0])), uncertainty()]


@pytest.mark.parametrize("balancer", balancers(), ids=lambda b: type(b).__name__)
def test_a_task_without_observed_row_is_neutral(balancer: LossBalancer) -> None:
    model, batch = build(), without(rows(), LIKE)
    before = copy.deepcopy(balancer.state_dict())
    result = step(model, balancer, batch)
    ours = gradients(model)
    assert result.losses[LIKE].isnan()
    assert result.weights[LIKE].isnan()
    weights = result.weights

    other = build()
    losses = other.task_losses(batch)
    (losses[0] * weights[0] + losses[1] * weights[1]).backward()  # the task is not even named
    assert_same(ours, gradients(other), bitwise=True)
    assert_same(balancer.state_dict(), before, bitwise=True)
    for name in ("output.logit_weight", "output.logit_bias", "towers.weights.0"):
        assert (ours[name][LIKE] == 0).all()
    if isinstance(balancer, Uncertainty):
        assert balancer.log_variances[LIKE].grad is None


def test_an_absent_task_leaves_to_the_others_what_a_model_without_it_would_do() -> None:
    model, smaller = build(), build(NAMES[:LIKE])
    corner = {
        name: model.state_dict()[name][tuple(slice(length) for length in value.shape)]
        for name, value in smaller.state_dict().items()
    }  # the last task comes last in every axis
    smaller.load_state_dict(corner)
    batch = without(rows(), LIKE)
    two = replace(batch, labels=batch.labels[:, :LIKE], observed=batch.observed[:, :LIKE])
    big = step(model, uncertainty(), batch)
    small_balancer = Uncertainty(NAMES[:LIKE], double([1.0, 0.5]), starts_at_data=False).double()
    with torch.no_grad():
        for parameter, value in zip(small_balancer.log_variances, (0.3, -0.8), strict=True):
            parameter.fill_(value)
    small = step(smaller, small_balancer, two, (1.0, 1.0))
    torch.testing.assert_close(big.losses[:LIKE], small.losses)
    torch.testing.assert_close(big.weights[:LIKE], small.weights)
    for name, gradient in gradients(smaller).items():
        mine = gradients(model)[name][tuple(slice(length) for length in gradient.shape)]
        torch.testing.assert_close(mine, gradient)


def test_no_observed_row_at_all_is_a_step_that_goes_nowhere() -> None:
    model, balancer = build(), uncertainty()
    batch = replace(rows(), observed=torch.zeros(N_ROWS, 3, dtype=torch.bool))
    result = step(model, balancer, batch)
    assert result.losses.isnan().all()
    assert all((gradient == 0).all() for gradient in gradients(model).values())
    assert gradients(balancer) == {}


def test_a_label_that_is_missing_on_nine_of_ten_rows_changes_nothing_for_other_tasks() -> None:
    full, model, sparse = rows(), build(), build()
    batch = without(full, LIKE, keep=N_ROWS // 10)
    assert int(batch.observed[:, LIKE].sum()) == N_ROWS // 10
    with_all = step(model, Equal(NAMES).double(), full)
    with_few = step(sparse, Equal(NAMES).double(), batch)
    assert torch.equal(with_all.losses[:LIKE], with_few.losses[:LIKE])
    assert torch.equal(with_all.weights, with_few.weights)
    all_gradients, few_gradients = gradients(model), gradients(sparse)
    for name in ("output.logit_weight", "output.logit_bias", "towers.weights.0"):
        assert torch.equal(all_gradients[name][:LIKE], few_gradients[name][:LIKE])
    parts = [build() for _ in NAMES]
    for task, part in enumerate(parts):
        explicit_losses(part, batch)[task].backward()
    summed = {
        name: torch.stack([gradients(part)[name] for part in parts]).sum(dim=0)
        for name in few_gradients
    }
    assert_same(few_gradients, summed)


def test_a_row_of_weight_two_counts_as_the_row_twice() -> None:
    batch, one, two = rows(4), build(), build()
    weighted = step(one, uncertainty(), take(batch, [0, 1, 2], [2.0, 1.0, 1.0]))
    repeated = step(two, uncertainty(), take(batch, [0, 0, 1, 2]))
    torch.testing.assert_close(weighted.losses, repeated.losses, equal_nan=True)
    assert_same(gradients(one), gradients(two))


def test_a_row_of_weight_zero_counts_as_if_it_were_not_there() -> None:
    batch, one, two = rows(4), build(), build()
    weighted = step(one, uncertainty(), take(batch, [0, 1, 2, 3], [1.0, 0.0, 0.5, 1.0]))
    absent = step(two, uncertainty(), take(batch, [0, 2, 3], [1.0, 0.5, 1.0]))
    torch.testing.assert_close(weighted.losses, absent.losses, equal_nan=True)
    ours, theirs = gradients(one), gradients(two)
    assert_same(ours, theirs)


def test_a_task_whose_rows_all_weigh_zero_is_absent() -> None:
    batch, model = rows(4), build()
    observed = torch.tensor([[True, True, True], [True, True, False]])
    light = replace(take(batch, [0, 1], [0.0, 1.0]), observed=observed)
    result = step(model, uncertainty(), light)
    assert result.losses.isnan().tolist() == [False, False, True]


def test_an_infinite_input_stops_training_and_names_step_tasks_and_rows() -> None:
    batch = rows()
    numeric = batch.numeric.clone()
    numeric[[3, 8]] = math.inf
    with pytest.raises(TrainingError) as error:
        step(build(), uncertainty(), replace(batch, numeric=numeric))
    text = str(error.value)
    assert text.startswith("step 7 (epoch 1): the loss is not finite for ")
    assert "2 of 30 rows are at fault, rows of the log: 1003, 1008." in text
    assert "learning_rate" in error.value.hint


def test_a_label_too_large_for_its_loss_names_its_task_only() -> None:
    batch = rows()
    labels = batch.labels.clone()
    labels[5, 1], batch.observed[5, 1] = 1e300, True
    with pytest.raises(TrainingError) as error:
        step(build(), Equal(NAMES).double(), without(replace(batch, labels=labels), LIKE))
    assert "not finite for rating (inf);" in str(error.value)  # like is absent, which is no fault
    assert "rows of the log: 1005." in str(error.value)


def test_broken_weights_are_noticed_although_every_row_is_fine() -> None:
    model = build()
    with torch.no_grad():
        model.output.logit_bias.fill_(math.nan)
    with pytest.raises(TrainingError, match="30 of 30 rows are at fault"):
        step(model, Equal(NAMES).double(), rows())
