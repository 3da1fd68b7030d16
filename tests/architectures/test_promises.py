"""What every architecture promises that reads nothing but the input of a row."""

from typing import Any, get_args

import pytest
import torch
from pydantic import TypeAdapter
from torch import Tensor

from paretorank.architectures import Architecture, ArchitectureConfig
from paretorank.blocks import GroupedRows, Groups

READ_MORE = {"stem", "pepnet"}
"""What they read is in `Extras`; their own tests promise the same."""
KINDS = [
    kind
    for member in get_args(get_args(ArchitectureConfig)[0])
    if (kind := str(member.model_fields["kind"].default)) not in READ_MORE
]
VARIANTS: dict[str, dict[str, Any]] = {kind: {"kind": kind} for kind in KINDS} | {
    "attention_mmoe, heads and input": {
        "kind": "attention_mmoe",
        "n_heads": 2,
        "query": "context_and_input",
        "scoring": "additive",
        "key_dim": 4,
        "expert_dims": (6, 4),
    },
    "cross_stitch, by unit": {"kind": "cross_stitch", "granularity": "unit"},
    "adatt, shared units": {"kind": "adatt", "n_shared_units": 2, "n_shared_experts": 3},
    "adatt, single experts": {"kind": "adatt", "n_task_experts": 1, "n_shared_units": 1},
    "adatt, one level": {"kind": "adatt", "n_levels": 1},
    "dselect_k, once for all rows": {"kind": "dselect_k", "per_row": False},
    "home, groups": {"kind": "home", "task_groups": (7, 7, 2), "n_task_experts": 2},
    "home, groups of one": {"kind": "home", "task_groups": (0, 1, 2), "feature_gate_rank": 0},
    "ple, three levels": {"kind": "ple", "n_levels": 3},
    "ple, no shared experts": {"kind": "ple", "n_shared_experts": 0},
    "ple, no task experts": {"kind": "ple", "n_task_experts": 0},
    "cgc, no shared experts": {"kind": "cgc", "n_shared_experts": 0},
    "cgc, no task experts": {"kind": "cgc", "n_task_experts": 0},
}
SMALL = {"expert_dims": (6, 5), "hidden_dims": (6, 5), "n_experts": 4, "activation": "silu"}
ADAPTER: TypeAdapter[ArchitectureConfig] = TypeAdapter(ArchitectureConfig)
N_ROWS, IN_DIM = 7, 6

each = pytest.mark.parametrize("variant", VARIANTS)


def build(variant: str, *, n_tasks: int = 3, seed: int = 0) -> Architecture:
    settings = dict(VARIANTS[variant])
    if "task_groups" in settings:
        settings["task_groups"] = settings["task_groups"][:n_tasks]
    fields = type(ADAPTER.validate_python({"kind": settings["kind"]})).model_fields
    small = {name: value for name, value in SMALL.items() if name in fields}
    config = ADAPTER.validate_python(small | settings)
    generator = torch.Generator().manual_seed(seed)
    return config.build(in_dim=IN_DIM, n_tasks=n_tasks, generator=generator).double()


def far_from_the_start(variant: str, *, n_tasks: int = 3) -> Architecture:
    """Return a model of which no parameter is zero or near it."""
    model = build(variant, n_tasks=n_tasks)
    generator = torch.Generator().manual_seed(9)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.3)
    return model


def rows(n_rows: int = N_ROWS) -> Tensor:
    generator = torch.Generator().manual_seed(4)
    return torch.randn(n_rows, IN_DIM, generator=generator, dtype=torch.float64)


def grouped_rows() -> GroupedRows:
    """Return rows of which the columns 1, 3 and 4 stand once per group."""
    generator = torch.Generator().manual_seed(5)
    of_row = torch.tensor([0, 2, 1, 0, 2, 2, 1])
    return GroupedRows(
        own=torch.randn(N_ROWS, 3, generator=generator, dtype=torch.float64, requires_grad=True),
        shared=torch.randn(3, 3, generator=generator, dtype=torch.float64, requires_grad=True),
        groups=Groups(of_row, torch.tensor([0, 3, 2, 6, 1, 4, 5]), torch.tensor([0, 2, 4])),
        columns=torch.tensor([0, 2, 5, 1, 3, 4]),
    )


@each
@pytest.mark.parametrize("n_tasks", [1, 3])
@pytest.mark.parametrize("n_rows", [1, 4])
def test_all_axes_are_there_in_training_and_at_inference(
    variant: str, n_tasks: int, n_rows: int
) -> None:
    model = build(variant, n_tasks=n_tasks)
    for mode in (True, False):
        h = model.train(mode)(rows(n_rows))
        assert h.shape == (n_rows, n_tasks, model.out_dim)
        assert h.isfinite().all()
        weights = model.gate_weights(rows(n_rows))
        if weights is not None:
            assert weights.shape[:2] == (n_rows, n_tasks)
            assert not weights.requires_grad
            ones = torch.ones(n_rows, n_tasks, dtype=torch.float64)
            torch.testing.assert_close(weights.sum(dim=2), ones)


@each
def test_the_seed_decides_all_initial_values(variant: str) -> None:
    x = rows()
    first, same, other = (build(variant, seed=seed)(x) for seed in (0, 0, 1))
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


@each
def test_no_two_units_start_alike(variant: str) -> None:
    for name, parameter in build(variant).named_parameters():
        if parameter.ndim < 2 or "norm" in name or len(parameter.unique()) < parameter.numel() // 2:
            continue  # constants on purpose, such as zeros and the scales of norms
        assert len(parameter.unique()) == parameter.numel(), name


@each
def test_shared_are_exactly_the_parameters_that_two_tasks_reach(variant: str) -> None:
    model = far_from_the_start(variant)
    n_tasks = {
        name: torch.zeros(p.shape, dtype=torch.int64) for name, p in model.named_parameters()
    }
    for task in range(3):
        model.zero_grad()
        model(rows())[:, task].square().sum().backward()
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                n_tasks[name] += parameter.grad != 0
    # A parameter may stack one part per task: what counts is an entry that two tasks reach.
    expected = {name for name, counts in n_tasks.items() if counts.max() > 1}
    shared = {id(parameter) for parameter in model.shared_parameters()}
    assert len(shared) == len(model.shared_parameters())
    assert {name for name, p in model.named_parameters() if id(p) in shared} == expected


@each
def test_rows_in_groups_give_the_values_and_gradients_of_the_whole_matrix(variant: str) -> None:
    results = []
    for as_whole in (True, False):
        model, grouped = far_from_the_start(variant), grouped_rows()
        h = model(grouped.whole() if as_whole else grouped)
        h.square().sum().backward()
        assert grouped.own.grad is not None
        assert grouped.shared.grad is not None
        found = [h.detach(), grouped.own.grad, grouped.shared.grad]
        found += [p.grad for p in model.parameters() if p.grad is not None]
        results.append((found, model.eval().gate_weights(grouped_rows())))
    (whole, weights), (in_groups, weights_in_groups) = results
    torch.testing.assert_close(in_groups, whole)
    torch.testing.assert_close(weights_in_groups, weights)


@each
def test_gradients_agree_with_finite_differences(variant: str) -> None:
    model = far_from_the_start(variant, n_tasks=2)
    x = rows(3).requires_grad_()
    names = [name for name, _ in model.named_parameters()]

    def run(x: Tensor, *parameters: Tensor) -> Tensor:
        values = dict(zip(names, parameters, strict=True))
        return torch.func.functional_call(model, values, (x,))

    parameters = tuple(p.detach().clone().requires_grad_() for p in model.parameters())
    assert torch.autograd.gradcheck(run, (x, *parameters), fast_mode=True)


@each
def test_nothing_is_added_to_the_loss_unless_asked_for(variant: str) -> None:
    model = build(variant)
    model(rows())
    assert model.auxiliary_loss() is None
